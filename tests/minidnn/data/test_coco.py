"""COCO's files: what they hold, and what is said about broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn.data import CocoFolder, without_flagged
from minidnn.data.mask_formats import run_lengths
from models.labels import COCO
from tests.minidnn.data.files import refusal

Image = pytest.importorskip("PIL.Image")
WIDTH, HEIGHT = 30, 20
SQUARE = [[4, 5, 8, 5, 8, 9, 4, 9]]


def crowd_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[3:11, 7:20], mask[5, 9] = True, False
    return mask


def content() -> dict[str, Any]:
    """Two images, the second without objects; ids with gaps and in no order."""
    square = {"id": 71, "image_id": 9, "category_id": 18, "bbox": [4, 5, 4, 4], "area": 15.5, "iscrowd": 0}
    crowd = {"id": 70, "image_id": 9, "category_id": 1, "bbox": [7.0, 3.0, 13.0, 8.0], "iscrowd": 1}
    return {
        "info": {"year": 2017},
        "images": [
            {"id": 9, "file_name": "nine.png", "height": HEIGHT, "width": WIDTH},
            {"id": 4, "file_name": "four.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {**square, "segmentation": SQUARE},
            {**crowd, "segmentation": run_lengths(crowd_mask())},
        ],
        "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "person"}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("nine", "four"):
        Image.new("RGB", (WIDTH, HEIGHT), (51, 0, 255)).save(tmp_path / f"{name}.png")
    write(tmp_path, content())
    return tmp_path


def write(folder: Path, value: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(value))


def opened(folder: Path, **options: Any) -> CocoFolder:
    return CocoFolder(folder, folder / "instances.json", **options)


def test_items_are_images_and_half_open_boxes(folder: Path) -> None:
    dataset = opened(folder)
    assert dataset.classes == ("background", "person", "dog")
    assert len(dataset) == 2
    image, target = dataset[0]
    assert image.shape == (3, HEIGHT, WIDTH)
    np.testing.assert_allclose(image[:, 3, 4], [0.2, 0, 1], rtol=1e-6)
    assert target["boxes"].tolist() == [[4, 5, 8, 9], [7, 3, 20, 11]]
    assert target["labels"].tolist() == [2, 1]
    assert target["iscrowd"].tolist() == [False, True]
    assert target["area"].tolist() == [15.5, 13 * 8]  # the box's, where the file does not tell it
    wanted = {"boxes": np.float32, "labels": np.int64, "iscrowd": bool, "area": np.float32}
    assert {name: entry.dtype for name, entry in target.items()} == wanted


def test_an_image_without_objects(folder: Path) -> None:
    _, target = opened(folder, masks=True)[1]
    shapes = {name: entry.shape for name, entry in target.items()}
    want = {"boxes": (0, 4), "labels": (0,), "iscrowd": (0,), "area": (0,), "masks": (0, HEIGHT, WIDTH)}
    assert shapes == want


def test_the_data_sets_own_numbers_and_crowds_left_out(folder: Path) -> None:
    _, target = opened(folder, classes=COCO)[0]
    assert target["labels"].tolist() == [18, 1]
    assert without_flagged(target)["labels"].tolist() == [18]


def test_masks_of_polygons_and_of_run_lengths(folder: Path) -> None:
    _, target = opened(folder, masks=True)[0]
    want = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    want[0, 5:9, 4:8], want[1] = 1, crowd_mask()
    assert target["masks"].dtype == np.uint8
    assert np.array_equal(target["masks"], want)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_targets_are_those_of_pycocotools(folder: Path) -> None:
    """Its own reader, on polygons and both forms of run lengths."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    encode = pytest.importorskip("pycocotools.mask").encode
    value = content()
    packed = encode(np.asfortranarray(crowd_mask()[::-1].astype(np.uint8)))
    more = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    common = {"image_id": 4, "category_id": 18, "bbox": [1, 1, 5, 5], "iscrowd": 0, "area": 3}
    outline = [1.2, 2.7, 20.4, 3.3, 14.5, 18.1, 9.9, 6.6]
    value["annotations"] += [
        {**common, "id": 5, "segmentation": more},
        {**common, "id": 6, "segmentation": [outline, SQUARE[0]]},
    ]
    write(folder, value)
    theirs = coco.COCO(str(folder / "instances.json"))
    dataset = opened(folder, classes=COCO, masks=True)
    for index, number in enumerate((9, 4)):
        entries = theirs.loadAnns(theirs.getAnnIds(imgIds=[number]))
        _, target = dataset[index]
        assert target["labels"].tolist() == [entry["category_id"] for entry in entries]
        assert np.array_equal(target["masks"], [theirs.annToMask(entry) for entry in entries])


def test_rounding_at_the_border_is_cut_away(folder: Path) -> None:
    value = content()
    value["annotations"][0]["bbox"] = [-0.01, 5, 30.02, 15.01]
    write(folder, value)
    assert opened(folder)[0][1]["boxes"][0].tolist() == [0, 5, 30, 20]


def test_empty_boxes_can_be_left_out(folder: Path) -> None:
    value = content()
    value["annotations"][0]["bbox"] = [4, 5, 1.3, 0.0]
    write(folder, value)
    with pytest.raises(ValueError, match="annotation 71 has the box .* which is empty"):
        opened(folder)
    assert opened(folder, drop_empty=True)[0][1]["labels"].tolist() == [1]


