"""`minidnn train` of the small detectors: runs that were stopped end as those that were not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import load
from models.command_line import train_detector
from models.command_line.training_run import Recipe, Run
from tests.models.command_line.test_command_line import run

MODELS = ("faster_rcnn_digits", "mask_rcnn_digits", "yolo_digits")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Epochs of a few scenes."""
    monkeypatch.chdir(tmp_path)
    for name, count in (("EPOCH_SCENES", 12), ("TEST_SCENES", 4), ("FINAL_SCENES", 6)):
        monkeypatch.setattr(train_detector, name, count)
    return tmp_path


def train(model: str, path: Path, *, epochs: int, seed: int = 0, resume: bool = False) -> None:
    recipe = Recipe(epochs, batch_size=4, lr=1e-3)
    train_detector.train_detector(model, Run(recipe, seed, path, resume))


def weights(path: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load(path)["model"].items()}


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("model", MODELS)
def test_a_stopped_run_ends_with_the_same_weights(
    model: str, short: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Stopped after the second step of the second epoch, where the last checkpoint was just written."""
    from minidnn.training import DetectorTrainer, loop

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    train(model, short / "whole.safetensors", epochs=2)
    whole = capsys.readouterr().out
    save, saved = DetectorTrainer._save, []

    def stopping(trainer: DetectorTrainer, arguments: Any) -> None:
        save(trainer, arguments)
        saved.append(trainer._batch)
        if len(saved) == 6:
            raise StoppedError

    monkeypatch.setattr(DetectorTrainer, "_save", stopping)
    with pytest.raises(StoppedError):
        train(model, short / "stopped.safetensors", epochs=2)
    monkeypatch.setattr(DetectorTrainer, "_save", save)
    assert saved == [1, 2, 3, 0, 1, 2]
    capsys.readouterr()
    train(model, short / "stopped.safetensors", epochs=2, resume=True)
    resumed = capsys.readouterr().out
    got, want = weights(short / "stopped.safetensors"), weights(short / "whole.safetensors")
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert resumed.splitlines()[-7:] == whole.splitlines()[-7:]


def test_a_run_writes_a_table(short: Path) -> None:
    recipe = Recipe(epochs=2, batch_size=4, lr=1e-3)
    files = {"checkpoint": short / "run.safetensors", "csv": short / "run.csv"}
    train_detector.train_detector("yolo_digits", Run(recipe, seed=0, resume=False, **files))
    lines = (short / "run.csv").read_text().splitlines()
    assert lines[0] == "epoch,lr,train_loss,box_precision,mask_precision,seconds"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


def test_another_seed_is_another_run(short: Path) -> None:
    train("yolo_digits", short / "0.safetensors", epochs=1)
    with pytest.raises(ValueError, match="seed 0, but this run has seed 1"):
        train("yolo_digits", short / "0.safetensors", epochs=1, seed=1, resume=True)


@pytest.mark.parametrize("option", [("--data", "."), ("--activation", "relu"), ("--pooling", "max")])
def test_options_of_classifiers_are_refused(option: tuple[str, str], short: Path) -> None:
    from typer.testing import CliRunner

    from models import command_line

    result = CliRunner().invoke(command_line.app, ["train", "yolo_digits", *option])
    assert f"{option[0]} is not for yolo_digits, which learns from scenes of digits" in str(result.exception)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "epochs"), [("faster_rcnn_digits", 5), ("mask_rcnn_digits", 5), ("yolo_digits", 24)]
)
def test_a_short_run_learns(model: str, epochs: int, tmp_path: Path) -> None:
    """Of boxes and masks alike; what the whole recipes reach is in examples/digit_detectors/."""
    result = run("train", model, "--epochs", str(epochs), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    reached = dict(re.findall(r"^held-out (mAP|mask mAP)@0\.5 (\d\.\d+)", result.stdout, re.MULTILINE))
    assert reached.keys() == ({"mAP", "mask mAP"} if model == "mask_rcnn_digits" else {"mAP"})
    assert min(map(float, reached.values())) >= 0.6
