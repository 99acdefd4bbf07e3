"""`minidnn summary` and `minidnn models`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

import models
from models import command_line
from models.verification import verifications


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line.app, list(arguments))


def cells(result: Result) -> dict[str, list[str]]:
    """The table's rows by their first cell."""
    rows = [line.strip("│").split("│") for line in result.output.splitlines() if line.startswith("│")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_summary_of_lenet() -> None:
    result = run("summary", "lenet5")
    assert result.exit_code == 0, result.output
    table = cells(result)
    assert table["c1"] == ["Conv2d", "6x28x28", "156", "117.6 k", "18.4 KiB"]
    assert table["f6"] == ["Linear", "84", "10,164", "10.08 k", "336 B"]
    assert "lenet5, input 1x32x32: 61,706 parameters, 416.5 k mult-adds, " in result.output
    assert "published: 60 k parameters; ours differ: C3 sees all maps of S2" in result.output
    assert "published, not reproduced: 0.95 % errors on MNIST" in result.output


def test_blocks_fold() -> None:
    table = cells(run("summary", "resnet20", "--depth", "1"))
    assert "layer1 +" in table
    assert not any(name.startswith("layer1.") or name == "conv2" for name in table)
    open_table = cells(run("summary", "resnet20"))
    assert "conv2" in open_table
    assert open_table["layer1"] == table["layer1 +"]


def test_another_image() -> None:
    result = run("summary", "resnet20", "--input", "1x48x32", "--depth", "1")
    assert "resnet20, input 1x48x32: 269,434 parameters, " in result.output
    assert "published: " not in result.output


def test_an_image_that_is_too_small_is_told() -> None:
    error = run("summary", "lenet5", "--input", "1x28x28").exception
    assert isinstance(error, ValueError)
    assert str(error).startswith("lenet5 does not take images of 1x28x28: ")


def test_accuracies_of_all_widths_and_resolutions_are_listed_as_published() -> None:
    output = run("summary", "mobilenet_v1", "--depth", "1").output
    (line,) = [line for line in output.splitlines() if line.startswith("published, not reproduced: ")]
    for accuracy in (
        "70.6 % (1.0 wide, 224x224)",
        "50.6 % (0.25 wide, 224x224)",
        "64.4 % (1.0 wide, 128x128)",
    ):
        assert accuracy in line


def test_heads_are_told_apart() -> None:
    result = run("summary", "inceptionnet_with_heads", "--depth", "1")
    assert "10,334,030 parameters (5,983,802 without the heads that only training uses)" in result.output


@pytest.mark.parametrize("text", ["224", "3x224", "3x0x224", "axbxc", "3x224x224x1"])
def test_refuses_other_forms_of_input(text: str) -> None:
    result = run("summary", "lenet5", "--input", text)
    assert isinstance(result.exception, ValueError)
    assert str(result.exception) == (
        f"--input must be channels, height and width like 3x224x224, got {text!r}"
    )


def test_models_lists_the_set() -> None:
    result = run("models")
    assert result.exit_code == 0, result.output
    table = cells(result)
    row = verifications()["lenet5"]
    assert table["lenet5"] == [
        "1998",
        "LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86",
        "1x32x32",
        "61,706",
        "416.5 k",
        row.reference,
        f"{row.worst_error:.1e}",
    ]
    assert [name for name in table if name] == [*models.names(), *models.names("detection")]
    assert table["yolo_v1"][0] == "3x448x448"
    assert "nothing yet" not in result.output


def test_models_with_a_part_of_the_name() -> None:
    assert [name for name in cells(run("models", "lenet_")) if name] == [
        name for name in models.names() if "lenet_" in name
    ]
    result = run("models", "nosuchmodel")
    assert str(result.exception) == "no model has 'nosuchmodel' in its name"
