"""How layers work, with real numbers: worked examples as plain data, and the examples of the course notes.

`explain("conv2d", kernel_size=3)` returns an `Explanation`: steps of sentences, grids of numbers, equations
and tables. Every value in it was computed by the engine, every equation can be checked by hand.
`minidnn.explanation.terminal` shows it in a terminal; nothing here knows how it will be shown.
"""

from minidnn.explanation.catalogue import CATALOGUE, explain, names
from minidnn.explanation.content import Equation, Explanation, Grid, Step, Table
from minidnn.explanation.notes import NOTES

__all__ = ["CATALOGUE", "NOTES", "Equation", "Explanation", "Grid", "Step", "Table", "explain", "names"]
