"""A classifier as one convolution gives what it says of every window that is cut out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn, no_grad
from minidnn.detection.convolutional_form import convolutional_form


def filled(classifier: nn.Sequential, seed: int = 0) -> nn.Sequential:
    """In float64 and evaluation mode, running statistics included."""
    generator = np.random.default_rng(seed)
    classifier.double().eval()
    for name, values in classifier.state_dict().items():
        if values.data.dtype.kind == "f":
            low = 0.5 if name.endswith("running_var") else -0.5
            values.data[...] = generator.uniform(low, 1, values.shape)
    return classifier


CASES = {
    "convolutions and pooling": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, (3, 2)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4 * 3, 5)
        ),
        (3, 11, 8),
        (2, 2),
    ),
    "strides that differ, a remainder, two layers behind": (
        lambda: nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 3, 3, stride=(1, 2), bias=False), nn.BatchNorm2d(3), nn.Tanh()),
            nn.AvgPool2d((3, 2), stride=(2, 1)),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(3 * 3 * 4, 6, bias=False),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(6, 2),
        ),
        (2, 10, 12),
        (2, 2),
    ),
    "nothing but a fully connected layer": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(1 * 3 * 4, 2)),
        (1, 3, 4),
        (1, 1),
    ),
    "dilation and padding by name": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 2, stride=3, dilation=2, padding="valid"), nn.Flatten(), nn.Linear(2 * 2 * 3, 3)
        ),
        (1, 6, 9),
        (3, 3),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_window(case: str) -> None:
    build, window, stride = CASES[case]
    classifier = filled(build())
    form = convolutional_form(classifier, window)
    assert (form.window, form.stride) == (window[1:], stride)
    generator = np.random.default_rng(1)
    for more in ((0, 0), (1, 5), (7, 4)):
        image = generator.normal(size=(2, window[0], window[1] + more[0], window[2] + more[1]))
        with no_grad():
            got = form.score(Tensor(image)).numpy()
        assert got.shape[2:] == (more[0] // stride[0] + 1, more[1] // stride[1] + 1)
        for row, column in np.ndindex(*got.shape[2:]):
            top, left = row * stride[0], column * stride[1]
            crop = image[:, :, top : top + window[1], left : left + window[2]]
            with no_grad():
                want = classifier(Tensor(crop)).numpy()
            np.testing.assert_allclose(got[:, :, row, column], want, rtol=1e-10, atol=1e-12)


def test_the_weights_are_copies() -> None:
    classifier = filled(CASES["convolutions and pooling"][0]())
    form = convolutional_form(classifier, (3, 11, 8))
    before = [parameter.numpy().copy() for parameter in form.network.parameters()]
    for parameter in classifier.parameters():
        parameter.data[...] = 0
    for parameter, value in zip(form.network.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), value)
    assert {value.dtype for value in before} == {np.dtype(np.float64)}


def test_training_mode_is_left_to_the_classifier() -> None:
    classifier = CASES["strides that differ, a remainder, two layers behind"][0]()
    form = convolutional_form(classifier, (2, 10, 12))
    assert all(module.training for module in classifier.modules())
    assert not any(module.training for module in form.network.modules())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(6, 2)], "must have a Flatten"),
        ([nn.Flatten(2), nn.Linear(6, 2)], "must have a Flatten that joins all axes but the batch's"),
        ([nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(36, 2)], "must not pad, got Conv2d"),
        ([nn.Conv2d(1, 1, 3, padding="same"), nn.Flatten(), nn.Linear(36, 2)], "must not pad"),
        ([nn.Conv2d(1, 1, 3, padding=((0, 1), (0, 0))), nn.Flatten()], "must not pad"),
        ([nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(9, 2)], "must not pad, got MaxPool2d"),
        ([nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 2)], "got AdaptiveAvgPool2d"),
        (
            [nn.Flatten(), nn.Linear(35, 2)],
            r"window must give the Linear's 35 inputs, got maps of \(1, 6, 6\)",
        ),
        ([nn.Flatten(), nn.Softmax(1)], "must have Linear layers behind its Flatten, got Softmax"),
    ],
)
def test_what_is_refused(layers: Any, message: str) -> None:
    minidnn.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        convolutional_form(nn.Sequential(*layers), (1, 6, 6))
