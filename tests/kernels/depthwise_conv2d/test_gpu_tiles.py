"""Where the elements of a patch lie in shared memory: each by itself, and apart for the threads of a warp."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from kernels.cuda import emulator
from kernels.cuda.emulator import EmulatorError, compiler
from kernels.depthwise_conv2d import depthwise_conv2d_forward
from kernels.depthwise_conv2d.gpu_tiles import input_tiles, output_tiles
from kernels.window import Window

# A plane's side, and the window of a depthwise layer of MobileNet or EfficientNet.
LAYERS = [(112, 3, 1), (112, 3, 2), (56, 5, 2), (28, 3, 1), (14, 3, 1), (14, 3, 2), (14, 5, 1), (7, 3, 1)]


def _has_compiler() -> bool:
    try:
        compiler.find_compiler()
    except EmulatorError:
        return False
    return True


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize(
    "window",
    [Window.of(3), Window.of(3, 2), Window.of((2, 5), (1, 3)), Window.of(3, 4, 0, 2), Window.of(1, 5)],
)
@pytest.mark.parametrize("size", [(7, 7), (1, 13), (30, 31), (5, 70)])
def test_every_element_has_a_place(size: tuple[int, int], window: Window, itemsize: int) -> None:
    for tiles in (output_tiles(window, size, itemsize), input_tiles(window, size, itemsize)):
        patch = tiles.patch
        places = {patch.place(row, column) for row in range(patch.height) for column in range(patch.width)}
        assert len(places) == patch.height * patch.width
        assert max(places) < patch.numbers()


def test_tiles_cover_the_plane_once() -> None:
    for height, width in ((7, 7), (1, 13), (30, 31), (5, 70), (100, 33)):
        tiles = output_tiles(Window.of(3), (height, width), 4)
        assert tiles.height * tiles.width <= tiles.threads() <= 256
        assert (tiles.across - 1) * tiles.width < width <= tiles.across * tiles.width
        down = tiles.total // tiles.across
        assert (down - 1) * tiles.height < height <= down * tiles.height


@pytest.mark.skipif(not _has_compiler(), reason="the CUDA emulator needs a C++ compiler")
@pytest.mark.parametrize(("side", "kernel", "stride"), LAYERS)
def test_reading_a_patch_meets_no_bank_conflict(side: int, kernel: int, stride: int) -> None:
    window = Window.of(kernel, stride, kernel // 2)
    x = emulator.asarray(np.ones((1, 1, side, side), np.float32))
    weight = emulator.asarray(np.ones((1, 1, kernel, kernel), np.float32))
    with kernels.use(depthwise_conv2d_forward="tiles"), emulator.count_accesses() as launches:
        depthwise_conv2d_forward(x, weight, None, window)
    (read,) = (access for access in launches[0].accesses if access.shared and access.kind == "load")
    assert read.ways == 1
    (written,) = (access for access in launches[0].accesses if access.shared and access.kind == "store")
    assert written.ways <= 2
