"""`minidnn explain` and `minidnn cost` in the terminal."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from minidnn.explanation import CATALOGUE, NOTES, names
from models import command_line
from tests.minidnn.explanation.equations import evaluated


def run(*arguments: str, width: int = 80) -> Result:
    return CliRunner().invoke(command_line.app, list(arguments), env={"COLUMNS": str(width)})


def output(*arguments: str, width: int = 80) -> str:
    result = run(*arguments, width=width)
    assert result.exit_code == 0, result.exception
    return result.output


def test_the_list_names_every_layer_and_note() -> None:
    lines = {line.split()[0] for line in output("explain").splitlines() if line.strip()}
    assert {*CATALOGUE, *names(), *NOTES} <= lines


def test_an_explanation_in_the_terminal() -> None:
    text = output("explain", "conv2d", "--kernel-size", "3", "--padding", "1", "--size", "4x5", "--seed", "7")
    lines = text.splitlines()
    assert lines[0] == "conv2d: every output is a filter's sum of products with the window under it"
    words = " ".join(text.split())
    assert "--kernel-size 3 --stride 1 --padding 1 --dilation 1" in words
    assert "--size 4x5 --seed 7" in words
    headings = [line for line in lines if re.match(r"\d+\. ", line)]
    assert [heading.split(".")[0] for heading in headings] == [str(i) for i in range(1, len(headings) + 1)]
    assert any("columns" in heading for heading in headings)
    assert "grad_x[0," in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "batch_norm", "softmax", "roi_align", "bottleneck"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = output("explain", name, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line != line.rstrip() for line in lines)


def test_marks_are_seen_without_colours() -> None:
    text = output("explain", "max_pool2d", "--kernel-size", "3", "--stride", "1")
    assert text.count("[") > 9
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["avg_pool2d", "sigmoid", "separable", "linear"])
def test_printed_equations_are_true(name: str) -> None:
    """What stands between the signs, as it is printed."""
    checked = 0
    for line in output("explain", name, width=400).splitlines():
        *_, numbers, value = ("", "", *line.strip().split(" = "))
        if re.fullmatch(r"-?[\d.,]+", value) and re.fullmatch(r"(exp|[-\d.()+·/ ])+", numbers):
            assert evaluated(numbers) == pytest.approx(float(value.replace(",", "")), abs=2e-3), line
            checked += 1
    assert checked >= 4


def test_arguments_of_all_kinds() -> None:
    text = output("explain", "conv2d", "--no-bias", "--kernel-size=2x3", "--stride", "2,1", "--padding", "0")
    assert "--kernel-size 2x3 --stride 2x1" in text
    assert "--no-bias" in text
    assert "grad_b" not in text
    assert "evaluation" in output("explain", "BatchNorm2d", "--no-training", "--eps", "0.1")
    assert "mode nearest" in output("explain", "Upsample", "--mode", "nearest")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "conv"), "there is no explanation of 'conv'; did you mean conv2d or concat?"),
        (
            ("explain", "conv2d", "--kernelsize", "3"),
            "conv2d has no argument '--kernelsize'; did you mean --kernel-size or --size or --stride?",
        ),
        (("explain", "relu", "3"), "relu has no argument '3'; it has --seed"),
        (
            ("explain", "conv2d", "--kernel-size", "9"),
            "input height 3 with padding 0 + 0 is smaller than the window's extent 9 (kernel 9, dilation 1)",
        ),
        (
            ("explain", "conv2d", "--groups", "3"),
            "groups must divide in_channels, got groups=3 and in_channels=2",
        ),
        (("explain", "conv2d", "--size", "-3"), "size must be at least 1, got -3"),
        (
            ("explain", "conv2d", "--size", "big"),
            "--size must be an integer or one for each axis like 3 or 3x2, got 'big'",
        ),
        (("explain", "dropout", "--p", "half"), "--p must be a number like 0.5, got 'half'"),
        (("explain", "linear", "--in-features", "3.5"), "--in-features must be an integer like 3, got '3.5'"),
        (("explain", "conv2d", "--seed"), "--seed of conv2d needs a value, such as 3"),
        (
            ("explain", "conv2d", "--no-groups"),
            "conv2d has no argument '--no-groups'; did you mean --groups?",
        ),
        (("cost", "conv3d"), "there are no cost formulas of 'conv3d'; did you mean conv2d?"),
        (
            ("cost", "conv2d", "--groups", "5"),
            "groups must divide in_channels, got groups=5 and in_channels=64",
        ),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: tuple[str, ...], message: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, ValueError)
    assert message in str(error)
    assert "\n" not in str(error)


def cells(text: str) -> dict[str, list[str]]:
    """The table's rows by their first cell."""
    rows = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


BOTTLENECK = ("cost", "conv2d", "--in-channels", "192", "--out-channels", "32", "--kernel-size", "5")


def test_cost_of_a_layer() -> None:
    text = output(*BOTTLENECK, "--padding", "same", "--size", "28x28", "--no-bias")
    table = cells(text)
    assert table["output"] == ["1x32x28x28"]
    assert table["parameters"] == ["153,600"]
    assert table["mult-adds forward"] == ["120,422,400"]
    assert table["FLOPs backward"] == ["481,689,600"]
    assert table["bytes forward"] == [f"{4 * (192 * 784 + 32 * 784 + 153_600):,}"]
    assert "= 1·32·28·28·192·5·5" in text


def test_two_settings_side_by_side() -> None:
    settings = (*BOTTLENECK, "--padding", "same", "--size", "28", "--no-bias")
    table = cells(output(*settings, "--compare", "separable_conv2d"))
    assert table["mult-adds forward"][:2] == ["120,422,400", f"{784 * (192 * 25 + 192 * 32):,}"]
    assert table["parameters"][2] == f"{(192 * 25 + 192 * 32) / 153_600:.3f}"
    table = cells(output(*settings, "--compare", "--kernel-size 1 --bias"))
    assert table["parameters"][:2] == ["153,600", f"{192 * 32 + 32:,}"]
    assert table["input"][2] == ""


def test_cost_lines_fit() -> None:
    lines = output("cost", "linear", "--compare", "linear --out-features 10").splitlines()
    assert max(map(len, lines)) <= 80
