"""Random transforms: what they draw, and that the generator alone decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn.data import transforms
from minidnn.data.transforms import functional
from tests.minidnn.data.transforms.cases import image

COLORS = functional.principal_colors([image((20, 30), "uint8")])
EVERY = [
    transforms.RandomHorizontalFlip(),
    transforms.RandomCrop((12, 15), padding=3, fill=9),
    transforms.RandomResizedCrop((16, 11)),
    transforms.RandomAffine(20, (0.1, 0.2), (0.7, 1.3), (10, 5)),
    transforms.RandomRotation(30, "nearest"),
    transforms.RandomElastic(30, 3),
    transforms.ColorJitter(0.4, 0.4, 0.4, 0.2),
    transforms.RandomChannelShift(30),
    transforms.RandomPCAColor(COLORS),
    transforms.Cutout(7),
]


def columns(height: int, width: int) -> np.ndarray:
    """An image (1, H, W) of each pixel's number, in float64."""
    return np.arange(height * width, dtype=np.float64).reshape(1, height, width)


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_the_generator_alone_decides(transform: Any) -> None:
    given = image((21, 28), "uint8")
    before = given.copy()
    first, again, other = (
        [transform(given, random) for _ in range(4)]
        for random in (np.random.default_rng(seed) for seed in (5, 5, 6))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert np.array_equal(given, before)
    assert all(result.dtype == np.uint8 and result.flags.c_contiguous for result in first)


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_a_missing_generator_is_named(transform: Any) -> None:
    with pytest.raises(TypeError, match=rf"random must be a generator for {type(transform).__name__}"):
        transform(image((21, 28), "uint8"))


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_pillow_images_are_arrays_of_bytes(transform: Any) -> None:
    pillow = pytest.importorskip("PIL.Image")
    given = image((21, 28), "uint8")
    picture = pillow.fromarray(np.ascontiguousarray(given.transpose(1, 2, 0)))
    want, got = (transform(form, np.random.default_rng(3)) for form in (given, picture))
    assert np.array_equal(got, want)


def test_flips_are_as_frequent_as_asked() -> None:
    given, random = image((5, 7), "float32"), np.random.default_rng(0)
    flip = transforms.RandomHorizontalFlip(0.3)
    flipped = [np.array_equal(flip(given, random), given[:, :, ::-1]) for _ in range(2000)]
    assert abs(np.mean(flipped) - 0.3) < 4 * np.sqrt(0.21 / 2000)


def test_random_crops_reach_every_place_evenly() -> None:
    random, given = np.random.default_rng(1), columns(5, 6) + 1
    corners = np.zeros((4, 6))
    for _ in range(4800):
        window = transforms.RandomCrop((4, 3), padding=1)(given, random)
        assert window.shape == (1, 4, 3)
        value = window[0, 1, 1]  # never padding: one inside
        row, column = divmod(int(value) - 1, 6)
        corners[row, column] += 1
    # Seven minus 4 + 1 places of rows, eight minus 3 + 1 of columns.
    assert (corners > 0).sum() == 4 * 6
    assert (np.abs(corners - 200) < 5 * np.sqrt(200)).all()


def test_padding_is_the_fill() -> None:
    given = np.ones((3, 4, 5), np.uint8)
    window = transforms.RandomCrop((8, 9), padding=2, fill=(7, 8, 9))(given, np.random.default_rng(0))
    assert np.array_equal(window[:, 0, 0], [7, 8, 9])
    assert np.array_equal(window[:, 2:6, 2:7], given)
    with pytest.raises(ValueError, match=r"size must be at most \(8, 9\), the padded image's, got \(9, 9\)"):
        transforms.RandomCrop(9, padding=2)(given, np.random.default_rng(0))


def test_resized_crops_have_the_areas_and_shapes_asked_for() -> None:
    random = np.random.default_rng(2)
    crop = transforms.RandomResizedCrop(8, scale=(0.2, 0.6), ratio=(0.5, 1.5))
    windows = np.array([crop._window(90, 120, random) for _ in range(3000)])
    top, left, height, width = windows.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 90).all()
    assert (left + width <= 120).all()
    share, ratio = height * width / (90 * 120), width / height
    assert share.min() > 0.19
    assert share.max() < 0.61
    assert ratio.min() > 0.48
    assert ratio.max() < 1.54
    assert abs(share.mean() - 0.4) < 0.02
    assert abs(np.log(ratio).mean() - (np.log(0.5) + np.log(1.5)) / 2) < 0.06


