"""What torchvision has no answer for: fills, principal colours, shifts, mixing, errors."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest

from minidnn.data.transforms import functional
from tests.minidnn.data.transforms.cases import FILL, displacement, image


def test_a_fill_blends_like_a_frame_of_that_colour() -> None:
    """A constant image in a frame of its own colour stays constant, however it is turned."""
    plain = np.array(FILL, np.uint8)[:, None, None].repeat(13, axis=1).repeat(18, axis=2)
    for angle in (10, 45, 100):
        assert np.array_equal(functional.rotate(plain, angle, fill=FILL), plain)
    # Linear in image and fill: the colour of the frame can be taken off first.
    given = image((13, 18), "float32").astype(np.float64)
    framed = functional.rotate(given, 33, fill=0.3)
    assert np.allclose(framed, functional.rotate(given - 0.3, 33) + 0.3, atol=1e-12)


def test_quarter_turns_are_exact() -> None:
    given = image((15, 15), "uint8")
    assert np.array_equal(functional.rotate(given, 90), np.rot90(given, axes=(1, 2)))
    assert np.array_equal(functional.rotate(given, 180, "nearest"), given[:, ::-1, ::-1])
    assert np.array_equal(functional.rotate(given, 0), given)


def test_affine_is_its_formula() -> None:
    """A plane a + b x + c y, read anywhere, has the plane's values: here where the inverse map says."""
    height, width = 33, 26
    y, x = np.indices((height, width)) + 0.5
    plane = (0.1 + 0.013 * x + 0.007 * y)[None]
    angle, move, scale, (sx, sy) = np.radians(12), (2.0, -3.0), 1.3, np.radians([6.0, -4.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, 0], [-np.tan(sy), 1]]) @ np.array([[1, -np.tan(sx)], [0, 1]])
    centre = np.array([[width / 2], [height / 2]])
    there = np.stack([x.ravel(), y.ravel()])
    back = np.linalg.inv(scale * turn @ slant) @ (there - centre - np.array(move)[:, None]) + centre
    want = (0.1 + 0.013 * back[0] + 0.007 * back[1]).reshape(height, width)
    got = functional.affine(plane, 12, move, scale, (6, -4))[0]
    inside = (back[0] > 1) & (back[0] < width - 1) & (back[1] > 1) & (back[1] < height - 1)
    assert inside.mean() > 0.8
    assert np.abs(got - want).ravel()[inside].max() < 1e-12


def test_elastic_reads_where_the_field_says() -> None:
    given = image((12, 17), "float32")
    field = np.zeros((2, 12, 17))
    field[0], field[1] = 3, -2  # from three columns to the right, two rows above
    got = functional.elastic(given, field)
    assert np.array_equal(got[:, 2:, :-3], given[:, :-2, 3:])
    assert (got[:, :2] == 0).all()
    assert (got[:, :, -3:] == 0).all()


