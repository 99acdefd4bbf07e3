"""The resizing kernels: what the sample tables cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.interpolation import (
    interpolate_bilinear_backward,
    interpolate_bilinear_forward,
    interpolate_nearest_backward,
    interpolate_nearest_forward,
)
from kernels.interpolation.coordinates import nearest_source
from tests.kernels.sample import Draw


def test_nearest_indices_are_those_of_pytorch_in_float32() -> None:
    """Over many ratios, also those where float32 rounds o * step to the other side of an integer."""
    torch = pytest.importorskip("torch")
    for length, output_length in np.random.default_rng(0).integers(1, 400, (300, 2)).tolist():
        x = torch.arange(length, dtype=torch.float32).reshape(1, 1, length, 1)
        want = torch.nn.functional.interpolate(x, size=(output_length, 1)).reshape(-1).long().tolist()
        got = [nearest_source(o, length, output_length, None) for o in range(output_length)]
        assert got == want, (length, output_length)


def test_the_sources_do_not_depend_on_the_dtype() -> None:
    """49 / 343 is 1 / 7: rounding may put o = 7 on either side of 1, but on the same one in every dtype."""
    sources = [nearest_source(o, 49, 343, None) for o in range(343)]
    x = np.arange(49.0).reshape(1, 1, 49)
    for dtype in (np.float32, np.float64):
        assert interpolate_nearest_forward(x.astype(dtype), (343,), (None,)).reshape(-1).tolist() == sources


def test_an_infinite_neighbour_stays_in_its_own_outputs() -> None:
    x = np.zeros((1, 1, 4, 1))
    x[0, 0, 3] = np.inf
    assert np.isfinite(interpolate_nearest_forward(x, (8, 1), (None, None))[0, 0, :6]).all()
    upstream = np.zeros((1, 1, 8, 1))
    upstream[0, 0, 7] = np.inf
    assert np.isfinite(interpolate_nearest_backward(upstream, (4, 1), (None, None))[0, 0, :3]).all()


@pytest.mark.parametrize("aligned", [False, True])
def test_backward_is_the_adjoint_on_complex_arrays(aligned: bool) -> None:
    draw, scales = Draw(3), (None, 1.5)
    x = draw.normal(2, 2, 4, 6) + 1j * draw.normal(2, 2, 4, 6)
    upstream = draw.normal(2, 2, 7, 9) + 1j * draw.normal(2, 2, 7, 9)
    y = interpolate_bilinear_forward(x, (7, 9), aligned, scales)
    grad_x = interpolate_bilinear_backward(upstream, (4, 6), aligned, scales)
    np.testing.assert_allclose((upstream * y).sum(), (grad_x * x).sum())
    y = interpolate_nearest_forward(x, (7, 9), scales)
    grad_x = interpolate_nearest_backward(upstream, (4, 6), scales)
    np.testing.assert_allclose((upstream * y).sum(), (grad_x * x).sum())


PLANE = np.ones((1, 2, 3, 4))


@pytest.mark.parametrize(
    ("x", "size", "scales", "error", "message"),
    [
        (np.ones((2, 3)), (), (), ValueError, r"must have .*4.* dimensions, got shape \(2, 3\)"),
        (
            np.ones((2, 3, 4, 5), int),
            (2, 2),
            (None, None),
            TypeError,
            "must have dtype float32 or .*, got int64",
        ),
        (
            np.ones((2, 0, 4, 5)),
            (2, 2),
            (None, None),
            ValueError,
            r"empty in its first axis only, got .*\(2, 0",
        ),
        (np.ones((2, 3, 0, 5)), (2, 2), (None, None), ValueError, "may be empty in its first axis only"),
        (PLANE, (2,), (None, None), ValueError, r"size must hold 2 sizes, one per spatial axis, got \(2,\)"),
        (PLANE, (2, 0), (None, None), ValueError, "size must be at least 1, got 0"),
        (PLANE, (2, 2.5), (None, None), TypeError, "size must be an integer, got 2.5"),
        (PLANE, (2, 2), (None,), ValueError, r"scale_factors must hold 2 entries, .* got \(None,\)"),
        (PLANE, (2, 2), (2.0, 0.0), ValueError, "scale_factors must be above 0, got 0.0"),
        (PLANE, (2, 2), (2.0, float("inf")), ValueError, "scale_factors must be finite, got inf"),
        (PLANE, (2, 2), ("2", None), TypeError, "scale_factors must be a number, got '2'"),
    ],
)
def test_refuses(x: Any, size: Any, scales: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        interpolate_nearest_forward(x, size, scales)
    with pytest.raises(error, match=message):
        interpolate_bilinear_forward(x, size, False, scales)
    with pytest.raises(error, match=message):
        interpolate_nearest_backward(x, size, scales)
    with pytest.raises(error, match=message):
        interpolate_bilinear_backward(x, size, False, scales)


def test_bilinear_is_for_planes() -> None:
    with pytest.raises(ValueError, match=r"x must have 4 dimensions, got shape \(1, 2, 3\)"):
        interpolate_bilinear_forward(np.ones((1, 2, 3)), (2,), False, (None,))


def test_align_corners_is_a_bool() -> None:
    with pytest.raises(TypeError, match="align_corners must be True or False, got None"):
        interpolate_bilinear_forward(PLANE, (2, 2), None, (None, None))
    with pytest.raises(TypeError, match="align_corners must be True or False, got 1"):
        interpolate_bilinear_backward(PLANE, (2, 2), 1, (None, None))
