"""`minidnn train` of the small detectors: runs that were stopped end as those that were not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import load
from models.command_line import train_detector
from models.command_line.training_run import Recipe, Run

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
