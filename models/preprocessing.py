"""How images are brought to a model: what its published weights expect of sizes, filter, mean, deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from minidnn.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from models.registry import entry_of_kind

# Networks for larger images than this are taken to be ImageNet's.
LARGEST_SMALL_IMAGE = 64
# Length of the shorter side and of the crop of torchvision's files that are not 256 / 224 of each other.
_BICUBIC_SIZES = {
    "efficientnet_b0": (256, 224),
    "efficientnet_b1": (256, 240),
    "efficientnet_b2": (288, 288),
    "efficientnet_b3": (320, 300),
    "efficientnet_b4": (384, 380),
    "efficientnet_b5": (456, 456),
    "efficientnet_b6": (528, 528),
    "efficientnet_b7": (600, 600),
}
# Published weights of these networks take values in [-1, 1]. (torchvision's models, given such weights, are
# shown images in ImageNet's normalisation and turn it into this one themselves: their `transform_input`.)
_CENTRED = (
    "googlenet_bn",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "mobilenet_v1",
    "xception",
)


def preprocessing(
    name: str,
    resize: int | None = None,
    crop: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> Preprocessing:
    """Return the preprocessing of a model by its name; arguments that are given replace its own.

    A model for large colour images resizes to 8/7 of its input (256 for 224, 342 for 299), crops, and takes
    ImageNet's mean and deviation, or where its published weights do, values in [-1, 1]; EfficientNets have
    the sizes and the bicubic filter of torchvision's files.
    Models for small or grey images (CIFAR, digits) see the whole shorter side, with values in [0, 1].

    Raises:
        ValueError: an unknown model, a detector, one that takes no images (neither 1 nor 3 channels), or
            arguments that `Preprocessing` refuses.
    """
    channels, size, _ = entry_of_kind(name, "classification").input_shape
    if channels not in (1, 3):
        raise ValueError(f"{name} takes {channels} channels, which no image has")
    small = size <= LARGEST_SMALL_IMAGE or channels == 1
    default_resize, default_crop = _BICUBIC_SIZES.get(name, (size, size) if small else (_margin(size), size))
    if crop is not None:
        default_resize = crop if small else _margin(crop)
    default_mean: tuple[float, ...] = IMAGENET_MEAN
    default_std: tuple[float, ...] = IMAGENET_STD
    if small:
        default_mean, default_std = (0.0,) * channels, (1.0,) * channels
    elif name in _CENTRED:
        default_mean = default_std = (0.5,) * channels
    return Preprocessing(
        crop=crop or default_crop,
        resize=resize or default_resize,
        mean=mean or default_mean,
        std=std or default_std,
        interpolation="bicubic" if name in _BICUBIC_SIZES else "bilinear",
    )


def as_trained(usual: Preprocessing, given: Mapping[str, Any]) -> Preprocessing:
    """Return what `minidnn train` shows a network: the whole image in the model's size, values in [0, 1].

    Args:
        usual: the preprocessing of the model.
        given: arguments of `Preprocessing` that replace these.
    """
    channels = len(usual.mean)
    training: dict[str, Any] = {
        "resize": (usual.crop, usual.crop),
        "mean": (0.0,) * channels,
        "std": (1.0,) * channels,
        "interpolation": "bilinear",
    }
    return replace(usual, **{**training, **given})


def _margin(crop: int) -> int:
    return round(crop * 8 / 7)
