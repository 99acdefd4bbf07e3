"""Images as a batch and detections back: by hand, and against torchvision's transform."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minidnn
from minidnn.detection import GeneralizedRCNNTransform
from tests.kernels.sample import Draw
from tests.minidnn.detection.scenes import random_targets

PLAIN = {"image_mean": (0.0,) * 3, "image_std": (1.0,) * 3}


def test_sizes_padding_and_normalisation_by_hand() -> None:
    transform = GeneralizedRCNNTransform(20, 50, (0.5, 0.0, 0.0), (2.0, 1.0, 1.0), size_divisible=16)
    images = [np.ones((3, 10, 14)), np.ones((3, 40, 10))]
    batch, targets = transform(images)
    assert targets is None
    # Twice as large; by 50 / 40, since by 2 the longer side would be 80.
    assert batch.image_sizes == [(20, 28), (50, 12)]
    assert batch.tensors.shape == (2, 3, 64, 32)
    first, second = batch.tensors.numpy()
    np.testing.assert_array_equal(
        first[:, :20, :28], np.array([0.25, 1, 1])[:, None, None] * np.ones((20, 28))
    )
    assert first.sum() == pytest.approx(2.25 * 20 * 28)
    assert second.sum() == pytest.approx(2.25 * 50 * 12)


def test_boxes_and_masks_follow_and_other_entries_stay() -> None:
    transform = GeneralizedRCNNTransform(20, 50, **PLAIN)
    mask = np.zeros((1, 10, 15), np.uint8)
    mask[0, 2:4, 3:8] = 1
    target = {"boxes": np.array([[3.0, 2.0, 8.0, 4.0]]), "masks": mask, "labels": np.array([7])}
    _, (resized,) = transform([np.zeros((3, 10, 15))], [target])
    np.testing.assert_array_equal(resized["boxes"], [[6, 4, 16, 8]])
    assert resized["masks"].dtype == np.uint8
    np.testing.assert_array_equal(resized["masks"][0], mask[0].repeat(2, axis=0).repeat(2, axis=1))
    assert resized["labels"] is target["labels"]
    assert target["boxes"][0, 0] == 3


def test_what_has_its_size_already_is_taken_as_it_is() -> None:
    image = Draw(1).uniform(3, 10, 15)
    target = {"masks": np.zeros((2, 10, 15), bool), "boxes": np.array([[3.0, 2.0, 8.0, 4.0]])}
    target["masks"][1, 2:4, 3:8] = True
    batch, (resized,) = GeneralizedRCNNTransform(10, 50, size_divisible=5, **PLAIN)([image], [target])
    np.testing.assert_array_equal(batch.tensors.numpy()[0], image)
    np.testing.assert_array_equal(resized["masks"], target["masks"])
    assert resized["masks"].dtype == np.uint8
    np.testing.assert_array_equal(resized["boxes"], target["boxes"])


def test_detections_come_back() -> None:
    transform = GeneralizedRCNNTransform(20, 50, **PLAIN)
    found = {
        "boxes": np.array([[6.0, 4.0, 16.0, 8.0]]),
        "labels": np.array([2]),
        "masks": np.ones((1, 1, 4, 4)),
    }
    (result,) = transform.postprocess([found], [(20, 30)], [(10, 15)])
    np.testing.assert_array_equal(result["boxes"], [[3, 2, 8, 4]])
    assert result["masks"].shape == (1, 1, 10, 15)
    assert result["masks"][0, 0, 3, 5] == 1
    assert result["masks"][0, 0, 8, 5] == 0


def test_a_gradient_reaches_the_image() -> None:
    image = minidnn.Tensor(Draw(0).uniform(3, 5, 7), requires_grad=True)
    batch, _ = GeneralizedRCNNTransform(10, 50, **PLAIN)([image])
    batch.tensors.sum().backward()
    assert image.grad is not None
    np.testing.assert_allclose(image.grad.numpy().sum(), 3 * 10 * 14)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ([], ValueError, "images must hold at least one image, got none"),
        ([np.zeros((1, 4, 5))], ValueError, "images must have shape (3, H, W) each, got (1, 4, 5)"),
        ([np.zeros((2, 3, 4, 5))[0, 0]], ValueError, "images must have shape (3, H, W) each, got (4, 5)"),
        (
            [np.zeros((3, 4, 5), np.uint8)],
            TypeError,
            "images must be floating, with values in [0, 1], got uint8",
        ),
    ],
)
def test_refuses(images: list[np.ndarray], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        GeneralizedRCNNTransform(20, 50)(images)


def test_refuses_masks_of_another_size_and_settings() -> None:
    transform = GeneralizedRCNNTransform(20, 50)
    target = {"masks": np.zeros((2, 4, 4), np.uint8)}
    with pytest.raises(ValueError, match=re.escape("masks must have shape (L, *(4, 5)), got (2, 4, 4)")):
        transform([np.zeros((3, 4, 5))], [target])
    with pytest.raises(ValueError, match="min_size"):
        GeneralizedRCNNTransform(0, 50)


@pytest.mark.reference
@pytest.mark.parametrize("sizes", [(96, 128), (33, 200), (50, 51)])
def test_equals_torchvisions(sizes: tuple[int, int]) -> None:
    pytest.importorskip("torch")
    from tests.kernels.regions import operators
    from tests.minidnn.detection.in_torch import WITHIN, to_torch

    operators()
    from torchvision.models.detection.transform import GeneralizedRCNNTransform as Theirs

    shapes = [(37, 64), (50, 41)]
    images, targets = (
        [Draw(i).uniform(3, *shape) for i, shape in enumerate(shapes)],
        random_targets(1, shapes),
    )
    ours, theirs = (
        GeneralizedRCNNTransform(*sizes),
        Theirs(*sizes, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    )
    got, resized = ours(images, targets)
    want, others = theirs(to_torch(images), to_torch(targets))
    assert [tuple(size) for size in want.image_sizes] == got.image_sizes
    np.testing.assert_allclose(got.tensors.numpy(), want.tensors, **WITHIN)
    for target, other in zip(resized, others, strict=True):
        np.testing.assert_allclose(target["boxes"], other["boxes"], rtol=1e-14)
        np.testing.assert_array_equal(target["masks"], other["masks"])
    found = [{"boxes": target["boxes"], "masks": np.full((5, 1, 6, 6), 0.7)} for target in resized]
    back = theirs.eval().postprocess(to_torch(found), got.image_sizes, shapes)
    for ours_back, theirs_back in zip(ours.postprocess(found, got.image_sizes, shapes), back, strict=True):
        for name, value in theirs_back.items():
            np.testing.assert_allclose(ours_back[name], value, **WITHIN)
