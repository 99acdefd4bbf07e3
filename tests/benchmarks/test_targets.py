"""The aims: figures from rows made by hand, reached or missed."""

from __future__ import annotations

import math

import pytest

from benchmarks import targets
from benchmarks.cases import Case, select
from benchmarks.figures import Figure, Results, geometric_mean, summed
from benchmarks.targets import EACH, MEAN, Target, evaluate
from tests.benchmarks import rows


def results_of(folder, **benchmarks) -> Results:
    for benchmark, content in benchmarks.items():
        rows.write(folder, benchmark, content)
    return Results.read(folder)


def test_the_geometric_mean() -> None:
    assert geometric_mean([Figure("a", 2.0), Figure("b", 8.0)]) == pytest.approx(4.0)
    assert math.isnan(geometric_mean([]))


@pytest.mark.parametrize(
    ("figure", "aim", "at_most", "value", "reached", "worst"),
    [
        (EACH, 0.9, False, 0.5, False, ["a"]),
        (MEAN, 1.9, False, 2.0, True, ["a"]),
        (MEAN, 2.1, False, 2.0, False, ["a"]),
        (EACH, 10.0, True, 8.0, True, []),
        (EACH, 6.0, True, 8.0, False, ["b"]),
    ],
)
def test_an_aim_is_held_to_its_figure(figure, aim, at_most, value, reached, worst) -> None:
    figures = [Figure("b", 8.0), Figure("a", 0.5)]
    outcome = evaluate(Target("x", figure, aim, lambda results: figures, at_most), Results())
    assert outcome.value == pytest.approx(value)
    assert outcome.reached is reached
    assert [f.label for f in outcome.worst] == worst


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert all(outcome.reached is None for outcome in targets.outcomes(Results()))


def test_the_table_has_every_aim_of_the_kernels_with_its_number() -> None:
    """The numbers as they were set, so that none is moved by accident."""
    table = {(target.what.partition(",")[0], target.figure, target.aim) for target in targets.TARGETS}
    assert table >= {
        ("conv2d forward", EACH, 0.9),
        ("conv2d forward", MEAN, 1.3),
        ("conv2d 1x1 forward", MEAN, 1.15),
        ("conv2d backward", EACH, 0.8),
        ("linear forward", MEAN, 1.3),
        ("depthwise forward", MEAN, 3.0),
        ("networks at inference", EACH, 1.0),
        ("networks", MEAN, 1.8),
        ("training step", EACH, 0.95),
        ("convolution scratch", EACH, 16.0),
    }


def test_both_gradients_count_together(tmp_path) -> None:
    cases = [case for case in select("conv2d", "resnet18", (1,)) if "backward" in case.operation]
    seconds = {"conv2d_backward_input": (1.0, 3.0), "conv2d_backward_weight": (3.0, 1.0)}
    content = {case.key: rows.kernel_row(case, *seconds[case.operation]) for case in cases}
    lonely = next(iter(content))
    del content[lonely]
    figures = summed(results_of(tmp_path, kernels=content), *seconds)
    assert [figure.value for figure in figures] == [1.0] * (len(cases) // 2 - 1)


def test_scratch_is_what_is_taken_beyond_the_result(tmp_path) -> None:
    case: Case = select("conv2d_forward", "resnet18", (1,))[0]  # 64 x 112 x 112 out: 3.0625 MiB
    row = rows.kernel_row(case, 1.0, 1.0)
    row["contenders"]["minidnn"]["peak_bytes"] = 20 * 2**20
    (target,) = [target for target in targets.TARGETS if target.what == "convolution scratch"]
    outcome = evaluate(target, results_of(tmp_path, kernels={case.key: row}))
    assert outcome.value == pytest.approx(20 - 3.0625)
    assert outcome.reached is False


def test_the_weight_that_the_gradient_of_the_input_prepares_is_no_scratch(tmp_path) -> None:
    cases = select("conv2d_backward_input", "vgg16", (1,))
    (case,) = [c for c in cases if c.layer.arguments[0].shape == (1, 512, 14, 14)]
    row = rows.kernel_row(case, 1.0, 1.0)
    # The result has 512 x 14 x 14 x 4 bytes; of 512 x 512 filters of 3 x 3, F(4 x 4, 3 x 3) makes 6 x 6.
    row["contenders"]["minidnn"] |= {"version": "cpu winograd_4x4", "peak_bytes": 40 * 2**20}
    (target,) = [target for target in targets.TARGETS if target.what == "convolution scratch"]
    outcome = evaluate(target, results_of(tmp_path, kernels={case.key: row}))
    assert outcome.value == pytest.approx(40 - 0.3828125 - 36)
    assert outcome.reached is True
