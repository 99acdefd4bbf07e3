from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minidnn.data import open_dataset
from tests.minidnn.data.files import (
    idx_bytes,
    pixels,
    write_cifar10_binary,
    write_images,
    write_mnist,
)


def test_mnist_files(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    splits = open_dataset(tmp_path, size=8)
    assert (splits.name, len(splits.train), len(splits.test)) == ("MNIST files", 12, 4)
    assert splits.classes == ("0", "1", "2")
    assert splits.train[0][0].shape == (1, 8, 8)


def test_cifar_files_as_grey_images(tmp_path: Path) -> None:
    write_cifar10_binary(tmp_path)
    splits = open_dataset(tmp_path, channels=1)
    assert (splits.name, len(splits.train), len(splits.test)) == ("CIFAR-10", 10, 2)
    assert splits.test[1][0].shape == (1, 32, 32)


def test_one_image_folder_is_split(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 10, "b": 5})
    splits = open_dataset(tmp_path, size=7)
    assert splits.name == "image folders"
    assert [int(label) for _, label in splits.test] == [0, 0, 1]
    assert len(splits.train) == 12
    assert splits.classes == ("a", "b")
    assert splits.train[0][0].shape == (3, 7, 7)


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_image_folders_with_parts(tmp_path: Path, held_out: str) -> None:
    write_images(tmp_path / "train", {"a": 2, "b": 1})
    write_images(tmp_path / held_out, {"a": 1, "b": 1})
    splits = open_dataset(tmp_path)
    assert (len(splits.train), len(splits.test)) == (3, 2)
    write_images(tmp_path / held_out, {"c": 1})
    with pytest.raises(ValueError, match="must have the same classes in both parts, 'c' is in one only"):
        open_dataset(tmp_path)


def test_a_folder_that_is_too_small_to_split(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2})
    with pytest.raises(ValueError, match="must hold training and test items, got 2 and 0"):
        open_dataset(tmp_path)


def test_empty_mnist_files(tmp_path: Path) -> None:
    for prefix in ("train", "t10k"):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(pixels(0, 5, 4)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(0, np.uint8)))
    with pytest.raises(ValueError, match="must hold training and test items, got 0 and 0"):
        open_dataset(tmp_path)


def test_nothing_recognised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(
        FileNotFoundError, match="looked for MNIST's files .* CIFAR-10's .* a subfolder per class"
    ):
        open_dataset(tmp_path)
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(FileNotFoundError, match="holds no data set that is recognised"):
        open_dataset(tmp_path / "file.txt")


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="holds none of t10k-images-idx3-ubyte"):
        open_dataset(tmp_path)


def test_bad_size_and_channels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        open_dataset(tmp_path, size=0)
    with pytest.raises(ValueError, match="channels must be 1 or 3, got 2"):
        open_dataset(tmp_path, channels=2)
