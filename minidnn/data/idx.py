"""IDX files, the format of MNIST and its kin (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").

A file is two zero bytes, a byte for the element type, a byte for the number of dimensions, a big-endian
32-bit size per dimension, and the elements, big-endian, in row-major order. It may be compressed by gzip.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from kernels.array import Array
from minidnn.data.dataset import ArrayDataset, Transform, check_split

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# NumPy's own limit.
MAX_RANK = 64
CHUNK = 1 << 20
PREFIXES = {"train": "train", "test": "t10k"}


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Return the array in an IDX file, in native byte order.

    Whether the file is compressed is seen from its first bytes. Memory grows with what the file holds, never
    with what its header claims.

    Raises:
        ValueError: the file is no IDX file, is damaged, or holds fewer or more elements than its header says.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return _read(gzip.open(file) if compressed else file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from None
        except _FormatError as error:
            raise ValueError(f"{path} {error}") from None


class _FormatError(Exception):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


def _read(file: BinaryIO | gzip.GzipFile) -> Array:
    header = file.read(4)
    if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in TYPES:
        raise _FormatError(f"is no IDX file: it begins with {header!r}")
    if not 1 <= header[3] <= MAX_RANK:
        raise _FormatError(f"must have 1 to {MAX_RANK} dimensions, its header says {header[3]}")
    dtype, rank = np.dtype(TYPES[header[2]]), header[3]
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise _FormatError(f"ends within its header of {rank} sizes")
    shape = struct.unpack(f">{rank}i", sizes)
    if min(shape) < 0:
        raise _FormatError(f"has a negative size in its header: {shape}")
    needed = math.prod(shape) * dtype.itemsize
    content = _read_at_most(file, needed + 1)
    if len(content) != needed:
        held = "more" if len(content) > needed else f"{len(content)}"
        raise _FormatError(f"needs {needed} bytes of elements for shape {shape}, it holds {held}")
    elements = np.frombuffer(content, dtype).reshape(shape)
    return elements.astype(dtype.newbyteorder("="))


def _read_at_most(file: BinaryIO | gzip.GzipFile, size: int) -> bytes:
    """Read `size` bytes or to the end, piece by piece: a size that lies costs nothing."""
    pieces = []
    while size > 0 and (piece := file.read(min(size, CHUNK))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def mnist(
    folder: str | os.PathLike[str], split: str = "train", transform: Transform | None = None
) -> ArrayDataset:
    """Return MNIST, Fashion-MNIST or another set stored in MNIST's four files.

    The files are train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k for the test set,
    also with a dot before "idx" ("train-images.idx3-ubyte") and with ".gz" behind.

    Args:
        folder: where the files lie.
        split: "train" or "test".
        transform: applied to every image, float32 (1, H, W) in [0, 1], when it is fetched.

    Raises:
        FileNotFoundError: a file is missing; the message lists the names looked for.
        ValueError: an unknown split, or files that are damaged or do not belong together.
    """
    check_split(split)
    image_file, label_file = find_mnist(folder, split)
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(f"{image_file} must hold bytes (N, H, W), it holds {images.dtype} {images.shape}")
    if labels.shape != (len(images),) or labels.dtype != np.uint8:
        raise ValueError(
            f"{label_file} must hold a byte for each of {len(images)} images, "
            f"it holds {labels.dtype} {labels.shape}"
        )
    return ArrayDataset(images[:, None], labels.astype(np.int64), transform)


def find_mnist(folder: str | os.PathLike[str], split: str) -> tuple[Path, Path]:
    """Return the paths of a split's images and labels (FileNotFoundError if one is missing)."""
    prefix = PREFIXES[split]
    found = [_find(Path(folder), f"{prefix}-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    return cast(tuple[Path, Path], tuple(found))


def _find(folder: Path, name: str) -> Path:
    names = [name, name.replace("-idx", ".idx")]
    names += [f"{plain}.gz" for plain in names]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"{folder} holds none of {', '.join(names)}")
