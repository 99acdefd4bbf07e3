"""`minidnn train lenet5` from its first line to its last: accuracy, data, checkpoints, Ctrl-C, SIGKILL."""

from __future__ import annotations

import csv
import gzip
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minidnn import load
from minidnn.data import digits
from tests.models.command_line.test_command_line import run
from tests.program import ENVIRONMENT

# All that a run may say on stderr, and only where nothing has been compiled before.
COMPILING = "minidnn: compiling kernels for this machine; later runs find them compiled\n"
COMMAND = [sys.executable, "-m", "models.command_line", "train", "lenet5"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 training and 50 test digits as MNIST-style files."""
    folder = tmp_path_factory.mktemp("small")
    for split, prefix, count in (("train", "train", 320), ("test", "t10k", 50)):
        dataset = digits(28, split)
        images = (dataset.inputs[:count, 0] * 255).astype(np.uint8)
        labels = dataset.targets[:count].astype(np.uint8)
        _write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        _write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder


def _write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))


def accuracy(output: str) -> float:
    """The number in the last line, which must have exactly its form."""
    assert output.endswith("\n")
    match = re.fullmatch(r"test accuracy (\d{1,3}\.\d\d)%", output.splitlines()[-1])
    assert match is not None, output
    return float(match.group(1))


def weights(path: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load(path)["model"].items()}


def assert_same_weights(one: Path, other: Path) -> None:
    got, want = weights(one), weights(other)
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert np.array_equal(got[name], value), name


def test_a_run_shows_its_epochs_its_confusions_and_its_accuracy(small: Path, tmp_path: Path) -> None:
    result = run("train", "lenet5", "--data", str(small), "--epochs", "2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr in ("", COMPILING)
    assert "lenet5, 61,706 parameters, on MNIST files: 320 images to train on, 50 held out" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if "/2 " in line] == ["1/2", "2/2"]
    assert "confusion matrix" in result.stdout
    assert accuracy(result.stdout) > 10
    assert (tmp_path / "checkpoints" / "lenet5.safetensors").exists()


def test_a_run_writes_a_table_and_curves(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    logs = ("--csv", "logs/run.csv", "--tensorboard", "curves")
    result = run("train", "lenet5", "--data", str(small), "--epochs", "2", *logs, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "logs" / "run.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["epoch"] for row in table] == ["1", "2"]
    assert f"{float(table[1]['test_accuracy']):.2%}" in result.stdout
    assert len(list((tmp_path / "curves").iterdir())) == 1


def test_a_finished_run_resumes_to_the_same_table(small: Path, tmp_path: Path) -> None:
    arguments = ("train", "lenet5", "--data", str(small), "--epochs", "1", "--resume")
    first, second = run(*arguments, cwd=tmp_path), run(*arguments, cwd=tmp_path)
    assert "there is no checkpoint checkpoints/lenet5.safetensors yet: starting" in first.stdout
    assert "going on from checkpoint checkpoints/lenet5.safetensors" in second.stdout
    assert first.stdout.splitlines()[2:] == second.stdout.splitlines()[2:]


def test_resuming_with_other_arguments_is_refused(small: Path, tmp_path: Path) -> None:
    common = ("train", "lenet5", "--data", str(small), "--epochs", "1")
    assert run(*common, cwd=tmp_path).returncode == 0
    changes: dict[str, tuple[str, ...]] = {
        "lr 0.004, but this run has lr 0.1": ("--lr", "0.1"),
        "seed 0, shuffling seed 0, but this run has seed 3, shuffling seed 3": ("--seed", "3"),
        "batch size 32, but this run has batch size 8": ("--batch-size", "8"),
        "activation tanh, but this run has activation relu": ("--activation", "relu"),
        "epochs 1, but this run has epochs 2": ("--epochs", "2"),
    }
    for message, change in changes.items():
        result = run(*common, *change, "--resume", cwd=tmp_path)
        assert result.returncode == 2
        assert f"lenet5.safetensors was made with {message}; resume with" in result.stderr
        assert result.stderr.count("\n") == 1
    other = run("train", "lenet5", "--epochs", "1", "--resume", cwd=tmp_path)
    assert "but this run has data built-in digits" in other.stderr


def test_damaged_checkpoints_are_told_in_one_line(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"not a checkpoint at all" * 9)
    result = run("train", "lenet5", "--data", str(small), "--checkpoint", str(path), "--resume")
    assert result.returncode == 2
    assert result.stderr.startswith(f"minidnn: {path} is truncated or not a safetensors file")
    assert result.stderr.count("\n") == 1
    assert path.read_bytes() == b"not a checkpoint at all" * 9


def begin(arguments: list[str], cwd: Path) -> subprocess.Popen[str]:
    """Start a run and wait until its table begins."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "train loss" in line:
            break
    return process


def test_ctrl_c_says_how_to_go_on(small: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(small), "--epochs", "3", "--checkpoint", "my run.safetensors"]
    process = begin(arguments, tmp_path)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert re.fullmatch(
        r"minidnn: stopped in epoch \d after batch \d+; go on with: minidnn train .*\n", errors
    )
    assert errors.endswith("--checkpoint 'my run.safetensors' --resume\n")
    resumed = run("train", "lenet5", *arguments, "--resume", cwd=tmp_path)
    whole = run("train", "lenet5", *arguments[:-1], "whole.safetensors", cwd=tmp_path)
    assert resumed.returncode == whole.returncode == 0
    assert_same_weights(tmp_path / "my run.safetensors", tmp_path / "whole.safetensors")
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


@pytest.mark.slow
def test_killed_runs_end_with_the_same_weights(tmp_path: Path) -> None:
    """On the built-in digits, with the program's own checkpoints: one per epoch."""
    arguments = ["--epochs", "6", "--seed", "2", "--pooling", "max"]
    whole = run("train", "lenet5", *arguments, "--checkpoint", "whole.safetensors", cwd=tmp_path)
    assert whole.returncode == 0
    moments = random.Random(4)
    for _ in range(6):
        process = begin([*arguments, "--checkpoint", "killed.safetensors", "--resume"], tmp_path)
        time.sleep(moments.uniform(0, 3))
        process.kill()
        process.communicate()
    last = run("train", "lenet5", *arguments, "--checkpoint", "killed.safetensors", "--resume", cwd=tmp_path)
    assert last.returncode == 0
    assert_same_weights(tmp_path / "killed.safetensors", tmp_path / "whole.safetensors")
    assert last.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "variant", [(), ("--activation", "relu", "--pooling", "max")], ids=["published", "relu-max"]
)
def test_lenet5_reads_the_digits(seed: int, variant: tuple[str, ...], tmp_path: Path) -> None:
    """At least 98% for every seed, for less than a minute of processor time, start-up included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run("train", "lenet5", "--seed", str(seed), *variant, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert accuracy(result.stdout) >= 98
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60


@pytest.mark.slow
def test_weights_do_not_depend_on_the_number_of_threads(small: Path, tmp_path: Path) -> None:
    for threads in ("1", "4"):
        environment = {**ENVIRONMENT}
        environment.update(
            dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        )
        path = str(tmp_path / f"{threads}.safetensors")
        subprocess.run(
            [*COMMAND, "--data", str(small), "--epochs", "1", "--checkpoint", path],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    assert_same_weights(tmp_path / "1.safetensors", tmp_path / "4.safetensors")


@pytest.mark.slow
def test_training_on_the_emulator_goes_as_on_the_host(tmp_path: Path) -> None:
    """Two steps: the losses are the host's. AdamW turns rounding into steps where a gradient is next to 0."""
    for split, prefix, count in (("train", "train", 64), ("test", "t10k", 20)):
        dataset = digits(28, split)
        images = (dataset.inputs[:count, 0] * 255).astype(np.uint8)
        _write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        _write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", dataset.targets[:count].astype(np.uint8))
    losses = []
    for device in ("cpu", "emulator"):
        options = ["--data", str(tmp_path), "--epochs", "1", "--checkpoint", str(tmp_path / device)]
        command = [*COMMAND, *options, "--device", device]
        result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert result.returncode == 0, result.stderr
        (epoch,) = load(tmp_path / device)["position"]["history"]
        losses.append((epoch["train_loss"], epoch["test_loss"]))
    assert np.allclose(losses[1], losses[0], rtol=1e-5)
