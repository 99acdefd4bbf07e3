"""What a person sees of a run."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from minidnn.report import TerminalReport, confusion_table, plot_learning_curve
from minidnn.training import EpochMetrics, Totals

HISTORY = [
    EpochMetrics(1, 0.01, 1.5, 0.5, 1.25, 0.625, 2.0),
    EpochMetrics(2, 0.005, 0.75, 0.8125, 0.5, 0.98607, 2.5),
]


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None)


def printed(console: Console) -> str:
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_rows_line_up_under_their_headings() -> None:
    screen = console()
    report = TerminalReport(screen)
    report.begin(2, 10, HISTORY[:1])
    report.batch(2, 3, Totals(seen=30, loss=20.0, correct=20))
    report.epoch(HISTORY[1])
    report.end()
    heading, first, second = printed(screen).splitlines()
    assert heading.split()[0] == "epoch"
    assert first.split() == ["1/2", "1.00e-02", "1.5000", "50.00%", "1.2500", "62.50%", "2.0", "s"]
    assert second.split() == ["2/2", "5.00e-03", "0.7500", "81.25%", "0.5000", "98.61%", "2.5", "s"]
    assert len(heading) == len(first) == len(second)


def test_a_terminal_gets_a_progress_bar() -> None:
    screen = console(terminal=True)
    report = TerminalReport(screen)
    report.begin(2, 10, [])
    report.batch(1, 7, Totals(seen=70, loss=35.0, correct=20))
    report.end()
    assert "7/20 batches, loss 0.5000" in printed(screen)


def test_the_confusion_matrix_says_what_was_taken_for_what() -> None:
    screen = console()
    screen.print(confusion_table([[8, 2, 0], [0, 5, 0], [0, 0, 0]], ["cat", "dog", "[b]owl"]))
    lines = printed(screen).splitlines()
    cat = next(line for line in lines if "cat" in line and "80.0%" in line)
    assert [cell.strip() for cell in cat.replace("│", "|").split("|")[1:-1]] == [
        "cat",
        "8",
        "2",
        "·",
        "80.0%",
    ]
    assert any("dog" in line and "100.0%" in line for line in lines)
    assert any("[b]owl" in line and " - " in line for line in lines)


def test_the_learning_curve_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert plot_learning_curve(HISTORY, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not plot_learning_curve(HISTORY, tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()
