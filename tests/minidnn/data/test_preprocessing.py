"""Preprocessing against torchvision's transforms, stored and live."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from minidnn.data import Preprocessing
from tests.minidnn.data.preprocessing_cases import SETTINGS, SHAPES, STORED, STORED_CASES, pixels
from tests.program import ENVIRONMENT

Image = pytest.importorskip("PIL.Image")
IMAGENET = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])


def levels(normalised: np.ndarray) -> np.ndarray:
    """Back to 8-bit levels, unrounded."""
    mean, std = IMAGENET.reshape(2, 3, 1, 1)
    return (normalised * std + mean) * 255


def both(shape: tuple[int, int], setting: tuple[int, int, str]) -> np.ndarray:
    """The centre and the ten crops (11, C, H, W)."""
    resize, crop, interpolation = setting
    prepare = Preprocessing(crop, resize, interpolation=interpolation)
    image = Image.fromarray(pixels(*shape))
    return np.concatenate([prepare(image)[None], prepare.ten_crops(image)])


@pytest.mark.parametrize("index", range(len(STORED_CASES)))
def test_stored_answers_of_torchvision_to_within_one_level(index: int) -> None:
    with np.load(STORED) as answers:
        want = answers[f"case{index}"].astype(np.float64)
    got = both(*STORED_CASES[index])
    assert got.dtype == np.float32
    assert got.shape == want.shape
    assert np.abs(levels(got) - want).max() <= 1 + 1e-3


@pytest.mark.reference
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_live_transforms_of_torchvision(shape: tuple[int, int], setting: tuple[int, int, str]) -> None:
    """Beside the same Pillow the pixels are the same."""
    from tests.minidnn.data.make_preprocessing import crops

    try:
        want = crops(Image.fromarray(pixels(*shape)), *setting)
    except ImportError as missing:
        pytest.skip(str(missing))
    assert np.abs(levels(both(shape, setting)) - want).max() < 1e-3


@pytest.mark.reference
def test_the_whole_preset_of_torchvision() -> None:
    from tests.torchvision_bridge import torchvision_ops

    try:
        torchvision_ops()
    except ImportError as missing:
        pytest.skip(str(missing))
    from torchvision.transforms._presets import ImageClassification

    image = Image.fromarray(pixels(301, 417))
    want = ImageClassification(crop_size=224, resize_size=256)(image).numpy()
    assert np.abs(Preprocessing(224, 256)(image) - want).max() < 1e-6


def test_a_grey_image_and_one_number() -> None:
    image = Image.fromarray(pixels(9, 7)[:, :, 0])
    got = Preprocessing(7, 7, mean=(0.5,), std=(0.25,))(image)
    assert got.shape == (1, 7, 7)
    assert np.allclose(got[0], (pixels(9, 7)[1:8, :, 0] / 255 - 0.5) / 0.25, atol=1e-6)


def test_both_sides_may_be_given() -> None:
    image = Image.fromarray(pixels(40, 80))
    got = Preprocessing(30, (30, 35))(image)
    assert got.shape == (3, 30, 30)
    whole = np.asarray(image.resize((35, 30), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(levels(got[None])[0] - whole[:, :, 2:32]).max() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0, "resize": 3}, "crop must be at least 1, got 0"),
        ({"crop": 3, "resize": 0}, "resize must be at least 1, got 0"),
        ({"crop": 4, "resize": 3}, "crop must be at most resize, got crop 4 and resize 3"),
        ({"crop": 4, "resize": (4, 3)}, "crop must be at most resize, got crop 4 and resize 3"),
        ({"crop": 4, "resize": 4, "mean": (0.5,)}, "must have one number per channel"),
        ({"crop": 4, "resize": 4, "mean": (), "std": ()}, "must have one number per channel"),
        ({"crop": 4, "resize": 4, "std": (1.0, 0.0, 1.0)}, "std above 0"),
        ({"crop": 4, "resize": 4, "mean": (1.0, float("nan"), 1.0)}, "mean must be finite"),
        ({"crop": 4, "resize": 4, "interpolation": "nearest"}, "must be bilinear or bicubic, got 'nearest'"),
    ],
)
def test_bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**arguments)


def test_an_image_of_other_bands() -> None:
    with pytest.raises(ValueError, match=r"image must have 3 bands as mean and std have, got \('L',\)"):
        Preprocessing(4, 4)(Image.fromarray(pixels(9, 7)[:, :, 0]))


def test_pillow_is_imported_when_it_is_needed() -> None:
    program = "import sys, minidnn.data; assert 'PIL' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env=ENVIRONMENT)
