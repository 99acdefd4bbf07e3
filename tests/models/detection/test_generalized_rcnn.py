"""Two-stage detectors without PyTorch: sizes, what is refused, names of published files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from models.fast_rcnn import FastRCNN
from models.generalized_rcnn import current_key
from models.weights import load_model
from tests.models.detection.tiny import CLASSES, SETTINGS, TinyBackbone, tiny_mask_rcnn

IMAGE = np.zeros((3, 40, 50), np.float32)
BOXES = np.array([[3, 4, 30, 20]], np.float32)
TARGET = {"boxes": BOXES, "labels": np.array([1]), "masks": np.ones((1, 40, 50), np.uint8)}
# Beside the background there are 90 classes of COCO and 20 of VOC.
PARAMETERS = {
    "fast_rcnn_vgg16": 134_690_729,
    "faster_rcnn_vgg16": 137_073_622,
    "faster_rcnn_resnet50_fpn": 41_755_286,
    "mask_rcnn_resnet50_fpn": 44_401_393,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    model = models.create(name)
    assert sum(parameter.data.size for parameter in model.parameters()) == PARAMETERS[name]


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in TARGET.items() if key != name}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "targets must be one for each of 1 images in training, got none"),
        ([TARGET, TARGET], "targets must be one for each of 1 images in training, got 2"),
        ([without("labels")], "targets[0] must have 'labels', got ['boxes', 'masks']"),
        ([without("masks")], "targets[0] must have 'masks', got ['boxes', 'labels']"),
        (
            [{**TARGET, "boxes": BOXES[:, [2, 1, 0, 3]]}],
            "targets[0]['boxes'] must have x1 < x2 and y1 < y2, got [30.0, 4.0, 3.0, 20.0]",
        ),
    ],
)
def test_refuses_targets(targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny_mask_rcnn()([IMAGE], targets)


def test_evaluation_looks_at_no_targets_and_training_gives_losses() -> None:
    model = tiny_mask_rcnn()
    (found,) = model.eval()([IMAGE], None)
    assert set(found) == {"boxes", "labels", "scores", "masks"}
    assert found["masks"].shape[1:] == (1, 40, 50)
    losses = model.train()([IMAGE], [TARGET])
    assert list(losses) == [
        *("loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg")
    ]
    assert model.num_labels == CLASSES


def test_fast_rcnn_refuses_proposals() -> None:
    model = FastRCNN(SETTINGS.transform(), TinyBackbone(), tiny_mask_rcnn().roi_heads)
    with pytest.raises(ValueError, match="proposals must be one array for each of 1 images, got 2"):
        model([IMAGE], [BOXES, BOXES], [TARGET])
    with pytest.raises(ValueError, match=re.escape("proposals[0] must have shape (K, 4), got (4,)")):
        model([IMAGE], [BOXES[0]], [TARGET])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rpn.head.conv.weight", "rpn.head.conv.0.0.weight"),
        ("backbone.fpn.inner_blocks.2.bias", "backbone.fpn.inner_blocks.2.0.bias"),
        ("backbone.fpn.layer_blocks.0.weight", "backbone.fpn.layer_blocks.0.0.weight"),
        ("roi_heads.mask_head.mask_fcn3.weight", "roi_heads.mask_head.2.0.weight"),
        ("roi_heads.mask_predictor.mask_fcn_logits.bias",) * 2,
        ("backbone.body.layer1.0.conv1.weight",) * 2,
        ("rpn.head.cls_logits.weight",) * 2,
    ],
)
def test_names_of_published_files(old: str, new: str) -> None:
    assert current_key(old) == new
    assert current_key(new) == new


def published_key(name: str) -> str:
    name = re.sub(r"(blocks\.\d)\.0\.", r"\1.", name.replace("rpn.head.conv.0.0.", "rpn.head.conv."))
    return re.sub(r"mask_head\.(\d)\.0\.", lambda place: f"mask_head.mask_fcn{int(place[1]) + 1}.", name)


@pytest.mark.slow
def test_a_file_with_published_names_and_other_classes(tmp_path: Path) -> None:
    model = models.mask_rcnn_resnet50_fpn(num_classes=4)
    state = model.state_dict()
    assert sum(published_key(name) != name for name in state) == 2 + 2 * 8 + 2 * 4
    minidnn.save(
        {published_key(name): value for name, value in state.items()}, tmp_path / "published.safetensors"
    )
    loaded = load_model("mask_rcnn_resnet50_fpn", tmp_path / "published.safetensors").network
    assert loaded.num_labels == 4
    for name, value in loaded.state_dict().items():
        np.testing.assert_array_equal(value.data, state[name].data)
