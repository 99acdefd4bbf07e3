"""YOLO v1 against the paper's figure 3, and against PyTorch written from it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import nn, no_grad
from minidnn.detection.grid import Grid
from models.yolo_v1 import DETECTION, FEATURES, YOLOv1
from tests.minidnn.detection.scenes import random_boxes
from tests.models.shapes import output_shapes
from tests.reference import filling

SMALL = Grid(cells=2, boxes=2, classes=3)
CONVOLUTIONS = {"yolo_v1": 24, "yolo_v1_tiny": 9}


def small(hidden: int = 4096, **thresholds: float) -> YOLOv1:
    """All of the network's convolutions, for images of 128x128."""
    return YOLOv1(FEATURES, DETECTION, (hidden,), SMALL, **thresholds)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters"), [("yolo_v1", 271_703_550), ("yolo_v1_tiny", 45_089_374)])
def test_size_and_layers(name: str, parameters: int) -> None:
    model = models.create(name)
    assert sum(parameter.data.size for parameter in model.parameters()) == parameters
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == CONVOLUTIONS[name]
    with no_grad():
        assert model.eval().predict(np.zeros((1, 3, 448, 448), np.float32)).shape == (1, 7, 7, 30)


@pytest.mark.slow
def test_the_classifier_and_its_weights_in_the_detector() -> None:
    classifier, detector = models.yolo_v1_classifier(num_classes=3), small(hidden=8)
    shapes = output_shapes(classifier, (1, 3, 224, 224))
    assert (shapes["features"], shapes["avgpool"], shapes[""]) == ((1024, 7, 7), (1024, 1, 1), (3,))
    names = [name for name in classifier.state_dict() if name.startswith("features")]
    assert len(names) == 2 * 20
    detector.features.load_state_dict(classifier.features.state_dict())
    for name in names:
        np.testing.assert_array_equal(detector.state_dict()[name].data, classifier.state_dict()[name].data)


def thin(score_thresh: float = 0.2) -> YOLOv1:
    """A network that quickly gives a grid of 2x2 cells."""
    return YOLOv1("9x9-1024/64", "1x1-1024", (), SMALL, score_thresh)


def test_detections_are_in_pixels_best_first_and_thinned_out() -> None:
    model, prediction = thin().eval(), np.zeros((1, 2, 2, 13), np.float32)
    half, third = np.sqrt([0.5, 1 / 3])
    # Two boxes on the middle of the left upper cell, 0.8 and 0.6 sure; class 2 is the more likely.
    prediction[0, 0, 0] = [0.5, 0.5, half, half, 0.8, 0.5, 0.5, half, half, 0.6, 0.1, 1.0, 0.5]
    prediction[0, 1, 1, [0, 1, 2, 3, 4, 10]] = [1.0, 1.0, third, third, 0.9, 1.0]  # half of it outside
    model.predict = lambda x: minidnn.Tensor(prediction)
    (found,) = model([np.zeros((3, 60, 120), np.float32)])
    corner, cell = [100, 50, 120, 60], [0, 0, 60, 30]
    np.testing.assert_allclose(found["boxes"], [corner, cell, cell], atol=1e-4)
    assert found["labels"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found["scores"], [0.9, 0.8, 0.4], rtol=1e-6)


def test_training_gives_losses_of_boxes_as_parts_of_the_image() -> None:
    model = thin()
    target = {"boxes": np.array([[30.0, 15.0, 90.0, 45.0]]), "labels": np.array([2])}
    losses = model([np.zeros((3, 60, 120), np.float32)], [target])
    model.predict = lambda x: minidnn.Tensor(np.zeros((1, 2, 2, 13), np.float32))
    losses = model([np.zeros((3, 60, 120), np.float32)], [target])
    # The centre is the left upper corner of the last cell; sqrt(w) = sqrt(h) = sqrt(1 / 2).
    assert losses["loss_centre"].item() == 0
    assert losses["loss_size"].item() == pytest.approx(5)
    assert losses["loss_class"].item() == 1


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "targets must be one for each of 1 images in training, got none"),
        ([{"boxes": np.zeros((1, 4)), "labels": np.array([1])}], "must have x1 < x2 and y1 < y2"),
        ([{"boxes": np.array([[0.0, 0, 9, 9]]), "labels": np.array([4])}], "labels must be in [1, 3], got 4"),
    ],
)
def test_refuses_targets(targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        thin()([np.zeros((3, 20, 20), np.float32)], targets)


def test_refuses_images_and_thresholds() -> None:
    model = thin().eval()
    with pytest.raises(ValueError, match=re.escape("must have shape (3, H, W) each, got [(1, 3, 4, 4)]")):
        model([np.zeros((1, 3, 4, 4), np.float32)])
    with pytest.raises(ValueError, match="score_thresh must be at most 1, got 2"):
        thin(score_thresh=2)


@pytest.mark.reference
@pytest.mark.slow
def test_forward_loss_and_gradients_and_detections() -> None:
    """All convolutions in float64, with the weights that filling.py gives to our names."""
    torch = pytest.importorskip("torch")
    from tests.minidnn.detection import grid_in_torch
    from tests.minidnn.detection.in_torch import to_torch
    from tests.models.detection.twins import LIMIT, SIZES, random_images, relative
    from tests.models.detection.yolo_in_torch import Network

    ours, theirs = small(hidden=64, score_thresh=0.05).double(), Network(*SMALL, hidden=64).double()
    ours.connected[2].p = 0.0  # dropout
    values = {name: filling.parameter(name, tensor.shape) for name, tensor in ours.state_dict().items()}
    # All numbers about one half, roots of sizes 0.9: boxes that overlap every object of their cells.
    values["connected.3.weight"] *= 0.1
    values["connected.3.bias"] += 0.5
    values["connected.3.bias"].reshape(2, 2, 13)[..., [2, 3, 7, 8]] += 0.4
    ours.load_state_dict(values)
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), map(torch.from_numpy, values.values()), strict=True))
    )

    images = random_images(1)
    resize = torch.nn.functional.interpolate
    resized = [resize(tensor[None], size=(128, 128), mode="bilinear") for tensor in to_torch(images)]
    scales = [np.array([width, height, width, height]) for height, width in SIZES]
    targets = [
        {"boxes": np.minimum(random_boxes(seed, 4, 30.0), scale), "labels": np.array([1, 3, 2, 1])}
        for seed, scale in enumerate(scales)
    ]
    losses = ours.train()(images, targets)
    prediction = theirs(torch.cat(resized))
    assert relative(ours.predict(ours.batch(images)).detach().numpy(), prediction.detach().numpy()) < LIMIT
    parts = [
        {**target, "boxes": target["boxes"] / scale} for target, scale in zip(targets, scales, strict=True)
    ]
    want = grid_in_torch.loss(prediction, parts, SMALL.boxes)
    total = sum(losses.values())
    assert total.item() == pytest.approx(want.item(), rel=LIMIT)
    total.backward()
    want.backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert relative(mine.grad.numpy(), other.grad.numpy()) < LIMIT

    for found, image, scale in zip(ours.eval()(images), prediction.detach(), scales, strict=True):
        kept = grid_in_torch.suppressed(grid_in_torch.decode(image, SMALL.boxes, 0.05, scale), 0.5)
        assert len(kept) > 1
        np.testing.assert_allclose(found["boxes"], [entry[0] for entry in kept], rtol=LIMIT)
        assert found["labels"].tolist() == [entry[1] for entry in kept]
        np.testing.assert_allclose(found["scores"], [entry[2] for entry in kept], rtol=LIMIT)
