"""Transforms with fixed arguments, ours and torchvision's side by side, and images to compare them on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidnn.data.transforms import functional as ours

STORED = Path(__file__).with_name("torchvision.npz")
STORED_SHAPES = ((23, 31), (34, 19))
LIVE_SHAPES = ((41, 27), (20, 53), (64, 65))
DTYPES = ("uint8", "float32")
FILL = (200, 31, 7)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


class Case(NamedTuple):
    """One transform: ours on an array (3, H, W), theirs on a tensor with torchvision's functional module."""

    ours: Callable[[np.ndarray], np.ndarray]
    theirs: Callable[[Any, Any], Any]
    dtypes: tuple[str, ...] = DTYPES


def image(shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Colours (3, H, W) on waves with noise: neighbours differ, and all hues and grey occur."""
    height, width = shape
    random = np.random.default_rng(height * 1000 + width)
    rows, columns = np.indices(shape)
    waves = np.stack([np.sin(rows / 3), np.cos(columns / 4), np.sin((rows + columns) / 5)])
    noise = random.integers(-60, 60, (3, height, width))
    levels = np.clip(waves * 100 + 128 + noise, 0, 255).astype(np.uint8)
    levels[:, 2, 3:9] = levels[:1, 2, 3:9]  # grey
    levels[:, 5:9, 4] = np.array([[0], [255], [255]])  # ties between two channels
    levels[:, 5:9, 5] = np.array([[255], [0], [255]])
    return levels if dtype == "uint8" else (levels / np.float32(255)).astype(np.float32)


def displacement(height: int, width: int) -> np.ndarray:
    """A smooth field (2, H, W) of up to three pixels."""
    rows, columns = np.indices((height, width))
    return np.stack([3 * np.sin(rows / 7 + columns / 11), 2.4 * np.cos(rows / 5 - columns / 9)])


def _their_elastic(functional: Any, tensor: Any, mode: str) -> Any:
    """torchvision counts displacements in half sizes: 2 / W to the pixel."""
    import torch

    height, width = tensor.shape[-2:]
    field = displacement(height, width) * np.array([2 / width, 2 / height])[:, None, None]
    grid = torch.from_numpy(field.transpose(1, 2, 0)[None].astype(np.float32))
    return functional.elastic_transform(tensor, grid, interpolation=_mode(mode))


def _mode(name: str) -> Any:
    from torchvision.transforms import InterpolationMode

    return InterpolationMode(name)


def _ten(functional: Any, tensor: Any) -> Any:
    import torch

    return torch.stack(functional.ten_crop(tensor, [14, 13]))


def _resized_crop(window: tuple[int, ...], size: tuple[int, int], antialias: bool) -> Case:
    return Case(
        lambda x: ours.resized_crop(x, *window, size, antialias),
        lambda f, t: f.resized_crop(t, *window, list(size), antialias=antialias),
    )


def _rotate(angle: float, mode: str) -> Case:
    return Case(
        lambda x: ours.rotate(x, angle, mode),
        lambda f, t: f.rotate(t, angle, interpolation=_mode(mode)),
    )


def _affine(angle: float, move: tuple[int, int], scale: float, shear: tuple[float, float], mode: str) -> Case:
    return Case(
        lambda x: ours.affine(x, angle, move, scale, shear, mode),
        lambda f, t: f.affine(t, angle, list(move), scale, list(shear), interpolation=_mode(mode)),
    )


def _adjust(name: str, factor: float) -> Case:
    return Case(
        lambda x: getattr(ours, f"adjust_{name}")(x, factor),
        lambda f, t: getattr(f, f"adjust_{name}")(t, factor),
    )


CASES: dict[str, Case] = {
    "hflip": Case(ours.hflip, lambda f, t: f.hflip(t)),
    "crop": Case(lambda x: ours.crop(x, 3, 5, 11, 13), lambda f, t: f.crop(t, 3, 5, 11, 13)),
    "crop beyond": Case(lambda x: ours.crop(x, -2, -3, 70, 30), lambda f, t: f.crop(t, -2, -3, 70, 30)),
    "center_crop": Case(lambda x: ours.center_crop(x, (12, 10)), lambda f, t: f.center_crop(t, [12, 10])),
    "resized_crop, smaller": _resized_crop((1, 2, 17, 15), (7, 9), True),
    "resized_crop, smaller, two pixels": _resized_crop((1, 2, 17, 15), (7, 9), False),
    "resized_crop, larger": _resized_crop((2, 1, 9, 11), (16, 29), True),
    "resized_crop, larger, two pixels": _resized_crop((2, 1, 9, 11), (16, 29), False),
    "resized_crop, mixed": _resized_crop((0, 3, 18, 7), (5, 20), True),
    "rotate 20": _rotate(20, "bilinear"),
    "rotate 20, nearest": _rotate(20, "nearest"),
    "rotate -77.5": _rotate(-77.5, "bilinear"),
    "rotate -77.5, nearest": _rotate(-77.5, "nearest"),
    "rotate, filled": Case(
        lambda x: ours.rotate(x, 33, "nearest", FILL if x.dtype == np.uint8 else 0.7),
        lambda f, t: f.rotate(t, 33, fill=list(FILL) if not t.is_floating_point() else [0.7] * 3),
    ),
    "affine": _affine(15, (3, -2), 1.2, (8, -5), "bilinear"),
    "affine, nearest": _affine(15, (3, -2), 1.2, (8, -5), "nearest"),
    "shear": _affine(0, (0, 0), 1.0, (25, 0), "bilinear"),
    "shear down": _affine(0, (0, 0), 1.0, (0, 31), "bilinear"),
    "affine, smaller": _affine(-130, (-4, 5), 0.6, (10, 20), "bilinear"),
    "elastic": Case(
        lambda x: ours.elastic(x, displacement(*x.shape[1:])), lambda f, t: _their_elastic(f, t, "bilinear")
    ),
    "elastic, nearest": Case(
        lambda x: ours.elastic(x, displacement(*x.shape[1:]), "nearest"),
        lambda f, t: _their_elastic(f, t, "nearest"),
    ),
    "gaussian_blur": Case(
        lambda x: ours.gaussian_blur(x, 1.7),
        lambda f, t: f.gaussian_blur(t, [15, 15], [1.7, 1.7]),  # |d| <= ceil(4 * 1.7) = 7
        ("float32",),
    ),
    "brightness 0": _adjust("brightness", 0),
    "brightness 0.6": _adjust("brightness", 0.6),
    "brightness 1.5": _adjust("brightness", 1.5),
    "contrast 0": _adjust("contrast", 0),
    "contrast 0.5": _adjust("contrast", 0.5),
    "contrast 1.7": _adjust("contrast", 1.7),
    "saturation 0": _adjust("saturation", 0),
    "saturation 0.3": _adjust("saturation", 0.3),
    "saturation 1.8": _adjust("saturation", 1.8),
    "hue 0": _adjust("hue", 0),
    "hue 0.2": _adjust("hue", 0.2),
    "hue -0.45": _adjust("hue", -0.45),
    "hue 0.5": _adjust("hue", 0.5),
    "normalize": Case(
        lambda x: ours.normalize(x, MEAN, STD),
        lambda f, t: f.normalize(t, list(MEAN), list(STD)),
        ("float32",),
    ),
    "ten_crop": Case(lambda x: ours.ten_crop(x, (14, 13)), _ten),
    "erase": Case(
        lambda x: ours.erase(x, 4, 7, 9, 5, 1),
        lambda f, t: f.erase(t, 4, 7, 9, 5, t.new_ones(1, 1, 1)),
    ),
}
RUNS = [(name, dtype) for name, case in CASES.items() for dtype in case.dtypes]
# Of one dtype each the answers are stored: 8-bit ones are small.
STORED_RUNS = [(name, case.dtypes[0]) for name, case in CASES.items()]
