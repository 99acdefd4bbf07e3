"""Layers against networks: sums are weighted, what is missing is said, and the margin decides."""

from __future__ import annotations

import math

import pytest

from benchmarks.figures import Results
from benchmarks.layer_sums import HEAD, Parts, cells, layer_sums, operation_sums
from tests.benchmarks import rows

CASES = rows.inference_cases("resnet18")
CALLS = sum(case.layer.multiplicity for case in CASES)
ADDITIONS = 8  # one per residual block


def results_of(folder, cases, parts=None) -> Results:
    """Every call takes a millisecond of ours and two of PyTorch's."""
    network = rows.network_row("resnet18", 1.25e-3 * CALLS, 4e-3 * CALLS)
    if parts is not None:
        network["in_place"] = parts
    rows.write(folder, "kernels", {case.key: rows.kernel_row(case, 1e-3, 2e-3) for case in cases})
    rows.write(folder, "networks", {"resnet18 batch 1": network})
    return Results.read(folder)


def in_place(operation: str, calls: int) -> dict:
    seconds = {"whole": 2.0, "kernels": 1.5, "engine": 0.4}
    return {**seconds, "operations": {operation: {"calls": calls, "seconds": 3e-3 * calls}}}


def test_layers_are_weighted_by_how_often_they_run(tmp_path) -> None:
    ours, theirs = layer_sums(results_of(tmp_path, CASES))
    assert (ours.layers, ours.missing) == (pytest.approx(1e-3 * CALLS), 0)
    assert (theirs.layers, theirs.whole) == (pytest.approx(2e-3 * CALLS), 4e-3 * CALLS)
    assert ours.parts is None
    assert dict(zip(HEAD, cells(ours), strict=True))["by themselves"] == "-20%"


def test_a_sum_says_how_many_calls_it_lacks(tmp_path) -> None:
    ours, _ = layer_sums(results_of(tmp_path, CASES[1:]))
    assert ours.missing == CASES[0].layer.multiplicity
    assert f"({ours.missing} calls not measured)" in cells(ours)[2]


@pytest.mark.parametrize(
    ("whole", "difference", "add_up"), [(2.0, -0.05, True), (1.6, 0.1875, False), (2.3, -0.174, False)]
)
def test_parts_add_up_within_the_margin(whole: float, difference: float, add_up: bool) -> None:
    parts = Parts(kernels=1.5, engine=0.4, whole=whole)
    assert parts.difference == pytest.approx(difference, abs=1e-3)
    assert parts.add_up == add_up


def test_in_place_stands_beside_by_themselves(tmp_path) -> None:
    results = results_of(tmp_path, CASES, in_place("add", ADDITIONS))
    ours, theirs = layer_sums(results)
    assert ours.parts == Parts(kernels=1.5, engine=0.4, whole=2.0)
    assert theirs.parts is None
    row = dict(zip(HEAD, cells(ours), strict=True))
    assert (row["layers in place, ms"], row["engine, ms"]) == ("1500.00", "400.00")
    assert (row["network, ms"], row["in place + engine"]) == ("2000.00", "-5%")
    (add,) = operation_sums(results)
    assert (add.operation, add.calls) == ("add", ADDITIONS)
    assert (add.alone, add.in_place) == (pytest.approx(1e-3 * ADDITIONS), pytest.approx(3e-3 * ADDITIONS))


def test_an_operation_that_was_not_measured_by_itself_has_no_sum(tmp_path) -> None:
    without = [case for case in CASES if case.operation != "add"]
    (add,) = operation_sums(results_of(tmp_path, without, in_place("add", ADDITIONS)))
    assert math.isnan(add.alone)


def test_no_sums_without_kernels(tmp_path) -> None:
    rows.write(tmp_path, "networks", {"resnet18 batch 1": rows.network_row("resnet18", 1.0, 2.0)})
    assert layer_sums(Results.read(tmp_path)) == []
