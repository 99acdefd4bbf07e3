"""README's picture of the explorer: `python -m tests.models.explorer.screenshot CHECKPOINT` makes it.

CHECKPOINT is what `minidnn train lenet5` leaves behind; the picture is docs/explorer.png. Needs the `browser`
extra and a Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from models.explorer import choose_subject, gather, render, trace_subject
from tests.models.explorer.conftest import find_browser, launch

TARGET = Path(__file__).parents[3] / "docs" / "explorer.png"
LAYER = "c3"
SIZE = {"width": 1280, "height": 860}


def main(checkpoint: Path) -> None:
    """Open the page of LeNet-5, choose a layer, point at a pixel of its output."""
    from playwright.sync_api import sync_playwright

    subject = choose_subject("lenet5", weights=checkpoint)
    executable = find_browser()
    if executable is None:
        raise FileNotFoundError("a browser is needed")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "lenet5.html"
        path.write_text(render(gather(subject, trace_subject(subject))), "utf-8")
        page = launch(playwright, executable).new_page(viewport=SIZE, color_scheme="light")
        page.goto(path.as_uri())
        page.click(f"#graph [aria-label^='{LAYER},']")
        page.hover("#panel .inspector .pickable", position={"x": 120, "y": 90})
        page.evaluate("document.querySelector('#panel .inspector').scrollIntoView()")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=TARGET)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
