"""Detectors in the training loop: what is minimised, what is measured, by detectors that know the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn, optim
from minidnn.data import DigitScenes, SceneLoader, collate_scenes
from minidnn.training import DetectionMetrics, DetectorTrainer, detect_all

SCENES = DigitScenes("test", seed=21, size=64, length=6)


class Oracle(nn.Module):
    """Finds the first `share` of the scenes' objects exactly; its losses are squares of a weight."""

    def __init__(self, share: float, masks: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.array([3.0], np.float32))
        self.answers = {image.tobytes(): target for image, target in map(SCENES.__getitem__, range(6))}
        self.share = share
        self.masks = masks

    def forward(self, images: Any, targets: Any = None) -> Any:
        if self.training:
            square = (self.weight * self.weight).sum()
            return {"loss_one": square, "loss_two": square * 2}
        return [self.found(self.answers[image.tobytes()]) for image in images]

    def found(self, target: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = round(self.share * len(target["labels"]))
        result = {name: target[name][:count] for name in ("boxes", "labels")}
        result["scores"] = np.linspace(0.9, 0.8, count)
        if self.masks:
            result["masks"] = np.where(target["masks"][:count, None] == 1, 0.75, 0.25)  # (D, 1, H, W)
        return result


def loader(batch_size: int = 4) -> SceneLoader:
    return SceneLoader(SCENES, batch_size, collate=collate_scenes)


def test_all_images_are_looked_at_and_masks_decided() -> None:
    model, batches = Oracle(1.0, masks=True), []
    predictions, targets = detect_all(model, loader(), lambda: batches.append(model.training))
    assert batches == [False, False]
    assert model.training
    assert len(predictions) == len(targets) == 6
    for prediction, target in zip(predictions, targets, strict=True):
        assert prediction["masks"].dtype == bool
        np.testing.assert_array_equal(prediction["masks"], target["masks"] == 1)


@pytest.mark.parametrize("masks", [False, True])
def test_an_epoch_s_row(masks: bool) -> None:
    model = Oracle(1.0, masks)
    trainer = DetectorTrainer(model, optim.SGD(model.parameters(), lr=0.0), loader(), loader(3))
    (row,) = trainer.fit(1)
    assert row == DetectionMetrics(
        epoch=1,
        lr=0.0,
        train_loss=pytest.approx(27),
        box_precision=pytest.approx(1),
        mask_precision=pytest.approx(1) if masks else None,
        seconds=row.seconds,
    )


def test_what_is_not_found_lowers_the_precision() -> None:
    model = Oracle(0.5, masks=True)
    trainer = DetectorTrainer(model, optim.SGD(model.parameters(), lr=0.0), loader(), loader())
    (row,) = trainer.fit(1)
    labels = np.concatenate([SCENES[index][1]["labels"] for index in range(6)])
    predictions, _ = detect_all(model, loader())
    found = np.concatenate([prediction["labels"] for prediction in predictions])
    # Nothing wrong is found: each class's precision is 1 up to the share of its objects that are found.
    want = np.mean([np.sum(found == label) / np.sum(labels == label) for label in np.unique(labels)])
    assert row.box_precision == pytest.approx(want)
    assert 0 < row.mask_precision < 1


def test_the_sum_of_the_losses_is_minimised() -> None:
    model = Oracle(1.0, masks=False)
    trainer = DetectorTrainer(model, optim.SGD(model.parameters(), lr=0.01), loader(), loader())
    trainer.fit(1)
    # Two steps along the gradient 6 w.
    np.testing.assert_allclose(model.weight.data, [3 * 0.94**2], rtol=1e-6)
    assert isinstance(model.weight, Tensor)
