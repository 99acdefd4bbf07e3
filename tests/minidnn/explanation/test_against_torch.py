"""The numbers that explanations show, and what PyTorch makes of the inputs that they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn.explanation import Explanation, explain

pytestmark = pytest.mark.reference
torch = pytest.importorskip("torch")
F = torch.nn.functional


def shown(explanation: Explanation, name: str) -> np.ndarray:
    """The array whose planes stand under that name: x[0,0], x[0,1], ... or x alone."""
    planes: dict[tuple[int, ...], np.ndarray] = {}
    for grid in explanation.grids():
        head, bracket, index = grid.name.partition("[")
        if head == name:
            place = tuple(map(int, index.rstrip("]").split(","))) if bracket else ()
            planes.setdefault(place, np.array(grid.rows))
    if () in planes:
        return planes[()]
    leading = tuple(np.max(list(planes), axis=0) + 1)
    stacked = np.empty((*leading, *next(iter(planes.values())).shape))
    for place, plane in planes.items():
        stacked[place] = plane
    return stacked


def check(explanation: Explanation, function: Callable[..., Any], weight: np.ndarray | None = None) -> None:
    """y, grad_x and, where there is one, grad_w are those of the function in PyTorch."""
    x = torch.tensor(shown(explanation, "x"), requires_grad=True)
    parameters = [] if weight is None else [torch.tensor(weight, requires_grad=True)]
    y = function(x, *parameters)
    np.testing.assert_allclose(y.detach().numpy(), shown(explanation, "y").reshape(y.shape), atol=1e-12)
    y.backward(torch.tensor(shown(explanation, "g").reshape(y.shape)))
    np.testing.assert_allclose(x.grad.numpy(), shown(explanation, "grad_x"), atol=1e-12)
    for parameter in parameters:
        np.testing.assert_allclose(parameter.grad.numpy(), shown(explanation, "grad_w"), atol=1e-12)


def test_convolution() -> None:
    explanation = explain("conv2d", bias=False, kernel_size=(2, 3), size=(4, 5), stride=(1, 2), seed=2)
    rows = next(np.array(grid.rows) for grid in explanation.grids() if grid.name == "W")
    check(explanation, lambda x, w: F.conv2d(x, w, stride=(1, 2)), rows.reshape(2, 2, 2, 3))


def test_transposed_convolution() -> None:
    explanation = explain("conv_transpose2d", bias=False, output_padding=1, seed=3)
    weight = shown(explanation, "w")
    check(explanation, lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1), weight)


def test_linear() -> None:
    explanation = explain("linear", bias=False, batch=3, seed=4)
    check(explanation, F.linear, shown(explanation, "w"))


@pytest.mark.parametrize(
    ("name", "arguments", "function"),
    [
        ("max_pool2d", {"kernel_size": 3, "stride": 1, "padding": 1}, lambda x: F.max_pool2d(x, 3, 1, 1)),
        ("avg_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, lambda x: F.avg_pool2d(x, 3, 2, 1)),
        ("adaptive_avg_pool2d", {"output_size": (2, 4)}, lambda x: F.adaptive_avg_pool2d(x, (2, 4))),
        ("adaptive_max_pool2d", {"output_size": 3}, lambda x: F.adaptive_max_pool2d(x, 3)),
        ("global_avg_pool2d", {}, lambda x: F.adaptive_avg_pool2d(x, 1)),
        ("interpolate", {"output_size": (5, 4)},
         lambda x: F.interpolate(x, (5, 4), mode="bilinear", align_corners=False)),
        ("interpolate", {"output_size": (5, 4), "mode": "nearest"}, lambda x: F.interpolate(x, (5, 4))),
        ("reflection_pad", {"padding": (1, 2, 1, 0)}, lambda x: F.pad(x, (1, 2, 1, 0), "reflect")),
        ("replication_pad", {"padding": 2}, lambda x: F.pad(x, (2, 2, 2, 2), "replicate")),
        ("constant_pad", {"padding": 1, "value": -2.0}, lambda x: F.pad(x, (1, 1, 1, 1), value=-2.0)),
        ("relu6", {}, F.relu6),
        ("leaky_relu", {"negative_slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
        ("sigmoid", {}, torch.sigmoid),
        ("tanh", {}, torch.tanh),
        ("hardsigmoid", {}, F.hardsigmoid),
        ("hardswish", {}, F.hardswish),
        ("silu", {}, F.silu),
        ("gelu", {}, F.gelu),
        ("softmax", {}, lambda x: F.softmax(x, 1)),
        ("log_softmax", {"size": 6}, lambda x: F.log_softmax(x, 1)),
        ("flatten", {}, lambda x: x.flatten(1)),
        ("local_response_norm", {"alpha": 0.3, "size": 3},
         lambda x: F.local_response_norm(x.reshape(1, -1, 1, 1), 3, 0.3, 0.75, 1.0)),
    ],
)  # fmt: skip
def test_without_a_weight(name: str, arguments: dict[str, Any], function: Callable[..., Any]) -> None:
    check(explain(name, **arguments, seed=6), function)


def test_losses() -> None:
    explanation = explain("mse_loss", seed=8)
    x = torch.tensor(shown(explanation, "x"), requires_grad=True)
    loss = F.mse_loss(x, torch.tensor(shown(explanation, "t")))
    loss.backward()
    (mean,) = [each.value for each in explanation.equations() if each.target == "L"]
    assert mean == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), shown(explanation, "grad_x"), atol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing: float) -> None:
    explanation = explain("cross_entropy", classes=4, batch=3, label_smoothing=smoothing, seed=8)
    (inputs,) = [grid for grid in explanation.grids() if grid.name == "x"]
    labels = torch.tensor([column for _, column in sorted(inputs.marked)])
    x = torch.tensor(np.array(inputs.rows), requires_grad=True)
    F.cross_entropy(x, labels, label_smoothing=smoothing).backward()
    np.testing.assert_allclose(x.grad.numpy(), shown(explanation, "grad_x"), atol=1e-12)
