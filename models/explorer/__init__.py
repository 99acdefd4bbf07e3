"""A page on which a network can be looked into: `minidnn explore`.

subject.py     the model, its weights and its image
gather.py      one trace, and all that the page shows of it (schema.py), as plain data
blocks.py      the modules as blocks that fold
inspectors.py  the exact numbers from which the page forms an output
pictures.py    arrays as pictures; sources.py the ladders of kernels as text
page.py        templates/ and data as one HTML file; server.py serves it to this machine
"""

from models.explorer.gather import gather, trace_subject
from models.explorer.page import render
from models.explorer.subject import choose_subject

__all__ = ["choose_subject", "gather", "render", "trace_subject"]
