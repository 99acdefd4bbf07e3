"""Gradient norms along the depth: those of the arrays; the stored comparisons, and how they are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn.data import DigitScenes
from minidnn.data.resize import resize
from minidnn.functional import cross_entropy
from minidnn.tracing import Trace
from models.explorer.flow import comparisons, flow, measure


def test_norms_are_those_of_the_arrays(lenet_trace: Trace) -> None:
    outputs, weights = flow(lenet_trace)
    found = {name: value for _, value, name in weights["points"]}
    for record in lenet_trace.operations:
        assert record.arrays is not None
        if record.module in ("c1", "f6"):
            gradient = record.arrays.input_gradients[1]
            assert gradient is not None
            assert found[record.module] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert len(found) == 5
    places = [place for place, _, _ in outputs["points"]]
    assert places == sorted(places)
    assert 0 <= min(places) <= max(places) <= 1


def test_comparisons_are_stored() -> None:
    found = {one["title"]: [curve["name"] for curve in one["curves"]] for one in comparisons()}
    assert found == {
        "Plain against residual": ["plain56", "resnet56"],
        "With and without auxiliary heads": ["with heads", "without heads"],
    }
    for one in comparisons():
        for curve in one["curves"]:
            assert all(value > 0 for _, value, _ in curve["points"])
            assert not any("bn" in stage for _, _, stage in curve["points"])


def test_a_stages_gradient_is_that_of_its_weights() -> None:
    (only,) = measure(("plain20",), heads=False)
    (curve,) = only["curves"]
    minidnn.manual_seed(0)
    network = models.create("plain20").train()
    scenes = DigitScenes("train")
    images = np.stack([resize(scenes[index][0], 32) for index in range(8)])
    cross_entropy(network(minidnn.Tensor(images)), np.arange(8)).backward()
    found: dict[str, list[Any]] = {}
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1:
            found.setdefault(".".join(name.split(".")[:-1][:2]), []).append(parameter)
    for _, value, stage in curve["points"]:
        squares = [
            sum(float((array.numpy().astype(np.float64) ** 2).sum()) for array in arrays)
            for arrays in ([one.grad for one in found[stage]], found[stage])
        ]
        assert value == pytest.approx((squares[0] / squares[1]) ** 0.5, rel=1e-3)
