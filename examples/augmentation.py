"""What each random transform makes of a scene of digits, its boxes and its masks.

Boxes are drawn as lines, masks as tints; both went through the transform together with the image. A turned
box is the smallest upright one around its corners, so it grows; a warped one is the extent of the pixels that
are read inside it.

    python examples/augmentation.py               # write augmentation.png; needs the `plot` extra
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidnn import data
from minidnn.data import transforms
from minidnn.data.transforms import functional

HERE = Path(__file__).parent
SEED, SCENE, SIZE = 1, 3, 96
COLUMNS = 4
Scene = tuple[np.ndarray[Any, Any], dict[str, np.ndarray[Any, Any]]]


def panels() -> dict[str, Scene]:
    """Return the scene as it is and after every transform, by name."""
    scenes = data.DigitScenes("train", seed=SEED, size=SIZE)
    scene = scenes[SCENE]
    colors = functional.principal_colors(scenes[index] for index in range(32))
    random_transforms = {
        "RandomHorizontalFlip": transforms.RandomHorizontalFlip(1.0),
        "RandomCrop, padded": transforms.RandomCrop(SIZE, padding=16, fill=0.5),
        "RandomResizedCrop": transforms.RandomResizedCrop(SIZE, scale=(0.4, 0.7)),
        "RandomRotation": transforms.RandomRotation(30, fill=0.5),
        "RandomAffine, shear only": transforms.RandomAffine(0, shear=(40, 0), fill=0.5),
        "RandomElastic": transforms.RandomElastic(alpha=70, sigma=5, fill=0.5),
        "RandomChannelShift": transforms.RandomChannelShift(0.3),
        "ColorJitter": transforms.ColorJitter(0.5, 0.5, 0.5, 0.3),
        "RandomPCAColor": transforms.RandomPCAColor(colors, std=1.0),
        "Cutout": transforms.Cutout(32, fill=0.5),
    }
    drawn: dict[str, Scene] = {"as it is": scene}
    for place, (name, transform) in enumerate(random_transforms.items(), start=12):
        drawn[name] = transform(scene, np.random.default_rng(place))
    drawn["mixup with the next scene"] = mixed(scene, scenes[SCENE + 1])
    return drawn


def mixed(scene: Scene, other: Scene) -> Scene:
    """Blend two images; mixup has no boxes, only shares of classes."""
    images = np.stack([scene[0], other[0]])  # (2, C, H, W)
    blend, _ = functional.mixup(images, np.eye(2, dtype=np.float32), np.array([1, 0]), 0.6)
    nothing = {"boxes": np.zeros((0, 4)), "masks": np.zeros((0, SIZE, SIZE), np.uint8)}
    return blend[0], nothing


def plot(drawn: dict[str, Scene], path: Path) -> None:
    """Draw all scenes with their boxes and masks."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    colours = matplotlib.colormaps["tab10"].colors
    rows = -(-len(drawn) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(2.2 * COLUMNS, 2.4 * rows), layout="constrained", squeeze=False
    )
    for axis, (name, (image, target)) in zip(axes.flat, drawn.items(), strict=True):
        shown = image.transpose(1, 2, 0).copy()  # (H, W, C)
        for box, mask, label in zip(target["boxes"], target["masks"], target.get("labels", ()), strict=True):
            colour = colours[int(label) % len(colours)]
            shown[mask > 0] = 0.45 * shown[mask > 0] + 0.55 * np.array(colour)
            x1, y1, x2, y2 = box - 0.5  # from pixels' edges to their centres, as imshow counts
            axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.5))
        axis.imshow(np.clip(shown, 0, 1), interpolation="nearest")
        axis.set_title(name, fontsize=9)
        axis.set_axis_off()
    for axis in axes.flat[len(drawn) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=75, metadata={"Software": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figure")
    plot(panels(), parser.parse_args(arguments).out / "augmentation.png")


if __name__ == "__main__":
    main()
