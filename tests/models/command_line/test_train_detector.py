"""`minidnn train` of the small detectors: they learn; runs that were stopped end as those that were not."""

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

# How many epochs are enough to find most digits; YOLO's recognition of them begins late.
SHORT = {"faster_rcnn_digits": 4, "mask_rcnn_digits": 4, "yolo_digits": 8}
MODELS = tuple(SHORT)


def precision(output: str, what: str) -> float:
    """The number in the line that begins with `what`."""
    match = re.search(rf"^{what} (\d\.\d{{4}})", output, re.MULTILINE)
    assert match is not None, output
    return float(match.group(1))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_short_run_finds_most_digits(model: str, tmp_path: Path) -> None:
    """A mean average precision of 0.6; `examples/digit_detectors.py` runs the whole recipes."""
    epochs = SHORT[model]
    result = run("train", model, "--epochs", str(epochs), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = [line.split()[0] for line in result.stdout.splitlines() if f"/{epochs} " in line]
    assert rows == [f"{epoch}/{epochs}" for epoch in range(1, epochs + 1)]
    kinds = re.findall(r"^  (\w+) +(\d+\.\d\d)%$", result.stdout, re.MULTILINE)
    assert [name for name, _ in kinds] == ["correct", "localisation", "similar", "other", "background"]
    assert sum(float(share) for _, share in kinds) == pytest.approx(100, abs=0.05)
    assert precision(result.stdout, "held-out mAP@0.5") >= 0.6
    if model == "mask_rcnn_digits":
        assert precision(result.stdout, "held-out mask mAP@0.5") >= 0.6


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
