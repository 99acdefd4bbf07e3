"""The first regions: a graph-based segmentation in one of several colour spaces. Needs scikit-image.

What shadows or a change of light divide in one space stays whole in another; the search runs in several
(Uijlings et al., "Selective search for object recognition", 2013, section 3.2, "Complementary colour
spaces").
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from kernels.array import Array

COLOUR_SPACES = ("hsv", "lab", "rgi", "h", "i")
# Smoothing before the segmentation, in pixels, as its authors recommend.
SIGMA = 0.8


def skimage_module(name: str) -> ModuleType:
    """Return a module of scikit-image (ImportError if it is not installed)."""
    from importlib import import_module

    try:
        return import_module(f"skimage.{name}")
    except ImportError:
        raise ImportError(
            'selective search needs scikit-image; install it by: pip install "minidnn[detection]"'
        ) from None


def in_colour_space(image: Array, space: str) -> Array:
    """Return an image's channels in a colour space, scaled to [0, 1].

        hsv   hue, saturation, value
        lab   lightness and two opponent colours of CIE L*a*b*: L / 100, (a + 128) / 255, (b + 128) / 255
        rgi   r = R / (R + G + B), g = G / (R + G + B) (a third each in black), i = (R + G + B) / 3
        h     the hue alone
        i     the intensity alone

    Args:
        image: float64 (H, W, 3), red, green and blue in [0, 1].
        space: one of `COLOUR_SPACES`.

    Shapes: result (H, W, C) with C 3 or 1.
    """
    if space in ("hsv", "h"):
        hsv: Array = skimage_module("color").rgb2hsv(image)
        return hsv if space == "hsv" else hsv[..., :1]
    if space == "lab":
        lab = skimage_module("color").rgb2lab(image)
        channels: Array = (lab + np.array([0, 128, 128])) / np.array([100, 255, 255])
        return np.clip(channels, 0, 1)
    total = image.sum(axis=-1, keepdims=True)  # (H, W, 1)
    if space == "i":
        intensity: Array = total / 3
        return intensity
    shares = np.divide(image[..., :2], total, out=np.full((*image.shape[:2], 2), 1 / 3), where=total > 0)
    return np.concatenate((shares, total / 3), axis=-1)


def segment(channels: Array, threshold: int) -> Array:
    """Return the number of its region for each pixel, int64 (H, W), counted from 0 without gaps.

    Args:
        channels: (H, W, C) in [0, 1].
        threshold: k of the segmentation, for values up to 255: larger regions for larger numbers; regions
            with fewer pixels are joined to a neighbour.

    Source: Felzenszwalb, Huttenlocher, "Efficient graph-based image segmentation", IJCV 59, 2004.
    """
    felzenszwalb = skimage_module("segmentation").felzenszwalb
    labels = felzenszwalb(channels, scale=threshold, sigma=SIGMA, min_size=threshold, channel_axis=-1)
    _, numbers = np.unique(labels, return_inverse=True)
    regions: Array = numbers.reshape(labels.shape).astype(np.int64)
    return regions


def neighbouring_pairs(labels: Array) -> Array:
    """Return the pairs (E, 2), first < second, of regions that touch, at an edge or a corner of pixels."""
    halves = (
        (labels[:, 1:], labels[:, :-1]),
        (labels[1:], labels[:-1]),
        (labels[1:, 1:], labels[:-1, :-1]),
        (labels[1:, :-1], labels[:-1, 1:]),
    )
    pairs = np.concatenate([np.stack((a.ravel(), b.ravel()), axis=1) for a, b in halves])  # (pixels, 2)
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(pairs, axis=0)
