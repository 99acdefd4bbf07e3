"""`minidnn gradcheck`: the table, the verdicts, the exit status."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from kernels.cuda import emulator
from minidnn import device, layer_checks
from minidnn.autograd import Function
from minidnn.check_row import normal, operation
from minidnn.tensor import Tensor, apply
from models import command_line


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line.app, ["gradcheck", *arguments])


class Forgetful(Function):
    """y = x^2 without the factor 2 in its gradient."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return x * x

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        return grad_output * self.x


def forgetful(x: Tensor) -> Tensor:
    return apply(Forgetful(), x)


def fail(x: Tensor) -> Tensor:
    raise RuntimeError(f"cannot [take] {x.shape}")


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a wrong layer, one that cannot run, and a right one."""
    rows = (
        operation("forgetful", "4x3", forgetful, normal(4, 3)),
        operation("failing", "[2]", fail, normal(2)),
        operation("double", "4x3", lambda x: x + x, normal(4, 3)),
    )
    monkeypatch.setattr(layer_checks, "GROUPS", {"planted": rows})
    monkeypatch.setattr(layer_checks, "CHECKS", rows)


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_right_layers(mode: str) -> None:
    result = run("linear", "GlobalAvgPool2d", "--mode", mode)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "worst relative error" in lines[1]
    rows = [line for line in lines if "│" in line]
    assert all("right" in line for line in rows)
    assert any("Linear" in line and "no bias" in line for line in rows)
    assert lines[-1].startswith(f"{len(rows)} checks of 3 layers in ")
    assert ": all right, worst relative error " in lines[-1]


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_a_wrong_layer_is_told_with_input_index_and_values(planted: None, mode: str) -> None:
    result = run("--mode", mode)
    assert result.exit_code == 1
    assert "3 checks of 3 layers" in result.output
    assert ": 2 wrong, worst relative error" in result.output
    message = next(line for line in result.output.splitlines() if line.startswith("forgetful, 4x3: "))
    assert "the gradient of input 0 (x) is wrong at index [" in message
    assert "of shape (4, 3): backward gives " in message
    assert "failing, [2]: RuntimeError: cannot [take] (2,)" in result.output
    row = next(line for line in result.output.splitlines() if "│ failing" in line)
    assert "[2]" in row
    assert "WRONG" in row


def test_only_the_asked_layers_decide(planted: None) -> None:
    assert run("double").exit_code == 0
    assert run("double", "forgetful").exit_code == 1


def test_complex_steps_say_where_they_were_not_possible() -> None:
    result = run("linear", "max_pool2d", "--method", "complex")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if "│" in line]
    for line in rows:
        assert ("(not analytic: central differences" in line) == ("pool" in line.lower())


def test_a_kink_is_mentioned() -> None:
    result = run("max_pool2d")
    assert (
        next(line for line in result.output.splitlines() if "ties" in line).count("right (beside a kink)")
        == 1
    )


def test_the_seed_decides() -> None:
    def errors(*arguments: str) -> list[str]:
        output = run("linear", *arguments).output.splitlines()
        return [line for line in output if "│" in line]

    assert errors("--seed", "5") == errors("--seed", "5")
    assert errors("--seed", "5") != errors("--seed", "6")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("maxpool3d",), "minidnn: unknown layer 'maxpool3d'; did you mean MaxPool2d"),
        (("--mode", "slow"), "minidnn: --mode must be one of full, fast, got 'slow'"),
        (("--method", "forward"), "minidnn: --method must be one of central, complex, got 'forward'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("sys.argv", ["minidnn", "gradcheck", *arguments])
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1


def test_a_terminal_sees_progress() -> None:
    from models.command_line.gradcheck import _run

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    outcomes = _run(layer_checks.select(["flatten"]), "fast", "central", 0, device("cpu"), console)
    assert [outcome.message for outcome in outcomes] == [""] * len(outcomes)
    assert f"{len(outcomes)}/{len(outcomes)}" in screen.getvalue()
    assert "Flatten, axes 1 to 2" in screen.getvalue()


def test_on_the_emulator() -> None:
    try:
        device("emulator")
    except ValueError as missing:
        pytest.skip(str(missing))
    with emulator.use_mode("undefined"):  # compiled for the kernels' own tests too
        result = run("leaky_relu", "--mode", "fast", "--device", "emulator")
    assert result.exit_code == 0, result.output
    assert "all right" in result.output


def test_complex_steps_are_for_the_host() -> None:
    result = run("linear", "--method", "complex", "--device", "emulator")
    assert (
        str(result.exception) == "--method must be central on emulator, whose kernels know no complex numbers"
    )
