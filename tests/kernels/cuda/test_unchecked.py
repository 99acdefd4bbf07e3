"""What the host does not look at in device memory, and the rounding of regions: no sample asks for these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.device import Device
from kernels.indexing import gather_backward, gather_forward, index_assign, index_backward, index_forward
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward
from kernels.roi_align import roi_align_backward, roi_align_forward
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from tests.kernels.regions import random_regions

GENERATOR = np.random.default_rng(6)


@pytest.mark.parametrize("wrong", [-4, 3])
def test_an_index_beyond_its_axis_reads_nan_and_writes_nothing(wrong: int, device: Device) -> None:
    x, ones = device.module.asarray(GENERATOR.standard_normal((3, 2))), device.module.asarray(np.ones((2, 2)))
    index = device.module.asarray(np.array([1, wrong]))
    taken = index_forward(x, (index,)).get()
    assert np.array_equal(taken[0], x.get()[1])
    assert np.isnan(taken[1]).all()
    assert np.array_equal(index_backward(ones, (index,), (3, 2)).get(), [[0, 0], [1, 1], [0, 0]])
    written = index_assign(x, (index,), ones).get()
    assert np.array_equal(written, [x.get()[0], [1, 1], x.get()[2]])


def test_an_index_beyond_the_second_axis_is_not_in_the_next_row(device: Device) -> None:
    x = device.module.asarray(GENERATOR.standard_normal((3, 2)))
    rows, columns = (device.module.asarray(np.array(numbers)) for numbers in ([0, 1], [2, 1]))
    taken = index_forward(x, (rows, columns)).get()
    assert np.array_equal(np.isnan(taken), [True, False])
    assert taken[1] == x.get()[1, 1]


@pytest.mark.parametrize("wrong", [-1, 2])
def test_gather_takes_no_index_beyond_the_axis(wrong: int, device: Device) -> None:
    x, index = device.module.asarray(np.ones((2, 2))), device.module.asarray(np.array([[1, wrong], [0, 1]]))
    assert np.array_equal(np.isnan(gather_forward(x, index, 0).get()), [[False, True], [False, False]])
    assert np.array_equal(gather_backward(x, index, 0, (2, 2)).get(), [[1, 0], [1, 1]])


@pytest.mark.parametrize("wrong", [-1, 6])
def test_unpooling_takes_no_index_outside_the_plane(wrong: int, device: Device) -> None:
    x, dy = device.module.asarray(np.ones((1, 1, 1, 2))), device.module.asarray(np.ones((1, 1, 2, 3)))
    indices = device.module.asarray(np.array([[[[4, wrong]]]]))
    assert np.array_equal(max_unpool2d_forward(x, indices, (2, 3)).get()[0, 0], [[0, 0, 0], [0, 1, 0]])
    assert np.array_equal(np.isnan(max_unpool2d_backward(dy, indices).get()[0, 0]), [[False, True]])


@pytest.mark.parametrize("image", [-1.0, 2.0, 0.5, np.nan])
def test_a_region_of_no_image_gives_nan_and_takes_no_gradient(image: float, device: Device) -> None:
    x = device.module.asarray(np.ones((2, 1, 5, 5)))
    rois = device.module.asarray(np.array([[image, 0, 0, 4, 4], [1, 0, 0, np.inf, np.nan]]))
    pooled, argmax = roi_pool_forward(x, rois, (1, 1), 1.0)
    aligned = roi_align_forward(x, rois, (1, 1), 1.0, 2, False)
    assert np.isnan(pooled.get()[0]).all()
    assert np.isnan(aligned.get()[0]).all()
    one = device.module.asarray(np.ones((1, 1, 1, 1)))
    gradients = [
        roi_pool_backward(one, argmax[:1], rois[:1], (2, 1, 5, 5)),
        roi_align_backward(one, rois[:1], (2, 1, 5, 5), 1.0, 2, False),
    ]
    for gradient in gradients:
        assert not gradient.get().any()


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_maximum_beside_the_plane_takes_no_gradient(wrong: int, device: Device) -> None:
    one, argmax = np.ones((1, 2, 1, 1)), np.full((1, 2, 1, 1), wrong)
    arrays = (device.module.asarray(array) for array in (one, argmax, np.zeros((1, 5))))
    assert not roi_pool_backward(*arrays, (1, 2, 2, 2)).get().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regions_of_any_corners_are_rounded_as_the_reference_rounds_them(dtype: Any, device: Device) -> None:
    """The places of the maxima are the same; a bin one pixel off would have others."""
    x = GENERATOR.standard_normal((2, 1, 9, 11)).astype(dtype)
    rois = random_regions(60, 2, 20.0, dtype)
    with kernels.use(backend="reference"):
        wanted = roi_pool_forward(x, rois, (3, 4), 0.37)
    got = roi_pool_forward(device.module.asarray(x), device.module.asarray(rois), (3, 4), 0.37)
    assert np.array_equal(got[1].get(), wanted[1])
    assert np.array_equal(got[0].get(), wanted[0])
