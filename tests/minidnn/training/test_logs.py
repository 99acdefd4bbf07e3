"""Logs: what stands in their files, after a resumed run too."""

from __future__ import annotations

import csv
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minidnn.training import CSVLog, DetectionMetrics, EpochMetrics, Reports, TensorBoardLog, Totals
from tests.minidnn.training.run import LineReport


def metrics(epoch: int) -> EpochMetrics:
    return EpochMetrics(epoch, 0.1 / epoch, 1 / epoch, 0.5 + epoch / 100, 2 / epoch, 0.25, 1.5 * epoch)


def of_detector(epoch: int, masks: bool = False) -> DetectionMetrics:
    return DetectionMetrics(epoch, 0.1, 2.0, 0.5, 0.25 if masks else None, 3.0)


def run(log: Any, history: list[int], epochs: list[int], row: Callable[[int], Any] = metrics) -> None:
    """Show the log a run that begins after the epochs in `history`."""
    log.begin(10, 3, [row(epoch) for epoch in history])
    for epoch in epochs:
        log.batch(epoch, 1, Totals())
        log.epoch(row(epoch))
    log.end()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_per_epoch(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.csv"
    log = CSVLog(path)
    run(log, [], [1, 2])
    assert list(rows(path)[0]) == [
        *("epoch", "lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")
    ]
    assert [EpochMetrics(int(row.pop("epoch")), *map(float, row.values())) for row in rows(path)] == [
        metrics(1),
        metrics(2),
    ]
    assert list(path.parent.iterdir()) == [path]


def test_the_table_of_a_resumed_run_has_every_epoch_once(tmp_path: Path) -> None:
    """The killed process had written one more epoch than its checkpoint has, or one less."""
    path = tmp_path / "run.csv"
    run(CSVLog(path), [], [1, 2, 3])
    run(CSVLog(path), [1, 2], [3, 4])
    run(CSVLog(path), [1, 2, 3, 4, 5], [6])
    assert [row["epoch"] for row in rows(path)] == ["1", "2", "3", "4", "5", "6"]


def test_a_new_run_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    run(CSVLog(path), [], [1, 2])
    run(CSVLog(path), [], [])
    assert path.read_text() == ""


def test_the_table_of_a_detector(tmp_path: Path) -> None:
    """Without masks their column is empty."""
    path = tmp_path / "run.csv"
    run(CSVLog(path), [1], [2], of_detector)
    names = "epoch,lr,train_loss,box_precision,mask_precision,seconds\n"
    assert path.read_text() == names + "1,0.1,2.0,0.5,,3.0\n2,0.1,2.0,0.5,,3.0\n"


def records(path: Path) -> list[bytes]:
    """The records of a TFRecord file: length (8 bytes), its checksum (4), content, its checksum (4)."""
    content, found, position = path.read_bytes(), [], 0
    while position < len(content):
        (length,) = struct.unpack_from("<Q", content, position)
        found.append(content[position + 12 : position + 12 + length])
        position += 12 + length + 4
    return found


def curves(path: Path) -> tuple[dict[str, dict[int, float]], list[int]]:
    """Values by tag and step, and the steps from which on earlier files are to be forgotten."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    values: dict[str, dict[int, float]] = {}
    forgotten = []
    for record in records(path):
        event = Event.FromString(record)
        if event.session_log.status == SessionLog.START:
            forgotten.append(event.step)
        for value in event.summary.value:
            values.setdefault(value.tag, {})[event.step] = value.simple_value
    return values, forgotten


def test_tensorboard_has_a_curve_per_metric(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    run(TensorBoardLog(tmp_path), [], [1, 2])
    run(TensorBoardLog(tmp_path / "resumed"), [1, 2], [3])
    for folder, epochs in ((tmp_path, (1, 2)), (tmp_path / "resumed", (1, 2, 3))):
        (path,) = folder.glob("events.*")
        values, forgotten = curves(path)
        assert forgotten == [1]
        assert values.keys() == {
            *("loss/train", "loss/test", "accuracy/train", "accuracy/test", "lr", "seconds")
        }
        for tag, name in (("loss/train", "train_loss"), ("accuracy/test", "test_accuracy"), ("lr", "lr")):
            want = {epoch: getattr(metrics(epoch), name) for epoch in epochs}
            assert values[tag] == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("masks", [False, True])
def test_tensorboard_shows_a_detector_s_curves(masks: bool, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    run(TensorBoardLog(tmp_path), [1], [2], lambda epoch: of_detector(epoch, masks))
    (path,) = tmp_path.glob("events.*")
    values, _ = curves(path)
    measured = {"loss/train": 2.0, "precision/box": 0.5, "lr": pytest.approx(0.1), "seconds": 3.0}
    if masks:
        measured["precision/mask"] = 0.25
    assert values == {tag: {1: value, 2: value} for tag, value in measured.items()}


def test_without_tensorboardx_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'need tensorboardX; install it by: pip install "minidnn\[tens'):
        run(TensorBoardLog(tmp_path), [], [1])


def test_several_reports_hear_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Reports(CSVLog(tmp_path / "a.csv"), LineReport(), CSVLog(tmp_path / "b.csv")), [1], [2])
    assert capsys.readouterr().out.split("\n") == ["begin 1", "epoch 2", "end", ""]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
