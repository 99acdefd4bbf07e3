"""The peak: what a call is held to, and that the measurement gives numbers that make sense."""

from __future__ import annotations

import json

import pytest

import kernels
from benchmarks import machine
from benchmarks.machine import Peak

PEAK = Peak(2, 100.0, {16: 40.0, 64: 20.0, 256: 10.0}, {16: 30.0, 64: 20.0, 256: 10.0})


@pytest.mark.parametrize(("size", "rate"), [(8, 40.0), (16, 40.0), (63, 40.0), (64, 20.0), (1000, 10.0)])
def test_a_working_set_is_held_to_the_largest_size_that_it_holds(size: int, rate: float) -> None:
    assert PEAK.bandwidth_at(size) == rate


def test_the_roofline_is_the_slower_of_arithmetic_and_memory() -> None:
    assert PEAK.seconds(1000.0, 16) == 10.0
    assert PEAK.seconds(10.0, 256) == 25.6


def test_a_peak_survives_a_file_and_keeps_the_best() -> None:
    again = Peak.from_json(json.loads(json.dumps(PEAK.to_json())))
    assert again == PEAK
    other = Peak(2, 90.0, {16: 50.0, 64: 15.0, 256: 10.0}, {16: 10.0, 64: 25.0, 256: 10.0})
    best = PEAK.best_with(other)
    assert (best.flops, best.bandwidth) == (100.0, {16: 50.0, 64: 20.0, 256: 10.0})
    assert best.copy == {16: 30.0, 64: 25.0, 256: 10.0}


def test_smaller_working_sets_are_never_slower() -> None:
    assert machine._falling({4: 1.0, 8: 3.0, 16: 2.0}) == {4: 3.0, 8: 3.0, 16: 2.0}


@pytest.mark.slow
def test_the_measured_peak_is_plausible() -> None:
    """More than a scalar unit does, less than any core has; memory slower than the cache."""
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    try:
        peak = machine.measure_peak()
    finally:
        kernels.set_num_threads(before)
    assert 4e9 < peak.flops < 1e12
    assert 5e8 < peak.bandwidth[max(peak.bandwidth)] <= peak.bandwidth[min(peak.bandwidth)] < 2e12


def test_results_say_what_they_were_measured_on() -> None:
    described = machine.describe()
    assert described["cpu"]
    assert "numpy" in described["packages"]
    assert "/" not in machine.slug(2)
    assert machine.slug(2).endswith("2-threads")
