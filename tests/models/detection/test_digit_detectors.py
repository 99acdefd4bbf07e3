"""The small detectors: sizes, what they take and give. That they learn is tested with `minidnn train`."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
import models
from minidnn import no_grad
from minidnn.data import DigitScenes
from models.digit_detectors import SIDE

PARAMETERS = {"faster_rcnn_digits": 442_685, "mask_rcnn_digits": 494_056, "yolo_digits": 415_916}
LOSSES = {
    "faster_rcnn_digits": {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"},
    "yolo_digits": {"loss_centre", "loss_size", "loss_object", "loss_no_object", "loss_class"},
}
LOSSES["mask_rcnn_digits"] = LOSSES["faster_rcnn_digits"] | {"loss_mask"}


@pytest.fixture(params=sorted(PARAMETERS))
def name(request: pytest.FixtureRequest) -> str:
    minidnn.manual_seed(3)
    return str(request.param)


def test_sizes(name: str) -> None:
    model = models.create(name)
    assert sum(parameter.data.size for parameter in model.parameters()) == PARAMETERS[name]
    assert f"{PARAMETERS[name]:,} parameters" in models.registry.entry(name).summary
    assert model.num_labels == len(DigitScenes().classes)


def test_training_gives_losses_that_reach_every_parameter(name: str) -> None:
    scenes = [DigitScenes(seed=8, length=1)[index] for index in range(3)]
    model = models.create(name)
    losses = model([image for image, _ in scenes], [target for _, target in scenes])
    assert set(losses) == LOSSES[name]
    total = sum(losses.values())
    assert np.isfinite(total.item())
    total.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert np.abs(parameter.grad.numpy()).max() > 0, key


def test_evaluation_gives_detections_of_images_of_any_size(name: str) -> None:
    images = [DigitScenes("test", seed=8, size=size)[0][0] for size in (SIDE, 80)]
    images.append(np.ascontiguousarray(images[0][:, :70]))
    model = models.create(name).eval()
    if name == "yolo_digits":
        model.score_thresh = 0.0  # no cell of a network that has learnt nothing is sure
    with no_grad():
        detections = model(images)
    for image, found in zip(images, detections, strict=True):
        height, width = image.shape[1:]
        assert len(found["boxes"]) == len(found["labels"]) == len(found["scores"]) > 0
        assert found["boxes"].min() >= 0
        assert (found["boxes"].max(axis=0) <= [width, height, width, height]).all()
        assert set(found["labels"]) <= set(range(1, 11))
        if name == "mask_rcnn_digits":
            assert found["masks"].shape == (len(found["boxes"]), 1, height, width)


def test_all_cells_of_the_grid_share_their_weights() -> None:
    """An image moved by a cell gives numbers moved by a cell, away from the edges that padding reaches."""
    image = np.random.default_rng(0).uniform(0, 1, (1, 3, 160, 160)).astype(np.float32)
    model = models.yolo_digits().eval()
    with no_grad():
        here = model.features(minidnn.Tensor(image)).numpy()
        there = model.features(minidnn.Tensor(np.roll(image, 16, axis=3))).numpy()
    np.testing.assert_allclose(there[..., 5:7], here[..., 4:6], rtol=1e-4, atol=1e-5)
