from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from minidnn.data import ImageFolder
from tests.minidnn.data.files import write_images

pytest.importorskip("PIL", reason="Pillow is not installed")


def test_classes_are_sorted_and_images_scaled(tmp_path: Path) -> None:
    write_images(tmp_path, {"zebra": 2, "ant": 1})
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "readme.txt").write_text("no class")
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    dataset = ImageFolder(tmp_path)
    assert dataset.classes == ("ant", "zebra")
    assert dataset.targets.tolist() == [0, 1, 1]
    assert dataset.targets.dtype == np.int64
    image, label = dataset[2]
    assert image.shape == (3, 4, 6)
    assert image.dtype == np.float32
    assert label == 1
    want = np.float32([0, 10, 255]) / np.float32(255)
    assert np.array_equal(image, np.broadcast_to(want[:, None, None], (3, 4, 6)))


def test_size_channels_and_transform(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 1})
    dataset = ImageFolder(tmp_path, size=5, channels=1, transform=lambda image: image + 2)
    image, _ = dataset[0]
    assert image.shape == (1, 5, 5)
    assert np.all((image >= 2) & (image <= 3))


def test_files_of_subfolders_belong_to_their_class(tmp_path: Path) -> None:
    write_images(tmp_path / "a", {"inner": 2})
    write_images(tmp_path, {"b": 1})
    assert ImageFolder(tmp_path).targets.tolist() == [0, 0, 1]


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    write_images(tmp_path, {"a": 1})
    (tmp_path / "a" / "broken.png").write_bytes(content)
    dataset = ImageFolder(tmp_path)
    with pytest.raises(ValueError, match=r"broken\.png is no readable image"):
        dataset[1]


def test_a_truncated_file_and_a_vanished_file(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2}, size=(200, 150))
    dataset = ImageFolder(tmp_path)
    file = dataset.files[0]
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"00\.png is no readable image"):
        dataset[0]
    dataset.files[1].unlink()
    with pytest.raises(FileNotFoundError):
        dataset[1]


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must hold a subfolder of images per class \(.bmp"):
        ImageFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="must hold a subfolder"):
        ImageFolder(tmp_path / "missing")
    write_images(tmp_path, {"a": 1, "b": 0})
    with pytest.raises(ValueError, match="has no images in the subfolder of class 'b'"):
        ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="channels must be 1 or 3, got 4"):
        ImageFolder(tmp_path, channels=4)


def test_without_pillow_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path, {"a": 1})
    dataset = ImageFolder(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "minidnn\[images\]"'):
        dataset[0]
