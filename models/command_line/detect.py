"""`minidnn detect`: what a detector finds in image files, as pictures and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from models.command_line.predict import parse_argument, read_labels

if TYPE_CHECKING:
    from kernels.array import Array
    from minidnn.nn import Module
    from models.command_line.drawing import Found

MASK_THRESHOLD = 0.5


def detect(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's name, for example mask_rcnn_resnet50_fpn.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    weights: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="A file of weights: PyTorch's (.pth, .pt) or safetensors, torchvision's names.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Where pictures and JSON files are written.")
    ] = Path("detections"),
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="The classes' names: coco, voc, digits, or a file as `minidnn predict` takes it, background "
            "first.",
            show_default="coco for 91 classes, voc for 20 and the background, else the classes' numbers",
        ),
    ] = None,
    score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out what is less probable than this.")
    ] = 0.5,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An argument of the model that its weights do not tell, for example eps=1e-5.",
        ),
    ] = None,
) -> None:
    """Find objects in each IMAGE: boxes, classes, scores, and masks where the model draws them.

    DIR/NAME.png shows them on the image, DIR/NAME.json lists them: boxes are x1, y1, x2, y2 in pixels, masks
    are run lengths as COCO writes them (down the columns, the first run of pixels that do not belong to the
    object). The terminal gets a line for each object: image, class, score and box, between tabs.
    """
    from minidnn.data import open_image
    from models.registry import entry_of_kind
    from models.weights import load_model

    entry_of_kind(model, "detection")
    _check_names(images)
    pictures = [open_image(path) for path in images]
    network = load_model(model, weights, **dict(map(parse_argument, argument or []))).network
    names = _names(labels, network)
    output.mkdir(parents=True, exist_ok=True)
    for path, picture in zip(images, pictures, strict=True):
        detections = [found for found in _run(network, picture, names) if found.score >= score]
        _write(output / path.stem, path, picture, detections)
        for found in detections:
            box = " ".join(f"{number:.1f}" for number in found.box)
            print(path, found.name, f"{found.score:.2%}", box, sep="\t")


def _check_names(images: Sequence[Path]) -> None:
    """Two images of one name would be written into the same files."""
    name, count = Counter(path.stem for path in images).most_common(1)[0]
    if count > 1:
        raise ValueError(f"IMAGE files must have different names, got {count} of the name {name}")


def _names(labels: str | None, network: Module) -> Sequence[str]:
    """The names of the network's labels, the background's first."""
    from models.fast_rcnn import FastRCNN
    from models.labels import COCO, LISTS, VOC

    if isinstance(network, FastRCNN):
        raise ValueError("MODEL must find regions itself, got a Fast R-CNN, which is given them")
    count: int = network.num_labels
    if labels is None:
        numbers = ["background", *(f"class {number}" for number in range(1, count))]
        return next((names for names in (COCO, VOC) if len(names) == count), numbers)
    names = LISTS.get(labels) or read_labels(Path(labels))
    if len(names) != count:
        raise ValueError(f"{labels} has {len(names)} names, but the weights have {count} classes")
    return names


def _run(network: Module, picture: Any, names: Sequence[str]) -> list[Found]:
    """The detections on a picture, best first."""
    from minidnn import no_grad
    from models.command_line.drawing import Found

    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255)  # (3, H, W)
    with no_grad():
        (image,) = network([pixels])
    masks: Array | None = image.get("masks")  # (D, 1, H, W)
    return [
        Found(
            int(label),
            names[label],
            float(score),
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            None if masks is None else masks[index, 0] > MASK_THRESHOLD,
        )
        for index, (label, score, box) in enumerate(
            zip(image["labels"], image["scores"], image["boxes"], strict=True)
        )
    ]


def _write(target: Path, path: Path, picture: Any, detections: Sequence[Found]) -> None:
    """TARGET.png and TARGET.json."""
    from models.command_line.drawing import draw

    draw(picture, detections).save(f"{target}.png")
    content = {
        "image": str(path),
        "height": picture.height,
        "width": picture.width,
        "objects": [_entry(found) for found in detections],
    }
    Path(f"{target}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _entry(found: Found) -> Mapping[str, Any]:
    from minidnn.data.mask_formats import run_lengths

    entry = {"class": found.number, "name": found.name, "score": found.score, "box": found.box}
    return entry if found.mask is None else {**entry, "mask": run_lengths(found.mask)}
