"""Gradient flow: norms against the gradients themselves, depths by hand, and what the papers say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from minidnn.functional import cross_entropy, relu
from minidnn.gradient_flow import GradientFlow, gradient_flow, plot_gradient_flow
from tests.minidnn.tracing.networks import traced


def test_norms_are_those_of_the_gradients() -> None:
    trace = traced("lenet5")
    flow = gradient_flow(trace)
    assert flow.modules == ("c1", "c3", "c5", "f6", "output")
    assert flow.depths.tolist() == [1, 2, 3, 4, 5]
    layers = [record for record in trace.operations if record.multiply_adds]
    for place, record in enumerate(layers):
        gradient, weight = record.arrays.input_gradients[1], record.arrays.inputs[1]
        assert flow.outputs[place] == pytest.approx(np.linalg.norm(record.arrays.gradients[0]), rel=1e-5)
        assert flow.weights[place] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
        ratio = np.linalg.norm(gradient) / np.linalg.norm(weight)
        assert flow.relative[place] == pytest.approx(ratio, rel=1e-5)


def test_depth_is_the_longest_way() -> None:
    flow = gradient_flow(traced("residual block"))
    assert dict(zip(flow.modules, flow.depths.tolist(), strict=True)) == {
        "conv1": 1,
        "conv2": 2,
        "downsample.0": 1,
    }


def test_heads_go_on_from_where_they_branch_off() -> None:
    flow = gradient_flow(traced("googlenet"))
    depths = dict(zip(flow.modules, flow.depths.tolist(), strict=True))
    assert depths["conv1.conv"] == 1
    assert depths["inception3a.branch2.1.conv"] == 5  # behind three layers and its own reduction
    assert depths["aux1.fc2"] < depths["aux2.fc2"] < depths["fc"] == 22


class Stack(nn.Module):
    """Convolutions with or without a shortcut around each, and a head at half their number."""

    def __init__(self, layers: int, shortcut: bool, head: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(layers)))
        self.fc = nn.Linear(4, 3)
        self.head = nn.Linear(4, 3) if head else None
        self.shortcut = shortcut
        generator = np.random.default_rng(37)
        for layer in self.layers:
            # A third of what keeps the variance (He et al., 2015): every layer makes it smaller.
            spread = np.sqrt(2 / 36) / 3
            layer.weight.data[...] = spread * generator.standard_normal(layer.weight.shape)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = []
        for place, layer in enumerate(self.layers):
            y = relu(layer(x))
            x = x + y if self.shortcut else y
            if self.head is not None and place == len(self.layers) // 2:
                outputs.append(self.head(x.mean((2, 3))))
        return (self.fc(x.mean((2, 3))), *outputs)


def flow_of(**kind: bool) -> GradientFlow:
    minidnn.manual_seed(41)
    x = np.random.default_rng(43).standard_normal((4, 4, 6, 6)).astype(np.float32)

    def loss(outputs: tuple[Tensor, ...]) -> Tensor:
        losses = [cross_entropy(output, np.array([0, 1, 2, 0])) for output in outputs]
        return sum(losses[1:], start=losses[0])

    return gradient_flow(minidnn.trace(Stack(12, **kind), x, loss=loss))


def first_against_last(flow: GradientFlow) -> float:
    convolutions = [place for place, module in enumerate(flow.modules) if module.startswith("layers")]
    return float(flow.outputs[convolutions[0]] / flow.outputs[convolutions[-1]])


def test_plain_vanishes_shortcuts_keep_it_and_heads_refresh_it() -> None:
    plain, residual = flow_of(shortcut=False), flow_of(shortcut=True)
    headed = flow_of(shortcut=False, head=True)
    assert first_against_last(plain) < 1e-3
    assert 0.1 < first_against_last(residual) < 100
    assert headed.outputs[0] > 10 * plain.outputs[0]


def test_a_picture_where_matplotlib_is(tmp_path: Path) -> None:
    flows = {"plain": gradient_flow(traced("lenet5")), "block": gradient_flow(traced("residual block"))}
    pytest.importorskip("matplotlib")
    assert plot_gradient_flow(flows, tmp_path / "flow.png")
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


def test_no_picture_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert not plot_gradient_flow({"plain": gradient_flow(traced("lenet5"))}, tmp_path / "flow.png")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_without_backward_is_refused() -> None:
    trace = minidnn.trace(nn.Linear(2, 1), np.ones((1, 2), np.float32), backward=False)
    with pytest.raises(ValueError, match="layers whose weights have gradients"):
        gradient_flow(trace)
