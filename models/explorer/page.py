"""The page: templates and data in one HTML file that needs nothing else and may fetch nothing else.

The scripts in `templates/` are ES modules that import each other. In the page each is a function that is
called once, in the order in which they need each other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

from models.explorer.schema import Page, to_json

TEMPLATES = Path(__file__).with_name("templates")
# In the order of their imports, which `tests/models/explorer/test_page.py` holds them to.
SCRIPTS = (
    "base",
    "data",
    "state",
    "layout",
    "graph",
    "outline",
    "planes",
    "pictures",
    "convolution",
    "pooling",
    "channels",
    "ladder",
    "field",
    "panel",
    "steps",
    "recursion",
    "flow",
    "main",
)


def render(page: Page) -> str:
    """Return the page as HTML: no network, no other file; scripts run by their hash only."""
    script, style = script_text(), (TEMPLATES / "style.css").read_text("utf-8")
    fetched = "'self'" if page.live else "'none'"
    policy = (
        f"default-src 'none'; script-src 'sha256-{_hash(script)}'; style-src 'sha256-{_hash(style)}'; "
        f"img-src data:; connect-src {fetched}; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": html.escape(page.model),
        "style": style,
        "script": script,
        "data": escaped_json(to_json(page)),
    }
    template = (TEMPLATES / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def escaped_json(text: str) -> str:
    """Return JSON that no HTML parser takes for the end of its element, or for a comment."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def script_text() -> str:
    """Return all scripts as one, each with names of its own."""
    return "\n".join(["const modules = {};", *map(_as_function, SCRIPTS)])


def _as_function(name: str) -> str:
    """A module as a call that returns what it exports; imports read what earlier ones returned."""
    text = (TEMPLATES / f"{name}.js").read_text("utf-8")
    exported = re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, flags=re.MULTILINE)
    text = re.sub(
        r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', r"const \1 = modules.\2;", text, flags=re.MULTILINE
    )
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return f"modules.{name} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
