"""The table of choices: what it reads, how it tries numbers, and that the numbers in force are the best."""

from __future__ import annotations

import csv
import re

import pytest

from benchmarks import choices
from benchmarks.cases import select
from benchmarks.choices import Choice, Number
from benchmarks.figures import Results
from benchmarks.results import FOLDER
from kernels.conv2d import cpu_winograd
from tests.benchmarks import rows

COLD = next(number for number in choices.NUMBERS if number.name == "FEWEST_COLD")
KEPT = sorted(path.parent for path in FOLDER.glob("*/kernels.json"))


def row(case, **seconds):
    """A row whose contenders are versions of ours; the first one is the default."""
    default, *others = seconds
    contenders = {"minidnn": rows.contender(seconds[default], f"cpu {default}")}
    for name in others:
        contenders[f"minidnn cpu {name}"] = rows.contender(seconds[name], f"cpu {name}")
    contenders["pytorch"] = rows.contender(1.0)
    return {**rows.kernel_row(case, 1.0, 1.0), "contenders": rows.with_ratios(contenders)}


def with_preparation(case, cold, **seconds):
    """A forward row: the cold default, the prepared default, and the prepared rungs."""
    default, *others = seconds
    contenders = {
        "minidnn": rows.contender(cold, f"cpu {default}"),
        "minidnn prepared": rows.contender(seconds[default], f"cpu {default}"),
        **{f"minidnn cpu {n} prepared": rows.contender(seconds[n], f"cpu {n}") for n in others},
    }
    return {**rows.kernel_row(case, 1.0, 1.0), "contenders": rows.with_ratios(contenders)}


@pytest.fixture
def cases():
    """Convolutions 3x3 of ResNet-18: forward, then the input's gradient."""
    found = [case for case in select("conv2d", "resnet18", (1,)) if "k3 pad 1, 1" in case.label]
    return {
        name: next(c for c in found if c.operation == name)
        for name in ("conv2d_forward", "conv2d_backward_input")
    }


def test_choices_are_of_prepared_weights_and_of_our_versions(cases, tmp_path):
    forward, backward = cases["conv2d_forward"], cases["conv2d_backward_input"]
    stored = {
        forward.key: with_preparation(forward, 9.0, winograd_4x4=2.0, fused_im2col=3.0),
        backward.key: row(backward, patches=4.0, winograd_4x4=1.0),
    }
    rows.write(tmp_path, "kernels", stored)
    first, second = choices.choices(Results.read(tmp_path))
    assert first.seconds == {"cpu winograd_4x4": 2.0, "cpu fused_im2col": 3.0}
    assert (first.default, first.fastest, first.slowdown(first.default)) == (*["cpu winograd_4x4"] * 2, 1.0)
    assert second.seconds == {"cpu patches": 4.0, "cpu winograd_4x4": 1.0}
    assert (second.default, second.slowdown(second.default)) == ("cpu patches", 4.0)
    assert second.slowdown("cpu loops") == float("inf")


def test_a_single_version_is_no_choice(cases, tmp_path):
    case = cases["conv2d_forward"]
    rows.write(tmp_path, "kernels", {case.key: with_preparation(case, 2.0, loops=1.0)})
    assert choices.choices(Results.read(tmp_path)) == []
    with pytest.raises(ValueError, match="run python -m benchmarks kernels"):
        choices.write(tmp_path)


def test_a_number_is_tried_and_put_back(cases):
    case = cases["conv2d_backward_input"]
    x, weight = case.layer.arguments_for(1)[:2]
    assert x.shape[2] == 56
    assert weight.shape[0] == 64
    choice = Choice(
        case.key, case.operation, "", {"cpu winograd_4x4": 1.0, "cpu winograd_2x2": 3.0}, "cpu winograd_4x4"
    )
    number = Number(COLD.module, COLD.name, COLD.operations, (1, 56 * 56, 56 * 56 + 1))
    before = cpu_winograd.FEWEST_COLD
    # 56 x 56 outputs: the larger tile divides them; it is refused only above that many.
    assert choices.trial(number, [choice]) == pytest.approx({1: 1.0, before: 1.0, 3136: 1.0, 3137: 3.0})
    assert before == cpu_winograd.FEWEST_COLD
    assert choices.trial(number, [Choice(case.key, "conv2d_forward", "", choice.seconds, "")]) == {}


def test_files(cases, tmp_path):
    case = cases["conv2d_backward_input"]
    rows.write(tmp_path, "kernels", {case.key: row(case, winograd_4x4=2e-3, patches=1e-3)})
    table, page = choices.write(tmp_path)
    (line,) = csv.DictReader(table.read_text().splitlines())
    assert line["default"] == "cpu winograd_4x4"
    assert line["fastest"] == "cpu patches"
    assert line["slowdown"] == "2.00"
    assert line["microseconds by version"] == "cpu winograd_4x4 2000; cpu patches 1000"
    text = page.read_text()
    assert "| conv2d_backward_input | 1 | 0 | 2.000 | 2.00 |" in text
    assert "cpu winograd_4x4 takes 2.00 times as long as cpu patches" in text


@pytest.mark.skipif(not KEPT, reason="no results of kernels are kept")
@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_the_numbers_in_force_are_the_measured_ones(folder):
    """No candidate for a number of the rules would be faster by more than what measurements differ by."""
    measured = choices.choices(Results.read(folder))
    for number in choices.NUMBERS:
        costs = choices.trial(number, measured)
        assert costs[number.current] <= (1 + choices.CLOSE) * min(costs.values()), number.name


@pytest.mark.skipif(not KEPT, reason="no results of kernels are kept")
@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_kept_pages_are_made_from_kept_results(folder):
    """The calls of the table are those of the results; the page counts the same ones."""
    measured = choices.choices(Results.read(folder))
    table = list(csv.DictReader((folder / choices.TABLE).read_text().splitlines()))
    assert [(line["operation"], line["arguments"]) for line in table] == [
        (c.operation, c.label) for c in measured
    ]
    counted = re.findall(r"^\| (\w+) \| (\d+) \|", (folder / choices.PAGE).read_text(), re.MULTILINE)
    assert sum(int(count) for _, count in counted) == len(measured)
