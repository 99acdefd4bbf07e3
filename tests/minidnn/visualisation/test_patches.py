"""Maximally activating patches: the right units, and boxes that hold what they see and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn, no_grad
from minidnn.data import ArrayDataset
from minidnn.visualisation import feature_maps, maximal_patches
from tests.minidnn.visualisation.networks import images, network


def dataset(count: int = 9) -> ArrayDataset:
    return ArrayDataset(images(count, seed=11), np.zeros(count, np.int64))


@pytest.mark.parametrize("batch_size", [4, 64])
def test_the_strongest_unit_of_each_image(batch_size: int) -> None:
    model, samples = network(), dataset()
    found = maximal_patches(model, samples, "5", 3, count=4, batch_size=batch_size)
    planes = feature_maps(model, samples.inputs, "5")[:, 3]
    best = sorted(range(9), key=lambda index: -planes[index].max())[:4]
    assert found.images.tolist() == best
    for index, (row, column), activation in zip(best, found.positions, found.activations, strict=True):
        assert activation == planes[index].max() == planes[index, row, column]
    assert len(maximal_patches(model, samples, "5", 3, count=100).images) == 9
    assert model.training


@pytest.mark.parametrize("layer", ["0", "3", "5", "6"])
def test_a_unit_sees_its_box_and_nothing_else(layer: str) -> None:
    """Changes outside leave it as it is; a change anywhere along the box's edges inside reaches it."""
    model, samples = network().eval(), dataset()
    model[2] = nn.Identity()  # it looks at neighbouring maps, and so hides nothing
    for activation in (1, 5):
        model[activation] = nn.Sigmoid()
    for pool in (3, 6):
        old = model[pool]
        model[pool] = nn.AvgPool2d(old.kernel_size, old.stride, ceil_mode=old.ceil_mode)
    found = maximal_patches(model, samples, layer, 1, count=9)
    for index, position, activation, box in zip(
        found.images, found.positions, found.activations, found.boxes, strict=True
    ):
        image, (top, left, bottom, right) = samples.inputs[index], box
        outside = np.ones(image.shape[1:], bool)
        outside[max(top, 0) : bottom, max(left, 0) : right] = False
        changed = image + 10 * outside
        assert _unit(model, layer, changed, position) == pytest.approx(activation, rel=1e-12)
        for row, column in ((max(top, 0), max(left, 0)), (min(bottom, 27) - 1, min(right, 23) - 1)):
            changed = image.copy()
            changed[:, row, column] += 1
            assert _unit(model, layer, changed, position) != activation


def _unit(model: nn.Module, layer: str, image: np.ndarray, position: np.ndarray) -> float:
    return float(feature_maps(model, image, layer)[1][tuple(position)])


def test_patches_are_the_boxes_pixels() -> None:
    samples = dataset()
    found = maximal_patches(network(), samples, "6", 2)
    height, width = found.pixels.shape[2:]
    assert (height, width) == (5 + 2 * 2 + 4 * 2 + 4 * 1, 4 + 2 * 2 + 4 * 2 + 4 * 1)
    padded = np.pad(samples.inputs, ((0, 0), (0, 0), (40, 40), (40, 40)))
    for index, box, pixels in zip(found.images, found.boxes + 40, found.pixels, strict=True):
        np.testing.assert_array_equal(pixels, padded[index][:, box[0] : box[2], box[1] : box[3]])
    assert (found.boxes < 0).any()


def test_a_patch_alone_makes_its_unit_respond_as_much() -> None:
    """Without padding what the unit sees is all that there is."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Tanh(), nn.Conv2d(4, 2, (2, 3))).double()
    found = maximal_patches(model, dataset(), "2", 1, count=3)
    with no_grad():
        alone = model(Tensor(found.pixels))
    assert alone.shape == (3, 2, 1, 1)
    np.testing.assert_allclose(alone.numpy()[:, 1, 0, 0], found.activations, rtol=1e-9)


class Ways(nn.Module):
    """Two ways that join, a weight that is computed, a constant, and a layer that does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 3, padding=1)
        self.joined, self.constant, self.idle = nn.ReLU(), nn.ReLU(), nn.Identity()
        self.weight = nn.Parameter(np.ones((1, 2, 4, 4)))

    def forward(self, x: Tensor) -> Tensor:
        self.constant(self.weight * 2)
        return self.idle(self.joined(self.one(x) + self.other(x)))


def test_ways_that_join_are_seen_together() -> None:
    assert maximal_patches(Ways().double(), dataset(), "joined", 1).pixels.shape == (9, 3, 3, 3)


def test_what_is_wrong_is_said() -> None:
    samples, model = dataset(), Ways().double()
    with pytest.raises(ValueError, match="layer must depend on the image, 'constant' does not"):
        maximal_patches(model, ArrayDataset(samples.inputs[:1], samples.targets[:1]), "constant", 0)
    with pytest.raises(ValueError, match="layer must compute something, 'idle' has no operation"):
        maximal_patches(model, samples, "idle", 0)
    with pytest.raises(ValueError, match="count must be at least 1"):
        maximal_patches(model, samples, "joined", 0, count=0)
    with pytest.raises(ValueError, match="dataset must hold at least one image"):
        maximal_patches(model, dataset(0), "joined", 0)
    with pytest.raises(ValueError, match="channel must be below 2"):
        maximal_patches(model, samples, "joined", 2)
