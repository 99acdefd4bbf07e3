"""`minidnn detect`: pictures, JSON, labels, and a user's mistakes in one line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import nn
from models import command_line, registry
from models.command_line.drawing import Found, colour_of, draw
from models.labels import COCO, VOC

Image = pytest.importorskip("PIL.Image")
MODEL = "a_tiny_detector"
HEIGHT, WIDTH = 60, 90
BOXES = [[10.0, 20.0, 40.0, 50.0], [50.0, 5.0, 80.0, 30.0], [0.0, 0.0, 5.0, 5.0]]
SCORES = [0.9, 0.75, 0.3]


class Tiny(nn.Module):
    """Finds the same three objects in every image; their scores are its weights."""

    def __init__(self, num_classes: int, masks: bool) -> None:
        super().__init__()
        self.scores = nn.Parameter(np.zeros(3, np.float32))
        self.head = nn.Linear(2, num_classes)
        self.num_labels = num_classes
        self.masks = masks

    def forward(self, images: Any) -> list[dict[str, np.ndarray]]:
        found = {
            "boxes": np.array(BOXES, np.float32),
            "labels": np.array([1, 2, 1]),
            "scores": self.scores.data,
        }
        if self.masks:
            found["masks"] = np.zeros((3, 1, HEIGHT, WIDTH), np.float32)
            found["masks"][0, 0, 20:50, 10:25] = 0.8
        assert all(image.dtype == np.float32 and 0 <= image.min() <= image.max() <= 1 for image in images)
        return [found for _ in images]


def a_tiny_detector(num_classes: int = 21, masks: bool = False) -> Tiny:
    """For any images."""
    return Tiny(num_classes, masks)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a grey image and weights."""
    entry = registry.Entry(MODEL, a_tiny_detector, (3, HEIGHT, WIDTH), "detection")
    monkeypatch.setitem(registry._entries, MODEL, entry)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (WIDTH, HEIGHT), (100, 100, 100)).save("scene.jpg")
    write_weights("tiny.safetensors")
    return tmp_path


