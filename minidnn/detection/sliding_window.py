"""A sliding window: a classifier is asked about every place and every size. What detectors began with.

Source: Rowley, Baluja, Kanade, "Neural network-based face detection", PAMI 20, 1998, section 2.1; Sermanet et
al., "OverFeat", 2014, section 3.5, for all windows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from kernels.array import Array, check_floating, check_integer, check_number
from kernels.window import Pair, pair
from minidnn import nn
from minidnn.data.resize import resize
from minidnn.detection.convolutional_form import ConvolutionalForm
from minidnn.detection.selection import select_detections
from minidnn.functional import softmax
from minidnn.modes import no_grad
from minidnn.tensor import Tensor, as_tensor


class WindowScorer(Protocol):
    """Something that gives the scores of all windows of an image.

    Attributes:
        window: height and width.
        stride: from one window to the next, downwards and to the right.
    """

    window: Pair
    stride: Pair

    def score(self, image: Array) -> Array:
        """Return the classes' scores (OH, OW, classes) of an image (C, H, W) not smaller than a window."""


class CropScorer:
    """Cuts the windows out and asks a classifier about each.

    Args:
        classifier: (N, C, h, w) -> scores (N, classes); used in the mode that it is in.
        window: h and w.
        stride: from one window to the next.
        batch_size: windows that the classifier sees at once.

    Raises:
        ValueError: a number below 1.
        TypeError: a number that is no integer.
    """

    def __init__(self, classifier: nn.Module, window: Any, stride: Any, batch_size: int = 256) -> None:
        self.classifier = classifier
        self.window = pair("window", window, minimum=1)
        self.stride = pair("stride", stride, minimum=1)
        self.batch_size = check_integer("batch_size", batch_size, minimum=1)

    def score(self, image: Array) -> Array:
        """Return the classes' scores (OH, OW, classes) of an image (C, H, W)."""
        views = np.lib.stride_tricks.sliding_window_view(image, self.window, axis=(1, 2))
        views = views[:, :: self.stride[0], :: self.stride[1]]  # (C, OH, OW, h, w)
        places = views.shape[1:3]
        crops = views.transpose(1, 2, 0, 3, 4).reshape(-1, len(image), *self.window)  # (OH OW, C, h, w)
        with no_grad():
            parts = [
                self.classifier(Tensor(crops[start : start + self.batch_size])).numpy()
                for start in range(0, len(crops), self.batch_size)
            ]
        return np.concatenate(parts).reshape(*places, -1)


class DenseScorer:
    """Computes all windows at once by the classifier's convolutional form; the stride is the form's.

    Args:
        form: see `convolutional_form`.
    """

    def __init__(self, form: ConvolutionalForm) -> None:
        self.form = form
        self.window = form.window
        self.stride = form.stride

    def score(self, image: Array) -> Array:
        """Return the classes' scores (OH, OW, classes) of an image (C, H, W)."""
        with no_grad():
            maps = self.form.score(Tensor(image[None])).numpy()  # (1, classes, OH, OW)
        scores: Array = maps[0].transpose(1, 2, 0)
        return scores


class Level(NamedTuple):
    """An image at one of its sizes.

    Attributes:
        image: (C, h, w).
        scale: its height and width, as parts of the original's.
    """

    image: Array
    scale: tuple[float, float]


def image_pyramid(image: Array, window: Pair, factor: float) -> Iterator[Level]:
    """Yield the image, then ever smaller ones, as long as a window fits.

    Level k has H / factor^k rows and W / factor^k columns, rounded to whole ones (halves to even), each
    resampled from the image itself.

    Args:
        image: (C, H, W).
        window: height and width.
        factor: above 1.
    """
    _, height, width = image.shape
    level = 0
    while True:
        size = round(height / factor**level), round(width / factor**level)
        if size[0] < window[0] or size[1] < window[1]:
            return
        yield Level(resize(image, size), (size[0] / height, size[1] / width))
        level += 1


class SlidingWindowDetector:
    """Finds objects by asking a classifier about windows of one size in images of many sizes.

    For each image it returns {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, best first, in the image's
    pixels. A score is the softmax of the window's class; class 0 is the background.

    Args:
        scorer: `CropScorer` or `DenseScorer`.
        factor: how much smaller each image is than the one before, above 1.
        score_thresh: a detection's least score, in [0, 1].
        nms_thresh: the IoU above which a better detection of the same class suppresses, in [0, 1].
        detections_per_img: how many detections an image has at most.

    Raises:
        ValueError: a number out of range.
        TypeError: a number of a wrong kind.
    """

    def __init__(
        self,
        scorer: WindowScorer,
        factor: float = 1.25,
        score_thresh: float = 0.5,
        nms_thresh: float = 0.3,
        detections_per_img: int = 100,
    ) -> None:
        self.scorer = scorer
        self.factor = check_number("factor", factor)
        if self.factor <= 1:
            raise ValueError(f"factor must be above 1, got {factor}")
        for name, value in (("score_thresh", score_thresh), ("nms_thresh", nms_thresh)):
            if check_number(name, value, minimum=0) > 1:
                raise ValueError(f"{name} must be at most 1, got {value}")
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = check_integer("detections_per_img", detections_per_img, minimum=1)

    def __call__(self, images: Sequence[Any]) -> list[dict[str, Array]]:
        """Return the detections in each image (C, H, W), of the classifier's dtype.

        Raises:
            ValueError: an image of another shape.
            TypeError: another dtype than float32 or float64.
        """
        return [self._detect(as_tensor(image).data) for image in images]

    def _detect(self, image: Array) -> dict[str, Array]:
        check_floating(images=image)
        if image.ndim != 3 or 0 in image.shape:
            raise ValueError(f"images must have shape (C, H, W) with pixels each, got {tuple(image.shape)}")
        boxes = [np.zeros((0, 4), image.dtype)]
        scores = []
        for level in image_pyramid(image, self.scorer.window, self.factor):
            logits = self.scorer.score(level.image)  # (OH, OW, classes)
            boxes.append(self._windows(logits.shape[:2], level.scale).astype(image.dtype))
            scores.append(softmax(logits, 2).numpy()[..., 1:].reshape(-1, logits.shape[2] - 1))
        likely = np.concatenate(scores) if scores else np.zeros((0, 1), image.dtype)
        corners = np.concatenate(boxes)[:, None].repeat(likely.shape[1], axis=1)  # (K, classes - 1, 4)
        return select_detections(
            corners, likely, image.shape[1:], self.score_thresh, self.nms_thresh, self.detections_per_img
        )

    def _windows(self, places: Pair, scale: tuple[float, float]) -> Array:
        """The windows (OH OW, 4) of a level, in the pixels of the original."""
        top, left = (
            grid.ravel() * step for grid, step in zip(np.indices(places), self.scorer.stride, strict=True)
        )
        height, width = self.scorer.window
        down, across = scale
        return np.stack((left / across, top / down, (left + width) / across, (top + height) / down), axis=1)
