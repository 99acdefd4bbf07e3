from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.data import mnist, read_idx
from tests.minidnn.data.files import idx_bytes, one_sentence, pixels, write_mnist

CODES = {0x08: np.uint8, 0x09: np.int8, 0x0B: np.int16, 0x0C: np.int32, 0x0D: np.float32, 0x0E: np.float64}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("code", CODES)
def test_every_type(tmp_path: Path, code: int, compressed: bool) -> None:
    array = (np.arange(24).reshape(2, 3, 4) - 5).astype(CODES[code])
    content = idx_bytes(array, code)
    # The name says nothing about compression: the content does.
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if compressed else content)
    got = read_idx(path)
    assert got.dtype == array.dtype
    assert got.dtype.isnative
    assert np.array_equal(got, array)


def header(code: int, *shape: int) -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}i", *shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file: it begins with b''"),
        (b"\x00\x00\x08", "is no IDX file"),
        (b"\x01\x00\x08\x01\0\0\0\0", "is no IDX file"),
        (b"\x89PNG\r\n", "is no IDX file"),
        (b"\x00\x00\x07\x01\0\0\0\0", "is no IDX file"),
        (b"\x00\x00\x08\x00", "must have 1 to 64 dimensions, its header says 0"),
        (b"\x00\x00\x08\xff" + bytes(4 * 255), "must have 1 to 64 dimensions, its header says 255"),
        (b"\x00\x00\x08\x03\0\0\0\1", "ends within its header of 3 sizes"),
        (header(0x08, 2, -3), r"has a negative size in its header: \(2, -3\)"),
        (header(0x08, 2, 3) + b"12345", r"needs 6 bytes of elements for shape \(2, 3\), it holds 5"),
        (header(0x0E, 2) + bytes(17), r"needs 16 bytes of elements for shape \(2,\), it holds more"),
        (gzip.compress(header(0x08, 9) + b"123456789", mtime=0)[:-9], "is a damaged gzip file"),
        (b"\x1f\x8b\x08\x00garbage that is no stream", "is a damaged gzip file"),
        (gzip.compress(header(0x08, 4) + b"1", mtime=0), "needs 4 bytes"),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_lying_header_costs_no_memory(tmp_path: Path, compressed: bool) -> None:
    content = header(0x0E, 2**31 - 1, 2**31 - 1, 64) + b"few"
    path = tmp_path / "liar"
    path.write_bytes(gzip.compress(content) if compressed else content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="it holds 3"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=200)
@given(
    head=st.binary(max_size=24),
    valid_start=st.booleans(),
    code=st.sampled_from(sorted(CODES)),
    rank=st.integers(0, 4),
    body=st.binary(max_size=64),
    compressed=st.booleans(),
)
def test_any_bytes_give_an_array_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    head: bytes,
    valid_start: bool,
    code: int,
    rank: int,
    body: bytes,
    compressed: bool,
) -> None:
    content = (bytes([0, 0, code, rank]) if valid_start else b"") + head + body
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with one_sentence(str(path)):
        assert idx_bytes(read_idx(path), content[2]) == content


@pytest.mark.parametrize("dotted", [False, True], ids=["hyphen", "dot"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_mnist_folder(tmp_path: Path, dotted: bool, compressed: bool) -> None:
    arrays = write_mnist(tmp_path, dotted=dotted, compressed=compressed)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        dataset = mnist(tmp_path, split)
        assert np.array_equal(dataset.inputs[:, 0], arrays[f"{prefix}-images-idx3-ubyte"])
        assert np.array_equal(dataset.targets, arrays[f"{prefix}-labels-idx1-ubyte"])
        assert dataset.targets.dtype == np.int64
        image, _ = dataset[0]
        assert image.shape == (1, 5, 4)
        assert image.dtype == np.float32


def test_mnist_with_a_missing_file(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert len(mnist(tmp_path)) == 12
    with pytest.raises(
        FileNotFoundError, match=r"holds none of t10k-labels-idx1-ubyte, t10k-labels.idx1-ubyte, .*gz"
    ):
        mnist(tmp_path, "test")
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'all'"):
        mnist(tmp_path, "all")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", pixels(12, 5), r"must hold bytes \(N, H, W\), it holds uint8 \(12, 5\)"),
        (
            "train-labels-idx1-ubyte",
            pixels(11),
            r"must hold a byte for each of 12 images, it holds uint8 \(11,\)",
        ),
    ],
)
def test_mnist_files_that_do_not_belong_together(
    tmp_path: Path, name: str, array: np.ndarray, message: str
) -> None:
    write_mnist(tmp_path)
    (tmp_path / name).write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match=message):
        mnist(tmp_path)
