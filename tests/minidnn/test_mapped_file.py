"""Arrays that are views of a file."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from minidnn.mapped_file import MappedFile, in_byte_order, widen_bfloat16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(bytes(range(64)))
    return tmp_path / "file"


def test_aligned_arrays_are_views_that_outlive_the_file_object(path: Path) -> None:
    with MappedFile(path) as file:
        whole, part = file.array(0, (64,), np.uint8), file.array(8, (2, 3), np.int16)
    del file
    gc.collect()
    assert np.shares_memory(whole, part)
    whole[8] = 100
    assert part[0, 0] == 9 * 256 + 100
    assert path.read_bytes() == bytes(range(64))


@pytest.mark.parametrize(("offset", "alignment"), [(3, None), (8, 16)])
def test_other_arrays_are_copies(path: Path, offset: int, alignment: int | None) -> None:
    with MappedFile(path) as file:
        whole, part = file.array(0, (64,), np.uint8), file.array(offset, (2, 2), "<u4", alignment)
    assert not np.shares_memory(whole, part)
    assert part.flags.aligned
    assert part.tobytes() == bytes(range(offset, offset + 16))


@pytest.mark.parametrize(
    ("offset", "shape"), [(0, (65,)), (64, (1,)), (-1, (2,)), (0, (2**62, 2**62)), (8, (-1,))]
)
def test_nothing_past_the_end(path: Path, offset: int, shape: tuple[int, ...]) -> None:
    with MappedFile(path) as file, pytest.raises(ValueError, match="go past the end of the file"):
        file.array(offset, shape, np.uint8)


def test_no_elements(path: Path) -> None:
    with MappedFile(path) as file:
        assert file.array(64, (0, 3), np.float32).shape == (0, 3)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty is empty: a file of weights is needed"):
        MappedFile(tmp_path / "empty")
    with pytest.raises(IsADirectoryError, match="is a folder, a file is needed"):
        MappedFile(tmp_path)
    with pytest.raises(FileNotFoundError):
        MappedFile(tmp_path / "nothing")


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    values = np.array([[0.0, -0.0, 1.0], [-1.5, np.inf, 2.0**-133]], np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    got = widen_bfloat16(bits.T)
    assert got.dtype == np.float32
    assert np.array_equal(got.view(np.uint32), values.T.copy().view(np.uint32))
    assert np.isnan(widen_bfloat16(np.array([0x7FC0], np.uint16)))[0]


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex64", "bool", "uint8"])
def test_byte_orders(dtype: str) -> None:
    values = np.array([0, 1, 1]).astype(dtype)
    little, big = values.astype(values.dtype.newbyteorder("<")), values.astype(values.dtype.newbyteorder(">"))
    for order, stored in (("little", little), ("big", big)):
        got = in_byte_order(np.frombuffer(stored.tobytes(), dtype), order)
        assert got.dtype == values.dtype
        assert np.array_equal(got, values)
