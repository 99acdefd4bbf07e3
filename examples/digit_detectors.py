"""Three detectors learn to find digits: Faster R-CNN, Mask R-CNN and YOLO on scenes of handwritten digits.

Each is trained by `minidnn train` with its recipe; what the program prints is kept beside this file, as
digit_detectors/MODEL.txt: the epochs, the kinds of errors as the YOLO paper counts them, and the mean average
precision on held-out scenes. Then `minidnn detect` draws what each finds in the same four held-out scenes;
the picture has a row for each detector.

    python examples/digit_detectors.py                  # train all, and draw
    python examples/digit_detectors.py yolo_digits      # train this one only, and draw all that are trained
    python examples/digit_detectors.py --picture-only   # draw with the checkpoints that are there

Training takes up to 15 minutes on two cores for each; the picture needs Pillow (the `images` extra).
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidnn.data import DigitScenes

HERE = Path(__file__).parent
MODELS = ("faster_rcnn_digits", "mask_rcnn_digits", "yolo_digits")
SCENES = 4
SCENE_SEED = 3  # neither training nor the program's own tests use these
ENLARGED = 3  # each pixel becomes a square, from which a detector takes its middle again
GAP = 6


def train(model: str, arguments: Sequence[str], folder: Path, checkpoints: Path) -> None:
    """Train a detector; its lines go to the terminal and, with the command before them, to MODEL.txt."""
    command = ["train", model, "--checkpoint", str(checkpoints / f"{model}.safetensors"), *arguments]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{model}.txt").open("w") as log:
        print("$ minidnn", shlex.join(["train", model, *arguments]), file=log, flush=True)
        program = [sys.executable, "-u", "-m", "models.command_line", *command]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                log.write(line)
                log.flush()
    if process.returncode:
        raise SystemExit(process.returncode)


def write_scenes(folder: Path) -> list[Path]:
    """Write the held-out scenes as image files."""
    from PIL import Image

    scenes, paths = DigitScenes("test", SCENE_SEED), []
    for index in range(SCENES):
        pixels = np.round(scenes[index][0].transpose(1, 2, 0) * 255).astype(np.uint8)  # (H, W, 3)
        enlarged = pixels.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
        paths.append(folder / f"scene{index}.png")
        Image.fromarray(enlarged).save(paths[-1])
    return paths


def detect(model: str, checkpoint: Path, scenes: Sequence[Path], folder: Path) -> list[Path]:
    """Return the pictures that `minidnn detect` makes of the scenes."""
    command = [sys.executable, "-m", "models.command_line", "detect", model, *map(str, scenes)]
    options = ["--weights", str(checkpoint), "--labels", "digits", "--output", str(folder)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return [folder / scene.name for scene in scenes]


def join(rows: Sequence[Sequence[Path]], path: Path) -> None:
    """Write pictures of one size, row by row, as one."""
    from PIL import Image

    pictures = [[Image.open(picture).convert("RGB") for picture in row] for row in rows]
    width, height = (side + GAP for side in pictures[0][0].size)
    whole = Image.new("RGB", (width * len(pictures[0]) - GAP, height * len(pictures) - GAP), "white")
    for down, row in enumerate(pictures):
        for across, picture in enumerate(row):
            whole.paste(picture, (width * across, height * down))
    whole.save(path, optimize=True)


def draw(checkpoints: Path, path: Path) -> None:
    """Draw what each trained detector finds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = write_scenes(folder)
        files = {model: checkpoints / f"{model}.safetensors" for model in MODELS}
        trained = [model for model in MODELS if files[model].exists()]
        if not trained:
            raise SystemExit(f"there are no checkpoints in {checkpoints} yet: train first")
        join([detect(model, files[model], scenes, folder / model) for model in trained], path)


def main() -> None:
    """Run as the module says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all if none")
    parser.add_argument("--picture-only", action="store_true", help="do not train")
    parser.add_argument("--epochs", help="instead of the recipe's")
    parser.add_argument("--seed", help="of the training")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"), help="their folder")
    parser.add_argument("--out", type=Path, default=HERE, help="where logs and picture are written")
    options = parser.parse_args()
    arguments = [f"--{name}={value}" for name in ("epochs", "seed") if (value := getattr(options, name))]
    if not options.picture_only:
        for model in options.models or MODELS:
            train(model, arguments, options.out / "digit_detectors", options.checkpoints)
    draw(options.checkpoints, options.out / "digit_detectors.png")


if __name__ == "__main__":
    main()
