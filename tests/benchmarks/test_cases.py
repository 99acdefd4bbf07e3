"""The calls that are measured: all directions of all shapes, with values on which everyone agrees."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks import cases, checks, cost
from benchmarks.arguments import ArraySpec
from benchmarks.shapes import Layer
from kernels.window import Window

HAS_TORCH = importlib.util.find_spec("torch") is not None


def small(layer: Layer) -> Layer:
    """The same call on little: what is checked is that everyone means the same, not how fast."""

    def shrink(argument):
        if isinstance(argument, tuple) and argument and isinstance(argument[0], ArraySpec):
            return tuple(shrink(item) for item in argument)
        if isinstance(argument, ArraySpec) and len(argument.shape) == 4 and argument.shape[2] > 16:
            return ArraySpec((*argument.shape[:2], 15, 16), argument.dtype)
        return argument

    if layer.operation.startswith("roi"):
        count = ArraySpec((5, 5))
        return Layer("", "", "", layer.operation, (ArraySpec((1, 3, 38, 50)), count, *layer.arguments[2:]))
    return Layer("", "", "", layer.operation, tuple(shrink(argument) for argument in layer.arguments))


def one_of_each() -> list[cases.Case]:
    """Of every direction the first small case."""
    found: dict[str, cases.Case] = {}
    for case in sorted(cases.select(None, None, (2,)), key=cases.size):
        found.setdefault(case.operation, cases.Case(small(case.layer), case.operation, case.batch))
    return list(found.values())


@pytest.mark.parametrize("case", one_of_each(), ids=lambda case: case.operation)
def test_our_default_is_within_the_bound_of_the_float64_reference(case: cases.Case) -> None:
    arguments = case.draw(0)
    bound = checks.rounding_bound(cost.reduction_length(case.operation, arguments))
    assert checks.error(cases.outputs(case.operation, arguments), case.truth(arguments)) <= bound


@pytest.mark.reference
@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
@pytest.mark.parametrize("case", one_of_each(), ids=lambda case: case.operation)
def test_every_peer_computes_the_same(case: cases.Case) -> None:
    from benchmarks.peers import peers, without_graph

    arguments = case.draw(0)
    bound = checks.rounding_bound(cost.reduction_length(case.operation, arguments))
    truth = case.truth(arguments)
    with without_graph():
        found = peers(case.operation, arguments)
        if case.operation.startswith("roi") and not found:
            pytest.skip("torchvision's operators need more than torch")
        assert found, "no peer"
        for peer in found:
            got = peer.outputs()
            if peer.comparable:
                assert checks.error(got, truth[: len(got)]) <= bound, peer.name


@pytest.mark.reference
@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
def test_peers_take_asymmetric_padding_and_groups() -> None:
    from benchmarks.peers import peers, without_graph

    window = Window.of((3, 2), (2, 1), ((0, 1), (2, 0)))
    arrays = ArraySpec((2, 4, 9, 7)), ArraySpec((6, 2, 3, 2)), ArraySpec((6,))
    layer = Layer("", "", "", "conv2d_forward", (*arrays, window, 2))
    for operation in cases.directions("conv2d_forward"):
        case = cases.Case(layer, operation, 2)
        arguments = case.draw(1)
        with without_graph():
            for peer in peers(operation, arguments):
                assert checks.error(peer.outputs(), case.truth(arguments)) <= 1e-5, (operation, peer.name)


def test_a_case_draws_the_same_numbers_for_the_same_seed() -> None:
    case = next(case for case in one_of_each() if case.operation == "conv2d_forward")
    first, again, other = (case.draw(seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_calls_that_write_leave_the_drawn_arguments_alone() -> None:
    case = next(case for case in one_of_each() if case.operation == "batch_norm_forward_training")
    arguments = case.draw(0)
    before = arguments[3].copy()
    written = cases.outputs(case.operation, arguments)[-2]
    assert np.array_equal(arguments[3], before)
    assert not np.array_equal(written, before)


def test_selection_by_folder_contract_network_and_batch() -> None:
    both = cases.select("conv2d", "resnet18", (1, 8))
    assert {case.operation for case in both} == set(cases.directions("conv2d_forward"))
    assert {case.batch for case in both} == {1, 8}
    assert {case.layer.network for case in both} == {"resnet18"}
    one = cases.select("conv2d_backward_input", "resnet18", (1,))
    assert {case.operation for case in one} == {"conv2d_backward_input"}
    assert len(one) * 6 == len(both)


def test_equal_calls_of_two_networks_are_one_case() -> None:
    keys = [case.key for case in cases.select(None, None, (1,))]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("operation", "network", "message"),
    [
        ("conv9d", None, "operation 'conv9d' has no cases; there are: activation, .*"),
        (None, "resnet1", "network 'resnet1' is not in the table of shapes; it has: alexnet"),
    ],
)
def test_unknown_names_are_refused(operation, network, message) -> None:
    with pytest.raises(ValueError, match=message):
        cases.select(operation, network, (1,))
