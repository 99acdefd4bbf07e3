"""The report: one page that needs nothing else, pictures that are pictures, and a table for README."""

from __future__ import annotations

import importlib.util
import sys
from html.parser import HTMLParser

import pytest

from benchmarks.cases import select
from benchmarks.figures import Results
from tests.benchmarks import rows

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (the `plot` extra)"
)


class Page(HTMLParser):
    """Checks that tags nest, and keeps what the page refers to and says."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


@pytest.fixture
def folder(tmp_path):
    cases = [*rows.inference_cases("squeezenet1_1"), *select("conv2d", "squeezenet1_1", (1,))]
    kernel_rows = {case.key: rows.kernel_row(case, 1e-3, 2e-3) for case in cases}
    store = rows.write(tmp_path, "kernels", kernel_rows)
    store.refuse("conv2d_forward x", "minidnn reports more than <the peak>")
    rows.write(tmp_path, "ladder-conv2d", dict(list(kernel_rows.items())[:3]))
    networks = {f"{name} batch 1": rows.network_row(name, 1.0, 1.5) for name in ("squeezenet1_1", "vgg16")}
    rows.write(tmp_path, "networks", networks)
    memory = {side: {"peak_bytes": 2**30} for side in ("minidnn", "pytorch")}
    rows.write(
        tmp_path,
        "training",
        {
            "vgg16 batch 8": rows.network_row("vgg16", 2.0, 3.0, 8),
            "vgg16 batch 8 memory": {"network": "vgg16", "batch": 8, "contenders": memory},
        },
    )
    rows.write(tmp_path, "engine", {"scalar addition": rows.network_row("", 9e-6, 2e-5)})
    return tmp_path


def test_the_page_needs_nothing_else_and_says_what_was_measured(folder) -> None:
    from benchmarks import report

    paths = report.write(folder)
    page = Page()
    page.feed((folder / "report.html").read_text())
    assert page.open == []
    assert len(page.sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    for words in (
        "A <CPU> (256-bit vectors), 2 threads",
        "a quick look",
        "minidnn reports more than <the peak>",
        "Do the layers add up?",
        "scalar addition",
        "200 GFLOP/s",
    ):
        assert words in page.text
    pictures = [path for path in paths if path.suffix == ".png"]
    assert sorted(path.stem for path in pictures) == ["ladder-conv2d", "networks", "roofline"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_the_summary_is_a_table_of_reached_and_missed(folder) -> None:
    from benchmarks import report

    report.write(folder)
    text = (folder / "summary.md").read_text()
    assert "| networks at inference (2) | each at least 1 | 1.50 | reached |" in text
    assert "| scalar addition, forward and backward (1) | each at most 10 us | 9.00 us | reached |" in text
    assert "| squeezenet1_1 | 1000.0 | 1500.0 | 750.0 |" in text


def test_the_terminal_names_the_rows_that_are_behind(folder) -> None:
    from benchmarks import report

    lines = list(report.aims(folder))
    start = next(i for i, line in enumerate(lines) if "networks at inference (2): geometric mean" in line)
    assert lines[start - 1].split()[:2] == ["reached", "1.50"]
    missed = next(i for i, line in enumerate(lines) if "conv2d backward, input + weight" in line)
    assert lines[missed].startswith("reached")
    depthwise = next(line for line in lines if "depthwise forward" in line)
    assert depthwise.startswith("not measured")


def test_a_folder_without_results_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="has no results; measure first"):
        Results.read(tmp_path)


def test_without_matplotlib_it_says_what_to_install(folder, monkeypatch) -> None:
    from benchmarks import report

    monkeypatch.setitem(sys.modules, "benchmarks.pictures", None)
    monkeypatch.delattr("benchmarks.pictures", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'minidnn\[bench\]'"):
        report.write(folder)
    assert list(report.aims(folder))
