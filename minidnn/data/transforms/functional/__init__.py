"""Transforms with explicit arguments: pure functions; what they are given is never written to."""

from minidnn.data.transforms.functional.color import (
    PrincipalColors,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    normalize,
    principal_colors,
    shift_along_principal_colors,
    shift_channels,
)
from minidnn.data.transforms.functional.geometric import (
    affine,
    center_crop,
    crop,
    elastic,
    hflip,
    resized_crop,
    rotate,
    ten_crop,
)
from minidnn.data.transforms.functional.mixing import erase, mixup, one_hot
from minidnn.data.transforms.pixels import to_float
from minidnn.data.transforms.sampling import gaussian_blur

__all__ = [
    "PrincipalColors",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "crop",
    "elastic",
    "erase",
    "gaussian_blur",
    "hflip",
    "mixup",
    "normalize",
    "one_hot",
    "principal_colors",
    "resized_crop",
    "rotate",
    "shift_along_principal_colors",
    "shift_channels",
    "ten_crop",
    "to_float",
]
