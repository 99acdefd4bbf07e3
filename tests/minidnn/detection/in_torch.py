"""Torchvision's detectors beside ours: equal weights, draws and types. Skips where torch is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn

torch = pytest.importorskip("torch")
WITHIN = {"rtol": 1e-9, "atol": 1e-9}


def draw_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on torch.randperm draws what our sampler draws: both from the seed 11, in the same order."""
    minidnn.manual_seed(11)
    draws = np.random.Generator(np.random.Philox())
    draws.bit_generator.state = minidnn.random.generator().bit_generator.state
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.from_numpy(draws.permutation(n)))


def to_torch(value: Any) -> Any:
    """Arrays and Tensors in a nest of lists and dictionaries as torch tensors."""
    if isinstance(value, dict):
        return {name: to_torch(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_torch(item) for item in value]
    return torch.from_numpy(np.array(value))


def load_from(ours: Any, theirs: Any) -> None:
    """Give our module the weights of torch's: all keys must be equal."""
    ours.double().load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})


def compare_gradients(ours: Any, theirs: Any) -> None:
    want = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), want[name].grad.numpy(), err_msg=name, **WITHIN)


def keep_labels_double(network: Any) -> None:
    """Torchvision labels anchors in float32, which would make the loss so, whatever the logits are."""
    with_float32_labels = network.assign_targets_to_anchors

    def assign(*arguments: Any) -> Any:
        labels, boxes = with_float32_labels(*arguments)
        return [image.double() for image in labels], boxes

    network.assign_targets_to_anchors = assign
