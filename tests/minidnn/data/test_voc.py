"""VOC's folders: what they hold, and what is said about broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn.data import VocFolder, without_flagged
from models.labels import VOC
from tests.minidnn.data.files import refusal

Image = pytest.importorskip("PIL.Image")
WIDTH, HEIGHT = 30, 20
DOG = ("dog", (1, 1, 30, 20), 0)
CAT = ("cat", (5, 6, 5, 9), 1)
PART = (
    "<part><name>head</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></part>"
)


def xml_of(objects: Any, filename: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    """An annotation as the challenge's files have it."""
    lines = [
        "<annotation><folder>VOC</folder>",
        f"<filename>{filename}</filename>",
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>",
    ]
    for name, (xmin, ymin, xmax, ymax), difficult in objects:
        box = f"<xmax>{xmax}</xmax><xmin>{xmin}</xmin><ymax>{ymax}</ymax><ymin>{ymin}</ymin>"
        lines.append(
            f"<object>{PART}<name>{name}</name><difficult>{difficult}</difficult>"
            f"<pose>Left</pose><bndbox>{box}</bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>"])


def write_image(folder: Path, name: str, objects: Any, colour: int = 100) -> None:
    for part in ("Annotations", "JPEGImages"):
        (folder / part).mkdir(exist_ok=True)
    (folder / "Annotations" / f"{name}.xml").write_text(xml_of(objects, f"{name}.png"))
    Image.new("RGB", (WIDTH, HEIGHT), (colour, 0, 255)).save(folder / "JPEGImages" / f"{name}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with objects, one without."""
    write_image(tmp_path, "b", [DOG, CAT], colour=51)
    write_image(tmp_path, "a", [CAT])
    write_image(tmp_path, "c", [])
    return tmp_path


def annotation(folder: Path, name: str = "b") -> Path:
    return folder / "Annotations" / f"{name}.xml"


def test_items_are_images_and_half_open_boxes(folder: Path) -> None:
    dataset = VocFolder(folder)
    assert dataset.classes == ("background", "cat", "dog")
    assert len(dataset) == 3
    image, target = dataset[1]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[:, 3, 4], [0.2, 0, 1], rtol=1e-6)
    assert target["boxes"].tolist() == [[0, 0, 30, 20], [4, 5, 5, 9]]
    assert target["labels"].tolist() == [2, 1]
    assert target["difficult"].tolist() == [False, True]
    assert [target[name].dtype for name in ("boxes", "labels", "difficult")] == [np.float32, np.int64, bool]
    assert "masks" not in target


def test_an_image_without_objects(folder: Path) -> None:
    _, target = VocFolder(folder)[2]
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].shape == (0,)
    assert target["labels"].dtype == np.int64


def test_the_challenges_classes_and_difficult_objects_left_out(folder: Path) -> None:
    dataset = VocFolder(folder, classes=VOC)
    target = without_flagged(dataset[1][1])
    assert [VOC[label] for label in target["labels"]] == ["dog"]
    assert target["boxes"].tolist() == [[0, 0, 30, 20]]
    assert target["difficult"].tolist() == [False]


def test_a_split_lists_names(folder: Path) -> None:
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("c\nb  1\n\n")
    dataset = VocFolder(folder, "train")
    assert [image.annotation.stem for image in dataset.images] == ["c", "b"]
    (lists / "empty.txt").write_text("\n")
    with refusal(str(lists / "empty.txt"), "must name at least one image"):
        VocFolder(folder, "empty")
    (lists / "more.txt").write_text("b\nnone\n")
    with pytest.raises(ValueError, match=r"none\.xml is missing, but the list of the split names it"):
        VocFolder(folder, "more")
    with pytest.raises(FileNotFoundError, match=r"there is no .*test\.txt"):
        VocFolder(folder, "test")


def test_a_transform_gets_the_item(folder: Path) -> None:
    dataset = VocFolder(
        folder, transform=lambda item: (item[0] + 1, {**item[1], "boxes": item[1]["boxes"] * 2})
    )
    image, target = dataset[0]
    assert image.min() >= 1
    assert target["boxes"].tolist() == [[8, 10, 10, 18]]


