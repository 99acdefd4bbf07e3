"""YOLO's grid: decoding and loss by hand, and against PyTorch written from the paper."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor
from minidnn.detection.grid import Grid, decode_grid, grid_loss
from tests.kernels.sample import Draw

GRID = Grid(cells=3, boxes=2, classes=4)
ONE = Grid(cells=2, boxes=2, classes=2)


def random_prediction(seed: int, images: int, grid: Grid) -> np.ndarray:
    """Numbers such as a trained network's: large boxes, so that each overlaps its cell's object."""
    draw = Draw(seed)
    prediction = draw.uniform(images, grid.cells, grid.cells, grid.channels)
    numbers = prediction[..., : 5 * grid.boxes].reshape(*prediction.shape[:3], grid.boxes, 5)
    numbers[..., 2:4] = 0.5 + 0.5 * numbers[..., 2:4]
    return prediction


def random_objects(seed: int, count: int, grid: Grid) -> dict[str, np.ndarray]:
    """Boxes in parts of the image, some of them in the same cell."""
    draw = Draw(seed)
    low = draw.uniform(count, 2, high=0.7)
    boxes = np.concatenate((low, low + draw.uniform(count, 2, low=0.05, high=0.3)), axis=1)
    return {"boxes": boxes, "labels": draw.integers(1, grid.classes + 1, count)}


def test_a_cell_is_decoded_by_hand() -> None:
    grid = Grid(cells=2, boxes=1, classes=2)
    prediction = np.zeros((1, 2, 2, 7))
    prediction[0, 1, 0] = [0.5, 0.25, 0.5, np.sqrt(0.5), 0.8, 0.25, 0.5]
    boxes, scores = decode_grid(prediction, grid)
    assert boxes.shape == (1, 4, 4)
    np.testing.assert_allclose(boxes[0, 2], [0.25 - 0.125, 0.625 - 0.25, 0.25 + 0.125, 0.625 + 0.25])
    np.testing.assert_allclose(scores[0, 2], [0.2, 0.4])
    np.testing.assert_array_equal(scores[0, [0, 1, 3]], 0)


def test_the_loss_by_hand() -> None:
    """One object fills the right lower quarter; the second box is it but for a confidence of 0.5."""
    prediction = np.zeros((1, 2, 2, 12))
    prediction[0, 1, 1] = [0, 0, 0.1, 0.1, 0.4, 0.5, 0.25, 0.5**0.5, 0.5**0.5, 0.5, 0.7, 0.1]
    prediction[0, 0, 0, 4] = 0.6
    target = {"boxes": np.array([[0.5, 0.5, 1.0, 1.0]]), "labels": np.array([2])}
    losses = grid_loss(Tensor(prediction), [target], ONE)
    shared, union = 0.5 * 0.375, 2 * 0.25 - 0.5 * 0.375
    want = {
        "loss_centre": 5 * 0.25**2,
        "loss_size": 0.0,
        "loss_object": (0.5 - shared / union) ** 2,
        "loss_no_object": 0.5 * (0.4**2 + 0.6**2),
        "loss_class": 0.7**2 + 0.9**2,
    }
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(want, abs=1e-12)
    half = grid_loss(Tensor(prediction), [target], ONE, lambda_coord=2.5, lambda_noobj=0.25)
    assert half["loss_centre"].item() == pytest.approx(want["loss_centre"] / 2)
    assert half["loss_no_object"].item() == pytest.approx(want["loss_no_object"] / 2)


def test_where_nothing_overlaps_the_nearest_box_is_responsible() -> None:
    prediction = np.zeros((1, 2, 2, 12))
    prediction[0, 0, 0, 5:7] = 0.5  # the second box, of no size like the first, lies at the object's centre
    target = {"boxes": np.array([[0.2, 0.2, 0.3, 0.3]]), "labels": np.array([1])}
    x = Tensor(prediction, requires_grad=True)
    grid_loss(x, [target], ONE)["loss_size"].backward()
    assert x.grad is not None
    assert np.argwhere(x.grad.numpy()).tolist() == [[0, 0, 0, 7], [0, 0, 0, 8]]


def test_of_two_objects_in_a_cell_the_first_counts() -> None:
    prediction = Tensor(random_prediction(0, 1, ONE))
    boxes, labels = np.array([[0.1, 0.1, 0.3, 0.4], [0.2, 0.1, 0.4, 0.3]]), np.array([2, 1])
    both = grid_loss(prediction, [{"boxes": boxes, "labels": labels}], ONE)
    first = grid_loss(prediction, [{"boxes": boxes[:1], "labels": labels[:1]}], ONE)
    assert {name: loss.item() for name, loss in both.items()} == {
        name: loss.item() for name, loss in first.items()
    }


def test_without_objects_only_confidence_is_wrong() -> None:
    empty = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, np.int64)}
    losses = grid_loss(Tensor(random_prediction(0, 2, GRID)), [empty, empty], GRID)
    assert [name for name, loss in losses.items() if loss.item() != 0] == ["loss_no_object"]


def test_an_object_at_the_last_edge_belongs_to_the_last_cell() -> None:
    target = {"boxes": np.array([[1.0, 1.0, 1.0, 1.0]]), "labels": np.array([1])}
    losses = grid_loss(Tensor(np.zeros((1, 2, 2, 12))), [target], ONE)
    assert losses["loss_centre"].item() == pytest.approx(5 * 2)


@pytest.mark.parametrize("label", [0, 5])
def test_refuses_labels(label: int) -> None:
    target = {"boxes": np.array([[0.0, 0.0, 0.5, 0.5]]), "labels": np.array([label])}
    with pytest.raises(ValueError, match=re.escape(f"targets' labels must be in [1, 4], got {label}")):
        grid_loss(Tensor(random_prediction(0, 1, GRID)), [target], GRID)


def test_refuses_shapes() -> None:
    with pytest.raises(ValueError, match="prediction"):
        decode_grid(np.zeros((1, 3, 3, 13)), GRID)
    with pytest.raises(ValueError, match="prediction"):
        grid_loss(Tensor(np.zeros((2, 3, 3, 14))), [random_objects(0, 1, GRID)], GRID)


def oracle() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    from tests.minidnn.detection import grid_in_torch

    return torch, grid_in_torch


@pytest.mark.reference
@pytest.mark.parametrize("grid", [GRID, Grid(cells=4, boxes=1, classes=2), Grid()])
def test_loss_and_gradient_are_the_papers(grid: Grid) -> None:
    torch, paper = oracle()
    prediction = random_prediction(1, 3, grid)
    targets = [random_objects(seed, count, grid) for seed, count in ((2, 6), (3, 0), (4, 2))]
    ours, theirs = Tensor(prediction, requires_grad=True), torch.from_numpy(prediction).requires_grad_()
    total, want = sum(grid_loss(ours, targets, grid).values()), paper.loss(theirs, targets, grid.boxes)
    assert total.item() == pytest.approx(want.item(), rel=1e-12)
    total.backward()
    want.backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.reference
def test_decoding_is_the_papers() -> None:
    torch, paper = oracle()
    prediction = random_prediction(5, 2, GRID)
    boxes, scores = decode_grid(prediction, GRID)
    for image, image_boxes, image_scores in zip(prediction, boxes, scores, strict=True):
        want = paper.decode(torch.from_numpy(image), GRID.boxes, 0.3)
        place, label = np.nonzero(image_scores > 0.3)
        assert len(want) > 5
        np.testing.assert_allclose(image_boxes[place].clip(0, 1), [entry[0] for entry in want], atol=1e-12)
        assert (label + 1).tolist() == [entry[1] for entry in want]
        np.testing.assert_allclose(image_scores[place, label], [entry[2] for entry in want], rtol=1e-12)
