"""A measured row: its columns, and the refusal of wrong values and of impossible speed."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from benchmarks import kernel_benchmark
from benchmarks.arguments import ArraySpec
from benchmarks.cases import Case
from benchmarks.checks import RefusedError
from benchmarks.machine import SIZES, Peak
from benchmarks.measuring import Effort
from benchmarks.shapes import Layer
from kernels import registry
from kernels.conv2d import conv2d_forward
from kernels.window import Window

ONCE = Effort(seconds=0.0, fewest=1, most=1)
FAST = Peak(1, 1e15, dict.fromkeys(SIZES, 1e15), dict.fromkeys(SIZES, 1e15))
LAYER = Layer(
    "net",
    "inference",
    "conv",
    "conv2d_forward",
    (ArraySpec((1, 3, 6, 5)), ArraySpec((4, 3, 3, 3)), None, Window.of(3, 1, 1), 1),
)
CASE = Case(LAYER, "conv2d_forward", 2)


def test_a_row_has_every_column() -> None:
    row = kernel_benchmark.measure(CASE, "reference", FAST, ONCE)
    assert row["direct_operations"] == 2 * 2 * 4 * 6 * 5 * 27
    assert row["bytes"] == 4 * (2 * 3 * 30 + 4 * 27 + 2 * 4 * 30)
    assert row["version"] == "reference im2col"
    ours = row["contenders"]["minidnn"]
    assert ours["flops"] == pytest.approx(row["direct_operations"] / ours["median"])
    assert ours["p20"] <= ours["median"] <= ours["p80"]
    assert max(ours["error_before"], ours["error_after"]) <= row["bound"]
    assert ours["ratios"]["minidnn"] == 1
    assert 0 < ours["roofline"] < 1


def test_the_ladder_is_raced_whole_where_it_is_asked_for() -> None:
    row = kernel_benchmark.measure(CASE, "reference", FAST, ONCE, every_version=True)
    assert "minidnn reference loops" in row["contenders"]


def test_speed_above_the_peak_fails_the_row() -> None:
    slow = Peak(1, 1.0, FAST.bandwidth, FAST.copy)
    with pytest.raises(RefusedError, match="minidnn reports .* GFLOP/s, the machine's measured peak is 0.0"):
        kernel_benchmark.measure(CASE, "reference", slow, ONCE)
    narrow = Peak(1, 1e15, dict.fromkeys(SIZES, 1.0), FAST.copy)
    with pytest.raises(RefusedError, match="minidnn reports .* GB/s"):
        kernel_benchmark.measure(CASE, "reference", narrow, ONCE)


def test_a_version_that_is_wrong_fails_the_row() -> None:
    @kernels.implements(conv2d_forward, "crooked", "wrong in one corner", backend="reference")
    def crooked(x, weight, bias, window, groups):
        with kernels.use(conv2d_forward="im2col"):
            y = conv2d_forward(x, weight, bias, window, groups)
        y[0, 0, 0, 0] *= 1 + (y.dtype == np.float32) * 1e-2
        return y

    try:
        with pytest.raises(RefusedError, match="minidnn is wrong before timing: relative error"):
            kernel_benchmark.measure(CASE, "reference", FAST, ONCE)
    finally:
        registry.withdraw("conv2d_forward", "reference", "crooked")


def test_a_version_that_goes_wrong_while_it_is_timed_fails_the_row() -> None:
    calls = []

    @kernels.implements(conv2d_forward, "tired", "wrong after a while", backend="reference")
    def tired(x, weight, bias, window, groups):
        with kernels.use(conv2d_forward="im2col"):
            y = conv2d_forward(x, weight, bias, window, groups)
        calls.append(x.dtype)
        return y * (2 if calls.count(np.float32) > 2 else 1)

    try:
        with pytest.raises(RefusedError, match="minidnn is wrong after timing"):
            kernel_benchmark.measure(CASE, "reference", FAST, ONCE)
    finally:
        registry.withdraw("conv2d_forward", "reference", "tired")


@pytest.mark.slow
def test_a_convolution_is_also_raced_on_a_prepared_weight() -> None:
    row = kernel_benchmark.measure(CASE, "cpu", FAST, ONCE, every_version=True)
    rungs = {name for name in row["contenders"] if name.startswith("minidnn cpu ")}
    assert "minidnn prepared" in row["contenders"]
    assert {f"minidnn cpu {name} prepared" for name in ("loops", "im2col")} <= rungs
    assert "minidnn reference loops" not in row["contenders"]