def test_where_no_window_fits_the_largest_central_one_is_taken() -> None:
    crop = transforms.RandomResizedCrop((4, 8), scale=(1, 1), ratio=(2, 2))
    given = columns(40, 20)
    result = crop(given, np.random.default_rng(0))
    want = functional.resized_crop(given, 15, 0, 10, 20, (4, 8))
    assert np.array_equal(result, want)


def test_rotations_are_within_their_limits() -> None:
    """A point right of the centre shows the angle."""
    from minidnn.data.transforms import Item

    random, rotation = np.random.default_rng(4), transforms.RandomRotation(40)
    point = np.array([[90.0, 50.4, 90.2, 50.6]])  # a small box around (90.1, 50.5) in 101 x 101 pixels
    angles = []
    for _ in range(300):
        x1, y1, x2, y2 = rotation(Item(np.zeros((1, 101, 101), np.uint8), point), random).boxes[0]
        angles.append(np.degrees(np.arctan2(50.5 - (y1 + y2) / 2, (x1 + x2) / 2 - 50.5)))
    assert -40.5 < min(angles) < -36
    assert 36 < max(angles) < 40.5
    assert abs(np.mean(angles)) < 4 * 40 / np.sqrt(3 * 300)


def test_the_elastic_field_is_as_strong_and_smooth_as_documented() -> None:
    field = transforms.RandomElastic(alpha=80, sigma=4).displacement(300, 280, np.random.default_rng(5))
    assert field.shape == (2, 300, 280)
    assert abs(field.mean()) < 0.5
    assert field.std() == pytest.approx(80 / (2 * np.sqrt(3 * np.pi) * 4), rel=0.1)
    # A Gaussian of deviation sigma correlates noise at distance d by exp(-d^2 / (4 sigma^2)).
    for distance in (2, 4, 8):
        correlation = np.corrcoef(field[:, distance:].ravel(), field[:, :-distance].ravel())[0, 1]
        assert correlation == pytest.approx(np.exp(-(distance**2) / (4 * 16)), abs=0.06)


def test_jitter_draws_each_factor_within_its_limits_and_in_every_order() -> None:
    given = np.full((3, 2, 2), 0.4)
    factors = [
        transforms.ColorJitter(brightness=0.5)(given, np.random.default_rng(seed)).mean() / 0.4
        for seed in range(400)
    ]
    assert 0.5 <= min(factors) < 0.52
    assert 1.48 < max(factors) <= 1.5
    grey = transforms.ColorJitter(saturation=1)(image((9, 8), "float32"), np.random.default_rng(0))
    assert grey.shape == (3, 9, 8)
    as_it_was = transforms.ColorJitter()(given, np.random.default_rng(0))
    assert np.array_equal(as_it_was, given)


def test_channel_shifts_are_drawn_for_each_channel() -> None:
    given, random = np.full((3, 2, 2), 0.5), np.random.default_rng(6)
    shifts = np.array([transforms.RandomChannelShift(0.2)(given, random)[:, 0, 0] - 0.5 for _ in range(2000)])
    assert np.abs(shifts).max() <= 0.2
    assert shifts.std(axis=0) == pytest.approx(0.4 / np.sqrt(12), rel=0.08)
    assert np.abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 0.1


def test_pca_color_varies_along_the_components() -> None:
    """The added colours' covariance is sum_i (std variance_i)^2 direction_i direction_i^T."""
    colors = functional.PrincipalColors(np.array([0.5, 0.2, 0.1]), COLORS.directions)
    given, random = np.full((3, 1, 2), 0.5), np.random.default_rng(7)
    added = np.array([transforms.RandomPCAColor(colors)(given, random)[:, 0, 0] - 0.5 for _ in range(4000)])
    in_components = added @ colors.directions
    assert in_components.std(axis=0) == pytest.approx([0.05, 0.02, 0.01], rel=0.05)
    assert np.abs(np.corrcoef(in_components.T) - np.eye(3)).max() < 0.08


