"""Tiny data files in the formats of the real ones, made by the tests."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

CIFAR10_FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


@contextmanager
def one_sentence(beginning: str) -> Iterator[None]:
    """Accept a ValueError, but only one of a single line that begins by naming the file."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        if not message.startswith(beginning) or "\n" in message:
            raise AssertionError(f"no plain sentence about {beginning}: {message}") from error


@contextmanager
def refusal(beginning: str, message: str) -> Iterator[None]:
    """Require a ValueError of a single line that begins by naming the file, with a message."""
    with pytest.raises(ValueError, match=message) as caught:
        yield
    assert str(caught.value).startswith(beginning)
    assert "\n" not in str(caught.value)


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    """An IDX file's content, written field by field from the format's description."""
    header = bytes([0, 0, code, array.ndim]) + b"".join(struct.pack(">i", size) for size in array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write_mnist(folder: Path, *, dotted: bool = False, compressed: bool = False) -> dict[str, np.ndarray]:
    """12 training and 4 test images of 5 by 4 pixels."""
    arrays = {
        "train-images-idx3-ubyte": pixels(12, 5, 4),
        "train-labels-idx1-ubyte": np.arange(12, dtype=np.uint8) % 3,
        "t10k-images-idx3-ubyte": pixels(4, 5, 4, seed=1),
        "t10k-labels-idx1-ubyte": np.array([2, 0, 1, 1], np.uint8),
    }
    for name, array in arrays.items():
        file = name.replace("-idx", ".idx") if dotted else name
        content = idx_bytes(array)
        path = folder / (file + ".gz" if compressed else file)
        path.write_bytes(gzip.compress(content) if compressed else content)
    return arrays


def records(count: int, label_bytes: int, seed: int, classes: int) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A CIFAR binary file with its images and (last byte's) labels."""
    images = pixels(count, 3, 32, 32, seed=seed)
    labels = np.random.default_rng(seed).integers(0, classes, (count, label_bytes)).astype(np.uint8)
    content = b"".join(label.tobytes() + image.tobytes() for label, image in zip(labels, images, strict=True))
    return content, images, labels[:, -1]


def python2_pickle(images: np.ndarray, labels: list[int], key: bytes) -> bytes:
    """What Python 2's pickle module wrote for {"data": array, key: list}: strings without an encoding."""

    def string(value: bytes) -> bytes:
        return b"T" + struct.pack("<I", len(value)) + value

    def integer(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    flat = images.reshape(len(images), -1)
    dtype = b"cnumpy\ndtype\n" + string(b"u1") + integer(0) + integer(1) + b"\x87R"
    dtype_state = b"(" + integer(3) + string(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + integer(0) + b"\x85" + string(b"b")
    shape = b"(" + integer(flat.shape[0]) + integer(flat.shape[1]) + b"t"
    state = b"(" + integer(1) + shape + dtype + dtype_state + b"\x89" + string(flat.tobytes()) + b"tb"
    numbers = b"](" + b"".join(integer(label) for label in labels) + b"e"
    return b"\x80\x02}(" + string(b"data") + empty + b"\x87R" + state + string(key) + numbers + b"u."


def write_cifar10_python(folder: Path, protocol: int | None = None) -> tuple[np.ndarray, list[int]]:
    """Five batches of 2, a test batch of 3, and names; returns the training images and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    all_images, all_labels = [], []
    for number, name in enumerate(CIFAR10_FILES):
        images = pixels(3 if name == "test_batch" else 2, 3, 32, 32, seed=number)
        labels = [(number + i) % 10 for i in range(len(images))]
        if protocol is None:
            content = python2_pickle(images, labels, b"labels")
        else:
            batch = {b"data": images.reshape(len(images), -1), b"labels": labels}
            content = pickle.dumps(batch, protocol)
        (folder / name).write_bytes(content)
        if name != "test_batch":
            all_images.append(images)
            all_labels += labels
    names = {"label_names": [f"class {number}" for number in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names, 2))
    return np.concatenate(all_images), all_labels


def write_cifar10_binary(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same sizes as records; returns the training images and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, name in enumerate(CIFAR10_FILES):
        content, *arrays = records(2, 1, number, 10)
        (folder / f"{name}.bin").write_bytes(content)
        if name != "test_batch":
            parts.append(arrays)
    (folder / "batches.meta.txt").write_text("\n".join(f"class{number}" for number in range(10)) + "\n\n")
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_images(folder: Path, classes: dict[str, int], size: tuple[int, int] = (6, 4)) -> None:
    """`classes` says how many images of which class; each has one colour per class and number."""
    from PIL import Image

    for place, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            colour = (40 * place, 10 * number, 255)
            Image.new("RGB", size, colour).save(folder / name / f"{number:02d}.png")
