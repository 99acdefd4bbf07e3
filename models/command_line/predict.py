"""`minidnn predict`: what a trained model sees in image files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.command_line.options import DeviceName

if TYPE_CHECKING:
    from kernels.array import Array
    from minidnn import Device
    from minidnn.data import Preprocessing
    from minidnn.nn import Module

LARGEST_LABELS = 1 << 24


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, for example resnet50.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    weights: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="A file of weights: PyTorch's (.pth, .pt), safetensors, or a checkpoint of `minidnn train`; "
            "torchvision's names, or those of another package that the model is converted from. "
            "Several of them are an ensemble, whose probabilities are averaged.",
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="The classes' names: a text file with one per line, or a .json file: a list, or a "
            "dictionary from or to the classes' numbers.",
            show_default="the classes' numbers",
        ),
    ] = None,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An argument of the model that its weights do not tell, for example padding=tensorflow.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each image.")] = 5,
    ten_crop: Annotated[
        bool,
        typer.Option(
            "--ten-crop",
            help="Average over ten crops: the four corners and the centre, and the same mirrored.",
        ),
    ] = False,
    resize: Annotated[
        int | None,
        typer.Option(
            min=1, help="Length of the shorter side before cropping.", show_default="8/7 of the crop"
        ),
    ] = None,
    crop: Annotated[
        int | None, typer.Option(min=1, help="Size of the crop.", show_default="the model's input size")
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            help="Of each channel, for values in [0, 1].", show_default="ImageNet's: 0.485,0.456,0.406"
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            help="Standard deviation of each channel.", show_default="ImageNet's: 0.229,0.224,0.225"
        ),
    ] = None,
    device: DeviceName = "cpu",
) -> None:
    """Show the most probable classes of each IMAGE, with their probabilities.

    Images are resized, cropped in the centre and normalised as torchvision does it for the weights that it
    publishes; for checkpoints of `minidnn train` as that program does it. In a pipe the output is one line
    for each class: the image, the class and the probability, between tabs.
    """
    import minidnn
    from models.preprocessing import as_trained, preprocessing
    from models.weights import load_model

    place = minidnn.device(device)
    wanted = {"resize": resize, "crop": crop, "mean": _numbers("--mean", mean), "std": _numbers("--std", std)}
    given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    usual = preprocessing(model, **given)
    arguments = dict(map(parse_argument, argument or []))
    pictures = _open(images, len(usual.mean))
    names = None if labels is None else read_labels(labels)
    total: list[Array] = []
    for path in weights:
        loaded = load_model(model, path, **arguments)
        prepare = as_trained(usual, given) if loaded.trained_here else usual
        try:
            network = loaded.network.to(place)
            found = [_probabilities(network, prepare, picture, ten_crop, place) for picture in pictures]
        except ValueError as error:
            raise ValueError(f"{model} does not take crops of {prepare.crop}: {error}") from None
        if total and found[0].shape != total[0].shape:
            raise ValueError(f"{path} has {found[0].size} classes, but {weights[0]} has {total[0].size}")
        if names is not None and len(names) != found[0].size:
            raise ValueError(f"{labels} has {len(names)} names, but {path} has {found[0].size} classes")
        total = [one + more for one, more in zip(total, found, strict=True)] if total else found
    _show(images, [one / len(weights) for one in total], names, top)


def _open(paths: Sequence[Path], channels: int) -> list[Any]:
    from minidnn.data import open_image

    return [open_image(path, channels) for path in paths]


def parse_argument(text: str) -> tuple[str, Any]:
    """Return the name and the value in NAME=VALUE: a number, true or false, or a word.

    Raises:
        ValueError: no such text.
    """
    name, sign, value = text.partition("=")
    if not name.isidentifier() or not sign:
        raise ValueError(f"--argument must be a name and a value like padding=tensorflow, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be numbers with commas between them, got {text!r}") from None


def _probabilities(
    network: Module, prepare: Preprocessing, picture: Any, ten_crop: bool, place: Device
) -> Array:
    """The probability of every class, averaged over the crops: (classes,)."""
    from minidnn import Tensor, no_grad
    from minidnn.functional import softmax

    crops = prepare.ten_crops(picture) if ten_crop else prepare(picture)[None]  # (crops, C, H, W)
    with no_grad():
        scores = network(Tensor(crops).to(place))
        probabilities: Array = softmax(scores, dim=1).mean(0).cpu().numpy()
    return probabilities


def read_labels(path: Path) -> list[str]:
    """Return the classes' names from a text file (one per line), or from JSON in a file that ends in .json.

    JSON may hold a list of names, a dictionary from numbers to names (or to lists that end with the name, as
    Keras has them), or one from names to numbers.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no text, too long to be a list of names, or has numbers missing.
    """
    if path.stat().st_size > LARGEST_LABELS:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, too many for a list of names")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} must be a text in UTF-8 or JSON") from None
    if path.suffix.lower() != ".json":
        return text.rstrip().splitlines()
    try:
        return _names(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise ValueError(f"{path} must hold a list of names, or a dictionary of names and numbers") from None


def _names(content: Any) -> list[str]:
    if isinstance(content, dict):
        if all(type(number) is int for number in content.values()):
            content = {str(number): name for name, number in content.items()}
        content = [content[str(number)] for number in range(len(content))]
    names = [name[-1] if isinstance(name, list) else name for name in content]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a name is no text")
    return names


def _show(images: Sequence[Path], probabilities: Sequence[Array], names: list[str] | None, top: int) -> None:
    """A table for each image on a terminal, plain lines in a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    for path, values in zip(images, probabilities, strict=True):
        ranked = (-values).argsort(kind="stable")[:top]
        rows = [(f"class {i}" if names is None else names[i], f"{values[i]:.2%}") for i in ranked]
        if console.is_terminal:
            console.print(_table(str(path), rows))
        else:
            for name, share in rows:
                print(path, name, share, sep="\t")


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("class", title=escape(title), title_justify="left")
    table.add_column("confidence", justify="right")
    for name, share in rows:
        table.add_row(escape(name), share)
    return table