def test_cutout_covers_a_square_around_any_pixel() -> None:
    random, given = np.random.default_rng(8), np.ones((1, 10, 14), np.float32)
    erased = np.zeros((10, 14))
    sizes = set()
    for _ in range(3000):
        hole = transforms.Cutout(4)(given, random)[0] == 0
        rows, columns_ = hole.any(axis=1).sum(), hole.any(axis=0).sum()
        assert hole.sum() == rows * columns_
        sizes.add((rows, columns_))
        erased += hole
    # Rows r - 2 .. r + 1 for r from 0 to 9: two to four of them.
    assert sizes == {(rows, columns_) for rows in (2, 3, 4) for columns_ in (2, 3, 4)}
    chance = erased / 3000
    assert chance[5, 7] == pytest.approx(16 / 140, rel=0.2)  # all 4 x 4 squares that can reach it
    assert chance[0, 0] == pytest.approx(9 / 140, rel=0.3)  # r, c of 0, 1, 2 only
    assert chance[9, 13] == pytest.approx(4 / 140, rel=0.4)  # r of 8, 9, c of 12, 13


def test_compose_hands_the_generator_on() -> None:
    given = image((21, 28), "uint8")
    augment = transforms.Compose([EVERY[2], EVERY[0], transforms.Normalize([0.5] * 3, [0.25] * 3)])
    one, two = np.random.default_rng(9), np.random.default_rng(9)
    by_hand = functional.normalize(EVERY[0](EVERY[2](given, two), two), [0.5] * 3, [0.25] * 3)
    assert np.array_equal(augment(given, one), by_hand)
    fixed = transforms.Compose([transforms.ToFloat(), transforms.TenCrop(9)])
    crops, label = fixed((given, 3))
    assert crops.shape == (10, 3, 9, 9)
    assert crops.dtype == np.float32
    assert label == 3
    assert np.array_equal(transforms.TenCrop(9)(given), functional.ten_crop(given, 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transforms.RandomHorizontalFlip(1.5), r"p must be in \[0, 1\], got 1.5"),
        (lambda: transforms.RandomCrop(0), "size must be at least 1, got 0"),
        (lambda: transforms.RandomCrop(4, padding=-1), "padding must be at least 0, got -1"),
        (lambda: transforms.RandomResizedCrop(4, scale=(0.5, 0.2)), "low <= high"),
        (lambda: transforms.RandomResizedCrop(4, ratio=(0, 1)), "ratio must be above 0"),
        (lambda: transforms.RandomResizedCrop(4, scale=0.5), "scale must be two numbers"),  # type: ignore[arg-type]
        (lambda: transforms.RandomAffine(-3), "degrees must be at least 0"),
        (lambda: transforms.RandomAffine(3, shear=(90, 0)), "shear must be less than 90"),
        (lambda: transforms.RandomAffine(3, scale=(0, 1)), "scale must be above 0"),
        (lambda: transforms.RandomAffine(3, translate=0.2), "translate must be two numbers"),  # type: ignore[arg-type]
        (
            lambda: transforms.RandomRotation(3, "cubic"),
            "interpolation must be bilinear or nearest, got 'cubic'",
        ),
        (lambda: transforms.RandomElastic(sigma=0), "sigma must be above 0, got 0"),
        (lambda: transforms.ColorJitter(hue=0.6), "hue must be at most 0.5, got 0.6"),
        (lambda: transforms.ColorJitter(contrast=-0.1), "contrast must be at least 0"),
        (lambda: transforms.RandomChannelShift(-1), "amount must be at least 0"),
        (lambda: transforms.RandomPCAColor(COLORS, std=-1), "std must be at least 0"),
        (lambda: transforms.Normalize([0.5], [0.0]), "std must be above 0"),
        (lambda: transforms.Cutout(0), "length must be at least 1, got 0"),
        (lambda: transforms.Mixup(0), "num_classes must be at least 1, got 0"),
        (lambda: transforms.Mixup(3, alpha=0), "alpha must be above 0, got 0"),
    ],
)
def test_refused_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_compose_takes_what_can_be_called() -> None:
    with pytest.raises(TypeError, match="transforms must be callable, got 3"):
        transforms.Compose([3])  # type: ignore[list-item]
