"""Images of any size as one batch for a detector, and its detections back on the images as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array, check_integer
from kernels.window import Pair
from minidnn.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from minidnn.detection.anchors import ImageList
from minidnn.detection.masks import paste_masks_in_image
from minidnn.detection.targets import Target
from minidnn.functional import cat, interpolate, pad
from minidnn.tensor import Tensor, as_tensor


@dataclass(frozen=True)
class GeneralizedRCNNTransform:
    """Normalises images, resizes them with their objects, and pads them to one batch.

    1. (value - mean[channel]) / std[channel].
    2. Bilinear resizing (without antialiasing) by min(min_size / short side, max_size / long side), sizes
       rounded down; boxes follow, masks by nearest neighbour.
    3. Zeros at the right and below, up to the largest height and width, each rounded up to a multiple of
       `size_divisible`, so that every level of a backbone halves it evenly.

    Attributes:
        min_size: what the shorter side becomes, unless the longer one would then be above `max_size`.
        max_size: what the longer side becomes at most.
        image_mean, image_std: of each channel.
        size_divisible: the batch's height and width are multiples of it.

    Raises:
        ValueError: a size below 1.
        TypeError: a size that is not an integer.

    Source: torchvision's class of this name, step by step; the sizes are those of Lin et al., "Feature
    pyramid networks for object detection", 2017, section 5.
    """

    min_size: int
    max_size: int
    image_mean: Sequence[float] = IMAGENET_MEAN
    image_std: Sequence[float] = IMAGENET_STD
    size_divisible: int = 32

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size", "size_divisible"):
            check_integer(name, getattr(self, name), minimum=1)

    def __call__(
        self, images: Sequence[Any], targets: Sequence[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        """Return the batch, and the targets in the resized images' pixels.

        Args:
            images: floating (C, H, W) each, with values in [0, 1].
            targets: one for each image; "boxes" and "masks" are resized, other entries are kept.

        Raises:
            ValueError: no images, one of another shape, or too small to be resized.
            TypeError: images that are not floating.
        """
        if len(images) == 0:
            raise ValueError("images must hold at least one image, got none")
        tensors = [self._normalize(as_tensor(image)) for image in images]
        resized = [self._resize(image) for image in tensors]
        sizes = [image_size(image) for image in resized]
        batch = ImageList(self._batch(resized), sizes)
        if targets is None:
            return batch, None
        triples = zip(targets, tensors, sizes, strict=True)
        return batch, [resize_target(target, image_size(image), size) for target, image, size in triples]

    def _normalize(self, image: Tensor) -> Tensor:
        channels = len(self.image_mean)
        if image.ndim != 3 or image.shape[0] != channels:
            raise ValueError(f"images must have shape ({channels}, H, W) each, got {image.shape}")
        if image.dtype.kind != "f":
            raise TypeError(f"images must be floating, with values in [0, 1], got {image.dtype}")
        mean, std = (np.array(numbers, image.dtype) for numbers in (self.image_mean, self.image_std))
        return (image - mean[:, None, None]) / std[:, None, None]

    def _resize(self, image: Tensor) -> Tensor:
        short, long = sorted(image.shape[1:])
        scale = min(self.min_size / short, self.max_size / long)
        if scale == 1:  # interpolation would give the same values
            return image
        return interpolate(image[None], scale_factor=scale, mode="bilinear", recompute_scale_factor=True)[0]

    def _batch(self, images: Sequence[Tensor]) -> Tensor:
        """The images (C, H_i, W_i) with zeros at the right and below, (N, C, H, W)."""
        largest = np.max([image_size(image) for image in images], axis=0)
        height, width = -(-largest // self.size_divisible) * self.size_divisible
        return cat(
            [
                pad(image[None], (0, int(width) - image.shape[2], 0, int(height) - image.shape[1]))
                for image in images
            ]
        )

    def postprocess(
        self,
        detections: Sequence[Mapping[str, Array]],
        image_sizes: Sequence[Pair],
        original_sizes: Sequence[Pair],
    ) -> list[dict[str, Array]]:
        """Return the detections in the pixels of the images as they were given; masks become (D, 1, H, W)."""
        images = zip(detections, image_sizes, original_sizes, strict=True)
        return [_postprocessed(*image) for image in images]


def image_size(image: Tensor) -> Pair:
    """Return (H, W) of an image (C, H, W)."""
    return image.shape[1], image.shape[2]


def resize_boxes(boxes: Array, original_size: Pair, new_size: Pair) -> Array:
    """Return boxes (K, 4) of an image of `original_size` (H, W) in the pixels of one of `new_size`.

    The two ratios are rounded to float32 whatever the boxes' dtype, as in torchvision.
    """
    vertical, horizontal = (
        np.float32(new) / np.float32(old) for new, old in zip(new_size, original_size, strict=True)
    )
    resized: Array = boxes * np.array([horizontal, vertical, horizontal, vertical], boxes.dtype)
    return resized


def resize_target(target: Target, original_size: Pair, new_size: Pair) -> Target:
    """Return a target in the pixels of the resized image: its boxes and masks, the rest unchanged.

    Raises:
        ValueError: masks of another size than the image's.
    """
    resized = dict(target)
    if "boxes" in target:
        resized["boxes"] = resize_boxes(target["boxes"], original_size, new_size)
    if "masks" in target:
        if target["masks"].shape[1:] != original_size:
            raise ValueError(f"masks must have shape (L, *{original_size}), got {target['masks'].shape}")
        masks = target["masks"]
        if new_size != original_size:
            planes = masks[:, None].astype(np.float32)  # (L, 1, H, W)
            masks = interpolate(planes, size=new_size).numpy()[:, 0]
        resized["masks"] = masks.astype(np.uint8)
    return resized


def _postprocessed(detection: Mapping[str, Array], size: Pair, original_size: Pair) -> dict[str, Array]:
    result = dict(detection)
    result["boxes"] = resize_boxes(detection["boxes"], size, original_size)
    if "masks" in detection:
        result["masks"] = paste_masks_in_image(detection["masks"], result["boxes"], original_size)
    return result