def test_hue_against_the_standard_librarys_colour_model() -> None:
    given = image((8, 9), "float32").astype(np.float64)
    got = functional.adjust_hue(given, 0.17).reshape(3, -1).T
    for before, after in zip(given.reshape(3, -1).T, got, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        want = colorsys.hsv_to_rgb((hue + 0.17) % 1, saturation, value)
        assert np.abs(np.array(want) - after).max() < 1e-12


def test_grey_images_have_no_colour() -> None:
    grey = image((8, 9), "uint8")[:1]
    for adjust in (functional.adjust_hue, functional.adjust_saturation):
        assert np.array_equal(adjust(grey, 0.4), grey)
    want = np.clip(0.5 * grey + 0.5 * grey.mean(), 0, 255)
    assert np.abs(functional.adjust_contrast(grey, 0.5) - want).max() < 1


def test_principal_colors_are_those_of_all_pixels() -> None:
    images = [image(shape, dtype) for shape in ((9, 13), (21, 8)) for dtype in ("uint8", "float32")]
    images[1] = images[1] * np.float32(0.5)
    pixels = np.concatenate(
        [(x / 255 if x.dtype == np.uint8 else x).reshape(3, -1).T for x in images], dtype=np.float64
    )
    covariance = np.cov(pixels.T, bias=True)
    colors = functional.principal_colors((x, 7) for x in images)
    assert colors.variances[0] >= colors.variances[1] >= colors.variances[2] > 0
    assert np.allclose(
        colors.directions @ np.diag(colors.variances) @ colors.directions.T, covariance, atol=1e-7
    )
    assert np.allclose(colors.directions.T @ colors.directions, np.eye(3))
    assert (colors.directions.sum(axis=0) >= 0).all()


def test_a_shift_along_principal_colors() -> None:
    colors = functional.PrincipalColors(np.array([0.3, 0.2, 0.1]), np.eye(3))
    given = np.full((3, 2, 4), 0.5)
    got = functional.shift_along_principal_colors(given, colors, [1.0, -1.0, 0.5])
    assert np.allclose(got[:, 0, 0], [0.8, 0.3, 0.55])
    levels = functional.shift_along_principal_colors(np.full((3, 2, 4), 100, np.uint8), colors, [1, -1, 0.5])
    assert levels[:, 1, 3].tolist() == [176, 49, 113]  # 100 + 76.5 (to even), 100 - 51, 100 + 12.75


def test_channel_shifts_are_clipped() -> None:
    given = np.array([[[250, 3]]] * 3, np.uint8)
    assert functional.shift_channels(given, [10, -10, 0.6])[:, 0].tolist() == [[255, 13], [240, 0], [251, 4]]
    assert functional.shift_channels(given, 2)[:, 0, 0].tolist() == [252] * 3


def test_normalize_takes_bytes_as_shares_of_255() -> None:
    given = image((7, 9), "uint8")
    got = functional.normalize(given, [0.1, 0.2, 0.3], [0.5, 0.25, 0.2])
    want = (given / 255 - np.array([[[0.1]], [[0.2]], [[0.3]]])) / np.array([[[0.5]], [[0.25]], [[0.2]]])
    assert got.dtype == np.float32
    assert np.abs(got - want).max() < 1e-6
    assert functional.normalize(given.astype(np.float64), [0.0], [2.0]).dtype == np.float64
    assert np.array_equal(functional.to_float(given), given.astype(np.float32) / np.float32(255))


def test_resized_crop_beyond_the_image_is_the_crop_resized() -> None:
    given = image((9, 12), "float32")
    window = np.zeros((3, 14, 10), np.float32)
    window[:, 2:11, :10] = given[:, :, 2:12]
    want = functional.resized_crop(window, 0, 0, 14, 10, (7, 20))
    assert np.array_equal(functional.resized_crop(given, -2, 2, 14, 10, (7, 20)), want)
    same = functional.resized_crop(given, 1, 2, 5, 6, (5, 6))
    assert np.array_equal(same, given[:, 1:6, 2:8])
    assert not np.shares_memory(same, given)


def test_mixup_is_its_formula() -> None:
    random = np.random.default_rng(0)
    images, labels = random.random((5, 2, 3, 4)).astype(np.float32), np.array([2, 0, 1, 1, 2])
    order = np.array([3, 1, 4, 0, 2])
    targets = functional.one_hot(labels, 3)
    assert np.array_equal(targets, np.eye(3)[labels])
    mixed, probabilities = functional.mixup(images, targets, order, 0.3)
    for n in range(5):
        assert np.allclose(mixed[n], 0.3 * images[n] + 0.7 * images[order[n]], atol=1e-7)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.allclose(probabilities[0], [0, 0.7, 0.3])
    assert np.allclose(probabilities[1], [1, 0, 0])
    assert mixed.dtype == probabilities.dtype == np.float32


def test_erase_reaches_over_the_edge() -> None:
    given = np.ones((3, 4, 5), np.uint8)
    got = functional.erase(given, -1, 3, 3, 9, FILL)
    assert np.array_equal(got[:, :2, 3:], np.array(FILL, np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2))
    assert got.sum() == given.sum() + 4 * sum(FILL) - 12
    assert np.array_equal(functional.erase(given, -9, 0, 3, 3), given)


COLORS = functional.PrincipalColors(np.ones(3), np.eye(3))
PICTURE = np.zeros((3, 6, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: functional.hflip([1, 2]), TypeError, "image must be an array .* got list"),
        (lambda: functional.hflip(PICTURE[0]), ValueError, r"shape \(C, H, W\) with pixels, got \(6, 8\)"),
        (lambda: functional.hflip(PICTURE[:, :0]), ValueError, "with pixels"),
        (
            lambda: functional.hflip(PICTURE.astype(int)),
            TypeError,
            "dtype uint8, float32 or float64, got int64",
        ),
        (lambda: functional.crop(PICTURE, 0, 0, 0, 3), ValueError, "height must be at least 1, got 0"),
        (lambda: functional.crop(PICTURE, -1, 0, 3, 3, 256), ValueError, r"fill must be in \[0, 255\]"),
        (
            lambda: functional.crop(PICTURE, -1, 0, 3, 3, (1, 2)),
            ValueError,
            "fill must be one number or one for",
        ),
        (lambda: functional.crop(PICTURE, -1, 0, 3, 3, np.nan), ValueError, "fill must be finite"),
        (
            lambda: functional.resized_crop(PICTURE, 0, 0, 3, 3, 0),
            ValueError,
            "size must be at least 1, got 0",
        ),
        (
            lambda: functional.ten_crop(PICTURE, (7, 3)),
            ValueError,
            r"at most the image's \(6, 8\), got \(7, 3\)",
        ),
        (lambda: functional.affine(PICTURE, scale=0), ValueError, "scale must be above 0, got 0"),
        (lambda: functional.affine(PICTURE, shear=(90, 0)), ValueError, "between -90 and 90 degrees"),
        (lambda: functional.affine(PICTURE, translate=3), ValueError, "translate must be two numbers"),  # type: ignore[arg-type]
        (lambda: functional.rotate(PICTURE, np.inf), ValueError, "angle must be finite"),
        (
            lambda: functional.rotate(PICTURE, 3, "cubic"),
            ValueError,
            "interpolation must be bilinear or nearest",
        ),
        (
            lambda: functional.elastic(PICTURE, displacement(6, 9)),
            ValueError,
            r"shape \(2, 6, 8\) for this image",
        ),
        (
            lambda: functional.elastic(PICTURE, np.zeros((2, 6, 8), int)),
            TypeError,
            "displacement must be a floating",
        ),
        (
            lambda: functional.elastic(PICTURE, np.full((2, 6, 8), np.nan)),
            ValueError,
            "displacement must be finite",
        ),
        (lambda: functional.gaussian_blur(PICTURE / 255, 0), ValueError, "sigma must be above 0, got 0"),
        (lambda: functional.adjust_brightness(PICTURE, -1), ValueError, "factor must be at least 0"),
        (
            lambda: functional.adjust_hue(PICTURE, 0.6),
            ValueError,
            r"factor must be in \[-0.5, 0.5\], got 0.6",
        ),
        (lambda: functional.adjust_saturation(PICTURE[:2], 1), ValueError, "1 or 3 channels"),
        (lambda: functional.principal_colors([]), ValueError, "at least 1 image, got none"),
        (lambda: functional.principal_colors([PICTURE[:1]]), ValueError, "images must have 3 channels"),
        (
            lambda: functional.shift_along_principal_colors(PICTURE[:1], COLORS, [0, 0, 0]),
            ValueError,
            "3 channels",
        ),
        (
            lambda: functional.normalize(PICTURE, [0, 0], [1, 1]),
            ValueError,
            "mean must be one number or one for",
        ),
        (lambda: functional.normalize(PICTURE, [0], [-1]), ValueError, "std must be above 0"),
        (lambda: functional.erase(PICTURE, 0, 0, -1, 2), ValueError, "height must be at least 0, got -1"),
        (lambda: functional.one_hot(np.array([0, 3]), 3), ValueError, r"values in \[0, 3\)"),
        (
            lambda: functional.mixup(np.ones((2, 3)), np.ones((3, 3)), np.arange(2), 0.5),
            ValueError,
            "equally many, got 2, 3 and 2",
        ),
        (
            lambda: functional.mixup(np.ones((2, 3)), np.ones((2, 3)), np.arange(2), 1.5),
            ValueError,
            r"share must be in \[0, 1\], got 1.5",
        ),
    ],
)
def test_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("mode", ["1", "P", "I", "F"])
def test_pillow_images_without_8_bit_bands_are_refused(mode: str) -> None:
    pillow = pytest.importorskip("PIL.Image")
    with pytest.raises(ValueError, match=f"8-bit bands, got mode {mode}; convert it"):
        functional.hflip(pillow.new(mode, (5, 4)))
