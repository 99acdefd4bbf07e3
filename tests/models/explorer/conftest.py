"""LeNet-5 explored once for all tests, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minidnn.tracing import Trace
from models.explorer import choose_subject, gather, render, trace_subject
from models.explorer.schema import Page
from models.explorer.subject import Subject

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def lenet_subject() -> Subject:
    return choose_subject("lenet5")


@pytest.fixture(scope="session")
def lenet_trace(lenet_subject: Subject) -> Trace:
    return trace_subject(lenet_subject)


@pytest.fixture(scope="session")
def lenet_page(lenet_subject: Subject, lenet_trace: Trace) -> Page:
    return gather(lenet_subject, lenet_trace)


@pytest.fixture(scope="session")
def lenet_html(lenet_page: Page) -> str:
    return render(lenet_page)


@pytest.fixture(scope="session")
def lenet_file(lenet_html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "lenet5.html"
    path.write_text(lenet_html, "utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright (the `browser` extra) is not installed"
    )
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, headless=True, args=list(SWITCHES))
        yield running
        running.close()