def write_weights(path: str, num_classes: int = 21) -> None:
    network = Tiny(num_classes, masks=False)
    network.scores.data[...] = SCORES
    minidnn.save(network, path)


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of the program, in this process."""
    status = 0
    program, sys.argv[1:] = sys.argv[1:], ["detect", *arguments]
    try:
        command_line.main()
    except SystemExit as stopped:
        status = stopped.code or 0
    finally:
        sys.argv[1:] = program
    written = capsys.readouterr()
    return status, written.out, written.err


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_picture_a_list_and_lines(folder: Path, capsys: Any) -> None:
    status, out, err = run(capsys, MODEL, "scene.jpg", "--weights", "tiny.safetensors")
    assert (status, err) == (0, "")
    assert out == (
        "scene.jpg\taeroplane\t90.00%\t10.0 20.0 40.0 50.0\nscene.jpg\tbicycle\t75.00%\t50.0 5.0 80.0 30.0\n"
    )
    content = json.loads((folder / "detections/scene.json").read_text())
    assert (content["image"], content["height"], content["width"]) == ("scene.jpg", HEIGHT, WIDTH)
    assert [entry["name"] for entry in content["objects"]] == ["aeroplane", "bicycle"]
    assert content["objects"][0]["box"] == BOXES[0]
    assert content["objects"][1]["class"] == 2
    assert "mask" not in content["objects"][0]
    picture = pixels(folder / "detections/scene.png")
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert tuple(picture[50, 30]) == colour_of(1)
    assert tuple(picture[30, 60]) == colour_of(2)
    np.testing.assert_allclose(picture[40, 30], 100, atol=2)


def test_masks_are_drawn_and_listed(folder: Path, capsys: Any) -> None:
    command = (
        MODEL,
        "scene.jpg",
        "--weights",
        "tiny.safetensors",
        "--argument",
        "masks=true",
        "--output",
        "a/b",
    )
    assert run(capsys, *command)[0] == 0
    first, second = json.loads((folder / "a/b/scene.json").read_text())["objects"]
    # Ten columns before it; each of fifteen columns has 20 pixels above and 10 below.
    want = [10 * HEIGHT + 20, *([30, 30] * 14), 30, 10 + (WIDTH - 25) * HEIGHT]
    assert first["mask"] == {"size": [HEIGHT, WIDTH], "counts": want}
    assert second["mask"]["counts"] == [HEIGHT * WIDTH]
    picture = pixels(folder / "a/b/scene.png")
    np.testing.assert_allclose(picture[40, 18], 0.55 * 100 + 0.45 * np.array(colour_of(1)), atol=2)
    np.testing.assert_allclose(picture[40, 30], 100, atol=2)


@pytest.mark.parametrize(
    ("classes", "labels", "names"),
    [
        (91, (), ["person", "bicycle", "person"]),
        (3, (), ["class 1", "class 2", "class 1"]),
        (3, ("--labels", "own.txt"), ["cat", "dog", "cat"]),
        (91, ("--labels", "coco"), ["person", "bicycle", "person"]),
    ],
)
def test_labels_and_a_lower_score(
    classes: int, labels: tuple[str, ...], names: list[str], folder: Path, capsys: Any
) -> None:
    write_weights("other.safetensors", classes)
    (folder / "own.txt").write_text("nothing\ncat\ndog\n")
    command = (MODEL, "scene.jpg", "--weights", "other.safetensors", "--score", "0.2")
    _, out, _ = run(capsys, *command, "--argument", f"num_classes={classes}", *labels)
    assert [line.split("\t")[1] for line in out.splitlines()] == names


MISTAKES = {
    "a classifier": (
        ("resnet18", "scene.jpg", "--weights", "tiny.safetensors"),
        "resnet18 is a model for classification, not for detection",
    ),
    "two of a name": (
        (MODEL, "scene.jpg", "other/scene.png", "--weights", "tiny.safetensors"),
        "IMAGE files must have different names, got 2 of the name scene",
    ),
    "no image": ((MODEL, "no.jpg", "--weights", "tiny.safetensors"), "no.jpg: No such file or directory"),
    "too few labels": (
        (MODEL, "scene.jpg", "--weights", "tiny.safetensors", "--labels", "coco"),
        "coco has 91 names, but the weights have 21 classes",
    ),
    "no weights": ((MODEL, "scene.jpg", "--weights", "no.pth"), "no.pth: No such file or directory"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_told_in_one_line(kind: str, folder: Path, capsys: Any) -> None:
    arguments, message = MISTAKES[kind]
    status, out, err = run(capsys, *arguments)
    assert (status, out, err) == (2, "", f"minidnn: {message}\n")
    assert not (folder / "detections").exists()


@pytest.mark.parametrize("command", ["predict", "train"])
def test_classifiers_programs_refuse_detectors(command: str) -> None:
    from typer.testing import CliRunner

    weights = ["x.png", "--weights", "x"] if command == "predict" else []
    result = CliRunner().invoke(command_line.app, [command, "yolo_v1", *weights])
    assert str(result.exception) == "yolo_v1 is a model for detection, not for classification"


def test_lists_have_the_published_numbers() -> None:
    assert (len(VOC), VOC[15], VOC[20]) == (21, "person", "tvmonitor")
    assert len(COCO) == 91
    assert sum(re.fullmatch(r"class \d+", name) is None for name in COCO[1:]) == 80
    assert [COCO[number] for number in (1, 12, 44, 62, 78, 90)] == [
        *("person", "class 12", "bottle", "chair", "microwave", "toothbrush")
    ]


def test_the_best_detection_lies_on_top() -> None:
    box = (2.0, 20.0, 20.0, 30.0)
    entries = [Found(number, "x", 0.5, box, None) for number in (1, 2)]
    picture = np.asarray(draw(Image.new("RGB", (40, 40)), entries))
    assert tuple(picture[30, 18]) == colour_of(1)


def test_a_name_stays_within_the_picture() -> None:
    box = (190.0, 30.0, 199.0, 50.0)
    picture = np.asarray(draw(Image.new("RGB", (200, 60)), [Found(1, "x", 0.5, box, None)]))
    assert (picture[:30, :189] == colour_of(1)).all(axis=-1).any()
