"""A detector and torchvision's twin of it, filled alike and compared in both modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import minidnn
from tests.kernels.sample import Draw
from tests.minidnn.detection.in_torch import draw_alike, keep_labels_double, to_torch, torch
from tests.minidnn.detection.scenes import random_targets
from tests.reference import filling

LIMIT = 1e-9  # of relative errors; issues ask for 1e-6
SIZES = [(60, 80), (75, 50)]
# Modules whose outputs are compared: what the two suppressions begin from, and the masks.
BEFORE_SUPPRESSION = ("rpn.head", "roi_heads.box_predictor", "roi_heads.mask_predictor")


# Deep random networks are too sure of one class, and give boxes of wild sizes.
DAMPED = {
    "bn3.weight": filling.DAMPING,
    "head.bbox_pred.weight": 0.02,
    "box_predictor.bbox_pred.weight": 0.1,
    "cls_score.weight": 0.1,
}


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The number of a name in filling.py, some of them damped; running means are near 0."""
    if name.endswith("running_mean"):
        return filling.SPREAD * filling.normal(name, shape)
    factor = next((factor for ending, factor in DAMPED.items() if name.endswith(ending)), 1.0)
    return filling.parameter(name, shape) * factor


@dataclass
class Twins:
    """Ours and theirs, in float64, with equal weights under equal names.

    Attributes:
        ours, theirs: the detectors.
        outputs: what the modules of `BEFORE_SUPPRESSION` gave, ours and theirs in turn, by name.
    """

    ours: Any
    theirs: Any
    outputs: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        state = self.theirs.double().state_dict()
        assert list(self.ours.double().state_dict()) == list(state)
        arrays = {name: value(name, tuple(tensor.shape)) for name, tensor in state.items()}
        self.ours.load_state_dict(arrays)
        self.theirs.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        for model in (self.ours, self.theirs):
            for name, module in model.named_modules():
                if name in BEFORE_SUPPRESSION:
                    module.register_forward_hook(self._recorder(name))
        if hasattr(self.theirs, "rpn"):
            keep_labels_double(self.theirs.rpn)

    def _recorder(self, name: str) -> Any:
        return lambda module, inputs, output: self.outputs.setdefault(name, []).append(output)

    def compare_outputs(self) -> None:
        """What was recorded: logits and codes of both stages, mask logits."""
        assert self.outputs
        for name, (ours, theirs) in self.outputs.items():
            pairs = zip(flat(ours), flat(theirs), strict=True)
            assert max(relative(one.detach().numpy(), two.detach().numpy()) for one, two in pairs) < LIMIT, (
                name
            )

    def compare_evaluation(self, *proposals: Any) -> list[dict[str, np.ndarray]]:
        """Everything before and after suppression on images of different sizes; our detections."""
        images = random_images(1)
        got = self.ours.eval()(images, *proposals)
        with torch.no_grad():
            want = self.theirs.eval()(to_torch(images), *to_torch(proposals))
        self.compare_outputs()
        for image, other in zip(got, want, strict=True):
            assert set(image) == set(other)
            np.testing.assert_array_equal(image["labels"], other["labels"])
            for name in set(image) - {"labels"}:
                assert image[name].shape == tuple(other[name].shape)
                assert relative(image[name], other[name].numpy()) < LIMIT, name
        return got

    def compare_training(self, monkeypatch: pytest.MonkeyPatch, *proposals: Any) -> None:
        """Losses, and gradients of all parameters that have one."""
        draw_alike(monkeypatch)
        images, targets = random_images(2), random_targets(4, SIZES)
        losses = self.ours.train()(images, *proposals, targets)
        others = self.theirs.train()(to_torch(images), *to_torch(proposals), to_torch(targets))
        assert list(losses) == list(others)
        for name, loss in losses.items():
            assert loss.item() > 0.01
            assert loss.item() == pytest.approx(others[name].item(), rel=LIMIT), name
        sum(losses.values()).backward()
        sum(others.values()).backward()
        want = {name: parameter.grad for name, parameter in self.theirs.named_parameters()}
        got = {name: parameter.grad for name, parameter in self.ours.named_parameters()}
        assert set(got) == set(want)
        for name, gradient in got.items():
            assert relative(gradient.numpy(), want[name].numpy()) < LIMIT, name


def random_images(seed: int, sizes: Sequence[tuple[int, int]] = SIZES) -> list[Any]:
    draw = Draw(seed)
    return [minidnn.Tensor(draw.uniform(3, *size)) for size in sizes]


def flat(output: Any) -> list[Any]:
    """The tensors in a nest of lists and tuples."""
    if isinstance(output, list | tuple):
        return [tensor for part in output for tensor in flat(part)]
    return [output]


def relative(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    if want.size == 0:
        return 0.0
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-300))