def test_a_transform_gets_the_item(folder: Path) -> None:
    image, target = opened(folder, transform=lambda item: (item[0] + 1, {"labels": item[1]["labels"]}))[0]
    assert image.min() >= 1
    assert list(target) == ["labels"]


def changed(part: str, place: int, **entries: Any) -> Callable[[dict[str, Any]], Any]:
    """Return what changes an entry of one of the lists; None takes a key away."""

    def change(value: dict[str, Any]) -> Any:
        entry = {**value[part][place], **entries}
        value[part][place] = {key: item for key, item in entry.items() if item is not None}
        return value

    return change


def again(part: str) -> Callable[[dict[str, Any]], Any]:
    return lambda value: {**value, part: [*value[part], value[part][0]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: [], "must hold an object with images, annotations and categories"),
        (lambda value: {**value, "images": None}, "must have a list 'images', got None"),
        (lambda value: {**value, "categories": [3]}, r"categories\[0\] must be an object, got 3"),
        (again("categories"), r"categories\[2\] must have an id of its own, got 18 again"),
        (again("images"), r"images\[2\] must have an id of its own, got 9 again"),
        (changed("categories", 0, name=None), r"categories\[0\] must have a text 'name', got None"),
        (changed("categories", 0, name="person"), "classes must have different names, got 'person' twice"),
        (changed("images", 1, id="4"), r"images\[1\] must have an integer 'id', got '4'"),
        (changed("images", 1, file_name="x.png"), r"images\[1\] needs the file .*x\.png, which is missing"),
        (changed("images", 1, height=0), r"images\[1\] must have a width and height of 1 pixel and more"),
        (changed("annotations", 0, image_id=5), "annotation 71 has image_id 5, which the file does not list"),
        (changed("annotations", 0, category_id=2), "annotation 71 has category_id 2, which the file"),
        (
            changed("annotations", 0, bbox=None),
            "annotation 71 must have 4 finite numbers as 'bbox', got None",
        ),
        (changed("annotations", 0, bbox=[1, 2, 3]), "must have 4 finite numbers as 'bbox'"),
        (changed("annotations", 0, bbox=[1, 2, 3, "4"]), "must have 4 finite numbers as 'bbox'"),
        (changed("annotations", 0, bbox=[1, 2, 3, float("nan")]), "must have 4 finite numbers as 'bbox'"),
        (
            changed("annotations", 0, bbox=[4, 5, -2, 4]),
            r"\[4, 5, -2, 4\] \(x, y, width, height\), whose corners",
        ),
        (changed("annotations", 0, bbox=[4, 5, 0, 4]), "which is empty"),
        (changed("annotations", 0, bbox=[4, 5, 28, 4]), "which must lie in the image, 30 pixels wide"),
        (changed("annotations", 0, bbox=[4, -3, 2, 4]), "which must lie in the image"),
        (changed("annotations", 0, iscrowd=2), "annotation 71 must have iscrowd 0 or 1, got 2"),
        (changed("annotations", 0, area="large"), "must have 1 finite numbers as 'area'"),
        (changed("annotations", 0, id=None, image_id=5), r"annotations\[0\] has image_id 5"),
    ],
)
def test_broken_annotations(folder: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    write(folder, change(content()))
    with pytest.raises(ValueError, match=message):
        opened(folder)


@pytest.mark.parametrize("text", ["", "{", '{"images": [}', "[" * 100_000, "\x00"])
def test_no_json(folder: Path, text: str) -> None:
    (folder / "instances.json").write_text(text)
    with refusal(str(folder / "instances.json"), "is no readable JSON"):
        opened(folder)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [20, 31], "counts": [600]}, r"size must be \[20, 30\], the image's, got \[20, 31\]"),
        ({"size": [20, 30], "counts": [500]}, "counts must add up to the 20 x 30 pixels, got 500"),
        ({"size": [20, 30], "counts": "P"}, "cut off"),
        ({"size": [20, 30]}, "counts must add up"),
        ([[1, 2, 3, 4]], "at least three points"),
        ("SQUARE", "at least three points"),
    ],
)
def test_broken_masks_are_named_when_they_are_drawn(folder: Path, segmentation: Any, message: str) -> None:
    write(folder, changed("annotations", 0, segmentation=segmentation)(content()))
    dataset = opened(folder, masks=True)
    with pytest.raises(ValueError, match=rf"annotation 71 has a broken segmentation: .*{message}"):
        dataset[0]


def test_missing_masks_files_and_classes(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"category 18 is of class 'dog', which is none of the classes \(person"
    ):
        opened(folder, classes=("background", "person"))
    write(folder, changed("annotations", 0, segmentation=None)(content()))
    with pytest.raises(ValueError, match="annotation 71 must have a segmentation, since masks are asked for"):
        opened(folder, masks=True)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        CocoFolder(folder / "none", folder / "instances.json")
    with pytest.raises(FileNotFoundError):
        CocoFolder(folder, folder / "none.json")


def test_images_of_another_size(folder: Path) -> None:
    dataset = opened(folder)
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(folder / "four.png")
    with pytest.raises(
        ValueError, match=r"four\.png has \(20, 31\) rows and columns, but .* says \(20, 30\)"
    ):
        dataset[1]
