"""The program's frame: help, version, and a user's mistakes told in one line."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from models import command_line
from tests.program import ENVIRONMENT


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, 100 columns wide."""
    return subprocess.run(
        [sys.executable, "-m", "models.command_line", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


def test_help_names_every_subcommand() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "train" in result.stdout
    assert "Start with: minidnn train lenet5" in result.stdout
    assert run().stdout.strip() == result.stdout.strip()


def test_help_of_train_says_what_its_options_do() -> None:
    result = run("train", "--help")
    assert result.returncode == 0
    options = ("--data", "--epochs", "--batch-size", "--lr", "--seed", "--activation", "--pooling")
    for option in (*options, "--checkpoint", "--resume"):
        assert option in result.stdout


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, "minidnn 0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "lenet"), "minidnn: unknown model 'lenet'; did you mean lenet5 or alexnet or lenet_d2l?"),
        (
            ("train", "lenet5", "--activation", "gelu"),
            "minidnn: activation must be tanh or scaled_tanh or relu or sigmoid, got 'gelu'",
        ),
        (("train", "lenet5", "--data", "nowhere"), "minidnn: nowhere does not exist"),
        (("train", "lenet5", "--lr", "-1"), "minidnn: lr must be at least 0, got -1.0"),
        (("train", "lenet5", "--lr", "nan"), "minidnn: lr must be finite, got nan"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: tuple[str, ...], message: str, tmp_path: Any) -> None:
    result = run(*arguments, "--checkpoint", str(tmp_path / "c.safetensors"))
    assert result.returncode == 2
    assert result.stderr == f"{message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("trian",), ("train",), ("train", "lenet5", "--epochs", "0"), ("train", "lenet5", "--lr", "fast")],
)
def test_usage_errors_have_status_2_and_no_traceback(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("a sentence\nthat goes on"), 2, "minidnn: a sentence that goes on"),
        (TypeError(), 2, "minidnn: TypeError"),
        (
            FileNotFoundError(2, "No such file or directory", "x.npz"),
            2,
            "minidnn: x.npz: No such file or directory",
        ),
        (ImportError("image files need Pillow"), 2, "minidnn: image files need Pillow"),
        (MemoryError("Unable to allocate 112 GiB"), 2, "minidnn: Unable to allocate 112 GiB"),
        (KeyboardInterrupt(), 130, "minidnn: interrupted"),
    ],
)
def test_main_turns_errors_into_a_line_and_a_status(
    error: BaseException, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fail(prog_name: str) -> None:
        raise error

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == status
    assert capsys.readouterr().err == f"{line}\n"
