"""LeNet-5 explored once for all tests, and a browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minidnn.tracing import Trace
from models.explorer import choose_subject, gather, render, trace_subject
from models.explorer.schema import Page
from models.explorer.server import Server
from models.explorer.subject import Subject

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 300_000  # milliseconds: however long a busy machine takes
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


def find_browser() -> str | None:
    """The path of a Chromium of the system."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def launch(playwright: Any, executable: str) -> Any:
    """A browser without a window, without a GPU and without requests of its own."""
    return playwright.chromium.launch(
        executable_path=executable, headless=True, args=list(SWITCHES), timeout=PATIENCE
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


@contextmanager
def serving(page: str, subject: Subject, trace: Trace) -> Iterator[Server]:
    """A server that runs beside the test, on a free port."""
    with Server(page, subject, trace, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright (the `browser` extra) is not installed"
    )
    executable = find_browser()
    if executable is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    with api.sync_playwright() as playwright:
        running = launch(playwright, executable)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page, of a file or served; the console must stay silent, and nothing else may be fetched."""
    complaints: list[str] = []
    contexts = []

    def open_page(page_of: Path | Server, width: int = 1280, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        address = page_of.url if isinstance(page_of, Server) else page_of.as_uri()
        own.append(address)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        return page

    requests: list[str] = []
    own: list[str] = ["data:"]
    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert all(url.startswith(tuple(own)) for url in requests)
