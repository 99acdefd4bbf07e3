"""Scenes of digits: what holds for every one of them, and that they are drawn from their numbers alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations

import numpy as np
import pytest

from minidnn.data import DigitScenes, SceneLoader, collate_scenes, digits
from minidnn.data import digit_scenes as module
from minidnn.data.resize import resize

COUNT = 60


@pytest.fixture(scope="module", params=["train", "test"])
def scenes(request: pytest.FixtureRequest) -> DigitScenes:
    return DigitScenes(request.param, seed=11, size=80)


def test_items_have_the_promised_types_and_shapes(scenes: DigitScenes) -> None:
    for index in range(COUNT):
        image, target = scenes[index]
        count = len(target["labels"])
        assert (image.shape, image.dtype) == ((3, 80, 80), np.float32)
        assert 0 <= image.min() < image.max() <= 1
        assert sorted(target) == ["boxes", "labels", "masks"]
        assert (target["boxes"].shape, target["boxes"].dtype) == ((count, 4), np.float32)
        assert (target["labels"].shape, target["labels"].dtype) == ((count,), np.int64)
        assert (target["masks"].shape, target["masks"].dtype) == ((count, 80, 80), np.uint8)
        assert 1 <= count <= 5
        assert target["labels"].min() >= 1
        assert target["labels"].max() <= 10
    assert scenes.classes == ("background", *"0123456789")


def test_boxes_are_the_masks_extents(scenes: DigitScenes) -> None:
    for index in range(COUNT):
        _, target = scenes[index]
        for box, mask in zip(target["boxes"], target["masks"], strict=True):
            assert set(np.unique(mask)) == {0, 1}
            y, x = np.nonzero(mask)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_no_box_lies_much_in_another(scenes: DigitScenes) -> None:
    for index in range(COUNT):
        for one, other in combinations(scenes[index][1]["boxes"].astype(int), 2):
            canvas = np.zeros((2, 80, 80), bool)
            for layer, (x1, y1, x2, y2) in zip(canvas, (one, other), strict=True):
                layer[y1:y2, x1:x2] = True
            assert canvas.all(axis=0).sum() <= 0.3 * canvas.sum(axis=(1, 2)).min()


def test_all_digits_sizes_and_counts_occur() -> None:
    targets = [DigitScenes(seed=1)[index][1] for index in range(150)]
    labels = np.concatenate([target["labels"] for target in targets])
    sides = np.concatenate([target["boxes"][:, 3] - target["boxes"][:, 1] for target in targets])
    assert set(labels.tolist()) == set(range(1, 11))
    assert {len(target["labels"]) for target in targets} == {1, 2, 3, 4, 5}
    assert sides.min() < 18
    assert 35 < sides.max() <= 44


class Spy:
    """Stands in for a split's digits, and notes which are asked for."""

    def __init__(self, split: str) -> None:
        whole = digits(8, split)
        self.targets = whole.targets
        self.classes = whole.classes
        self.seen: set[int] = set()
        self.inputs = self
        self._images = whole.inputs

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: tuple[int, int]) -> np.ndarray:
        self.seen.add(key[0])
        return self._images[key]


def test_a_split_s_scenes_have_digits_of_that_split_only(monkeypatch: pytest.MonkeyPatch) -> None:
    spies = {split: Spy(split) for split in ("train", "test")}
    monkeypatch.setattr(module, "_digits", spies.get)
    for split, others in (("train", "test"), ("test", "train")):
        before = set(spies[others].seen)
        for index in range(20):
            DigitScenes(split, seed=4)[index]
        assert spies[split].seen
        assert spies[others].seen == before
    images = {
        split: {spies[split]._images[index].tobytes() for index in spies[split].seen} for split in spies
    }
    assert not images["train"] & images["test"]


def test_every_digit_in_a_scene_is_one_of_its_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found again from the outside: a mask, brought to 8x8, is most like a digit of its own label."""
    whole = digits(8, "train")
    right = total = 0
    for index in range(30):
        _, target = DigitScenes("train", seed=9)[index]
        for box, mask, label in zip(
            target["boxes"].astype(int), *map(target.get, ("masks", "labels")), strict=True
        ):
            seen = resize(mask[box[1] : box[3], box[0] : box[2]].astype(np.float32), 8)
            nearest = ((whole.inputs[:, 0] - seen) ** 2).sum(axis=(1, 2)).argmin()
            right += int(whole.targets[nearest] == label - 1)
            total += 1
    assert right > 0.7 * total


def test_a_scene_depends_on_seed_split_and_index_only() -> None:
    scenes = DigitScenes(seed=2, size=64)
    first = [scenes[index] for index in range(8)]
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(DigitScenes(seed=2, size=64, length=3).__getitem__, reversed(range(8))))[
            ::-1
        ]
    for (image, target), (other, same) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image, other)
        for name, values in target.items():
            np.testing.assert_array_equal(values, same[name])
    everything = [image.tobytes() for image, _ in first]
    everything += [DigitScenes("train", seed=3, size=64)[0][0].tobytes()]
    everything += [DigitScenes("test", seed=2, size=64)[0][0].tobytes()]
    assert len(set(everything)) == len(everything)


def test_there_is_no_last_scene() -> None:
    scenes = DigitScenes(seed=5, length=7)
    assert len(scenes) == 7
    assert scenes[10**12][1]["boxes"].shape[1] == 4


def test_every_epoch_of_a_loader_has_scenes_of_its_own() -> None:
    scenes = DigitScenes(seed=5, size=64, length=5)
    loaders = [
        SceneLoader(scenes, batch_size=2, num_workers=workers, collate=collate_scenes) for workers in (0, 3)
    ]
    for epoch in (0, 2):
        for loader in loaders:
            loader.set_epoch(epoch)
            images, targets = zip(*loader.batches(1), strict=True)
            assert [len(batch) for batch in images] == [2, 1]
            for index, image, target in zip((2, 3, 4), chain(*images), chain(*targets), strict=True):
                want, wanted = scenes[5 * epoch + index]
                np.testing.assert_array_equal(image, want)
                np.testing.assert_array_equal(target["boxes"], wanted["boxes"])


def test_ink_differs_from_its_surroundings() -> None:
    """A digit over which nothing lies can be told from the background: its colour is uniform and another."""
    for index in range(20):
        image, target = DigitScenes(seed=6)[index]
        last = target["masks"][-1].astype(bool)
        elsewhere = ~target["masks"].any(axis=0)
        luma = np.einsum("chw,c->hw", image, [0.299, 0.587, 0.114])
        assert abs(np.median(luma[last]) - np.median(luma[elsewhere])) > 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "validation"}, "split must be 'train' or 'test', got 'validation'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"size": 63}, "size must be at least 64, got 63"),
        ({"length": 0}, "length must be at least 1, got 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DigitScenes(**arguments)


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(ValueError, match="index must be at least 0, got -1"):
        DigitScenes()[-1]
