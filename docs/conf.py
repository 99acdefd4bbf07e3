"""How Sphinx builds the pages: python -m sphinx -W -b html docs docs/_build."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "extensions"), str(Path(__file__).parent.parent)]

project = "minidnn"
author = "The minidnn maintainers"
copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "project_docstrings",
    "source_directive",
    "terminal_directive",
]
exclude_patterns = ["_build", "extensions", "notebooks/.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "minidnn"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False

# A name in single backticks is code, as everywhere in the sources.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shapes", "Dtypes", "Edge contract", "Source", "Sources"]
napoleon_use_ivar = True