def test_masks_of_a_palette(folder: Path) -> None:
    """Object 1 in two places, object 2 nowhere; 255 along the borders belongs to none."""
    indices = np.zeros((HEIGHT, WIDTH), np.uint8)
    indices[2:5, 3:9], indices[10, 10], indices[5, 3:9] = 1, 1, 255
    picture = Image.fromarray(indices, "L").convert("P")
    picture.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    for part in ("SegmentationObject", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("b\n")
    picture.save(folder / "SegmentationObject" / "b.png")
    _, target = VocFolder(folder, "val", masks=True)[0]
    want = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    want[0, 2:5, 3:9], want[0, 10, 10] = 1, 1
    assert target["masks"].dtype == np.uint8
    assert np.array_equal(target["masks"], want)
    with pytest.raises(ValueError, match=r"a\.xml needs the file .*a\.png, which is missing"):
        VocFolder(folder, masks=True)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((HEIGHT, WIDTH), 3, np.uint8), "has pixels of object 3, but .* has 2"),
        (np.zeros((HEIGHT, WIDTH + 1), np.uint8), r"has \(20, 31\) rows and columns, but .* says \(20, 30\)"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), "must be an image with a palette or of grey values"),
    ],
)
def test_masks_that_do_not_fit(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    write_image(tmp_path, "b", [DOG, CAT])
    (tmp_path / "SegmentationObject").mkdir()
    Image.fromarray(pixels).save(tmp_path / "SegmentationObject" / "b.png")
    with pytest.raises(ValueError, match=message):
        VocFolder(tmp_path, masks=True)[0]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((9, 1, 5, 6), r"xmin 9, ymin 1, xmax 5, ymax 6 \(from 1 on\), whose corners are in reversed order"),
        ((1, 9, 5, 6), "whose corners are in reversed order"),
        ((6, 1, 5, 6), "which is empty"),
        ((1, 7, 5, 6), "which is empty"),
        ((0, 1, 5, 6), "which must lie in the image, 30 pixels wide and 20 high"),
        ((1, 1, 31, 6), "which must lie in the image"),
        ((1, 1, 5, 21), "which must lie in the image"),
        ((1, 0, 5, 6), "which must lie in the image"),
        (("one", 1, 5, 6), r"object 2 \(cat\) must have a number in <bndbox><xmin>, got 'one'"),
        (("inf", 1, 5, 6), "must have a number"),
        (("", 1, 5, 6), "must have <bndbox><xmin>, it is missing or empty"),
    ],
)
def test_broken_boxes(tmp_path: Path, box: Any, message: str) -> None:
    write_image(tmp_path, "b", [DOG, ("cat", box, 0)])
    with refusal(f"{annotation(tmp_path)}: object 2 (cat)", message):
        VocFolder(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no readable XML: no element found"),
        ("<annotation><object></annotation>", "is no readable XML: mismatched tag"),
        ("<image/>", "must hold an <annotation>, got <image>"),
        ("<?xml version='1.0' encoding='none-such'?><annotation/>", "is no readable XML"),
        ("<annotation/>", "must have <size><height>, it is missing or empty"),
        (xml_of([DOG], "b.png", size=(0, 20)), "width and height of 1 pixel and more, got 0 and 20"),
        (xml_of([DOG], "b.png").replace("<filename>b.png", "<filename>"), "must have <filename>"),
        (xml_of([DOG], "x.png"), r"needs the file .*x\.png, which is missing"),
        (xml_of([("", (1, 1, 2, 2), 0)], "b.png"), "object 1 must have <name>"),
        (xml_of([("dog", (1, 1, 2, 2), "yes")], "b.png"), r"\(dog\) must have <difficult> 0 or 1, got 'yes'"),
    ],
)
def test_broken_annotations(folder: Path, content: str, message: str) -> None:
    annotation(folder).write_text(content)
    with refusal(str(annotation(folder)), message):
        VocFolder(folder)


def test_unknown_classes_and_lists_of_classes(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"object 1 \(dog\) is of class 'dog', which is none of .*\(dogs "):
        VocFolder(folder, classes=("background", "cat", "dogs"))
    for classes in (("dog", "cat"), ("background",), ("background", "dog", "dog")):
        with pytest.raises(ValueError, match="classes must"):
            VocFolder(folder, classes=classes)


def test_images_that_are_broken_or_of_another_size(folder: Path) -> None:
    dataset = VocFolder(folder)
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(folder / "JPEGImages" / "a.png")
    with pytest.raises(
        ValueError, match=r"a\.png has \(21, 30\) rows and columns, but .*a\.xml says \(20, 30\)"
    ):
        dataset[0]
    (folder / "JPEGImages" / "a.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"a\.png is no readable image"):
        dataset[0]


def test_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must hold a folder Annotations"):
        VocFolder(tmp_path)
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(FileNotFoundError, match="must hold an XML file per image, there is none"):
        VocFolder(tmp_path)
