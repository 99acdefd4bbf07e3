from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.data import cifar
from minidnn.data.cifar import load_plain_pickle
from tests.minidnn.data.files import (
    one_sentence,
    pixels,
    python2_pickle,
    records,
    write_archive,
    write_cifar10_binary,
    write_cifar10_python,
)


def test_cifar10_binary(tmp_path: Path) -> None:
    images, labels = write_cifar10_binary(tmp_path / "cifar-10-batches-bin")
    for path in (tmp_path, tmp_path / "cifar-10-batches-bin"):
        train = cifar(path)
        assert np.array_equal(train.inputs, images)
        assert np.array_equal(train.targets, labels)
        assert train.targets.dtype == np.int64
        assert train.classes[3] == "class3"
        assert len(cifar(path, "test")) == 2


def test_cifar100_binary_takes_the_fine_labels(tmp_path: Path) -> None:
    content, images, labels = records(4, 2, seed=3, classes=100)
    (tmp_path / "train.bin").write_bytes(content)
    dataset = cifar(tmp_path)
    assert np.array_equal(dataset.inputs, images)
    assert np.array_equal(dataset.targets, labels)
    assert len(dataset.classes) == 100
    with pytest.raises(FileNotFoundError, match="holds no complete test files of CIFAR-10 or CIFAR-100"):
        cifar(tmp_path, "test")


@pytest.mark.parametrize("protocol", [None, 2, 4], ids=["python 2", "protocol 2", "protocol 4"])
def test_cifar10_python(tmp_path: Path, protocol: int | None) -> None:
    images, labels = write_cifar10_python(tmp_path / "cifar-10-batches-py", protocol)
    train, test = cifar(tmp_path), cifar(tmp_path, "test")
    assert np.array_equal(train.inputs, images)
    assert train.targets.tolist() == labels
    assert train.classes[9] == "class 9"
    assert len(test) == 3
    image, label = test[2]
    assert image.shape == (3, 32, 32)
    assert image.dtype == np.float32
    assert label == 7


def test_the_written_python2_pickle_is_one() -> None:
    """The unrestricted unpickler reads the same array from the bytes that these tests use."""
    images = pixels(2, 3, 32, 32)
    batch = pickle.loads(python2_pickle(images, [1, 2], b"labels"), encoding="bytes")
    assert np.array_equal(batch[b"data"], images.reshape(2, -1))
    assert batch[b"labels"] == [1, 2]


def test_cifar100_python_and_its_names(tmp_path: Path) -> None:
    images = pixels(3, 3, 32, 32)
    (tmp_path / "train").write_bytes(python2_pickle(images, [99, 0, 7], b"fine_labels"))
    names = [f"name {number}" for number in range(100)]
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, 2))
    dataset = cifar(tmp_path)
    assert dataset.targets.tolist() == [99, 0, 7]
    assert np.array_equal(dataset.inputs, images)
    assert dataset.classes == tuple(names)


def test_archive_is_read_without_unpacking(tmp_path: Path) -> None:
    images, labels = write_cifar10_python(tmp_path / "unpacked")
    folder = tmp_path / "set"
    folder.mkdir()
    files = {
        f"cifar-10-batches-py/{path.name}": path.read_bytes() for path in (tmp_path / "unpacked").iterdir()
    }
    write_archive(folder / "cifar-10-python.tar.gz", files)
    for path in (folder, folder / "cifar-10-python.tar.gz"):
        train = cifar(path)
        assert np.array_equal(train.inputs, images)
        assert train.targets.tolist() == labels
    assert [path.name for path in folder.iterdir()] == ["cifar-10-python.tar.gz"]


def test_hostile_archives(tmp_path: Path) -> None:
    content, *_ = records(1, 1, 0, 10)
    twice = tmp_path / "twice.tar.gz"
    write_archive(twice, {"a/test_batch.bin": content, "../../b/test_batch.bin": content})
    with pytest.raises(ValueError, match="holds test_batch.bin more than once"):
        cifar(twice, "test")

    outside = tmp_path / "secret"
    outside.write_bytes(content)
    link = tmp_path / "link.tar.gz"
    with tarfile.open(link, "w:gz") as archive:
        member = tarfile.TarInfo("test_batch.bin")
        member.type, member.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(member)
    with pytest.raises(FileNotFoundError, match="holds no complete test files"):
        cifar(link, "test")

    cut = tmp_path / "cut.tar.gz"
    write_archive(cut, {"test_batch.bin": os.urandom(30_000)})
    cut.write_bytes(cut.read_bytes()[:20_000])
    with pytest.raises(ValueError, match="is a damaged archive"):
        cifar(cut, "test")


def test_a_member_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.tar"
    member = tarfile.TarInfo("test_batch.bin")
    member.size = 1 << 40
    huge.write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(
        ValueError, match="test_batch.bin has 1099511627776 bytes, more than any file of CIFAR"
    ):
        cifar(huge, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold records of 3073 bytes, it has 0 bytes"),
        (bytes(3072), "must hold records of 3073 bytes, it has 3072 bytes"),
        (b"\x0a" + bytes(3072), r"has label 10, labels must be in \[0, 10\)"),
    ],
)
def test_malformed_records(tmp_path: Path, content: bytes, message: str) -> None:
    write_cifar10_binary(tmp_path)
    (tmp_path / "data_batch_4.bin").write_bytes(content)
    with pytest.raises(ValueError, match=f"data_batch_4.bin {message}"):
        cifar(tmp_path)


def pickled(batch: Any) -> bytes:
    return pickle.dumps(batch, 4)


IMAGES = pixels(2, 3072)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no pickled batch"),
        (b"no pickle", "is no pickled batch"),
        (pickled({"data": IMAGES, "labels": [1, 2]})[:-40], "is no pickled batch"),
        (pickled([1, 2]), "must hold a dictionary, it holds list"),
        (pickled({"labels": [1, 2]}), r"must hold an array \(N, 3072\) under 'data'"),
        (
            pickled({"data": IMAGES[:, :100], "labels": [1, 2]}),
            r"must hold an array \(N, 3072\) under 'data'",
        ),
        (pickled({"data": IMAGES[:0], "labels": []}), r"must hold an array \(N, 3072\) under 'data'"),
        (
            pickled({"data": IMAGES.astype(np.float32), "labels": [1, 2]}),
            "is no pickled batch: its arrays must be of bytes",
        ),
        (
            pickled({"data": IMAGES.astype(object), "labels": [1, 2]}),
            "is no pickled batch: its arrays must be of bytes",
        ),
        (pickled({"data": IMAGES, "labels": [1]}), "must hold 2 integers under 'labels'"),
        (pickled({"data": IMAGES, "labels": [1, 2.5]}), "must hold 2 integers under 'labels'"),
        (
            pickled({"data": IMAGES, "labels": [1, 2**70]}),
            r"has label 1180591620717411303424, labels must be in",
        ),
        (pickled({"data": IMAGES, "labels": [-1, 2]}), r"has label -1, labels must be in \[0, 10\)"),
    ],
)
def test_malformed_pickles(tmp_path: Path, content: bytes, message: str) -> None:
    write_cifar10_python(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(ValueError, match=f"test_batch {message}") as caught:
        cifar(tmp_path, "test")
    assert "\n" not in str(caught.value)


class Call:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_runs_something_is_refused_by_name(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "was-run"
    content = pickle.dumps({"data": Call(os.mkdir, str(marker))}, protocol)
    with pytest.raises(
        ValueError, match=r"batch was refused: its pickle names (posix|nt)\.mkdir, and only arrays"
    ):
        load_plain_pickle("batch", content)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "os.system",
        "numpy.load",
        "numpy.core.multiarray.fromfile",
        "functools.partial",
        "numpy.memmap",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    module, _, function = name.rpartition(".")
    content = b"c" + module.encode() + b"\n" + function.encode() + b"\n(V1+1\ntR."
    with pytest.raises(ValueError, match=f"its pickle names {name},"):
        load_plain_pickle("batch", content)


def test_a_refused_name_is_shown_on_one_line() -> None:
    content = b"\x80\x04\x8c\x03a\nb\x8c\x05c\x1b[2J\x93."
    with pytest.raises(ValueError, match=r"its pickle names a\\nb\.c\\x1b\[2J,"):
        load_plain_pickle("batch", content)


def test_an_array_whose_shape_lies_is_refused() -> None:
    honest = pickle.dumps({"data": IMAGES}, 2)
    lying = honest.replace(b"K\x02M\x00\x0c\x86", b"K\x03M\x00\x0c\x86")
    assert lying != honest
    with pytest.raises(ValueError, match=r"its array of shape \(3, 3072\) has 6144 elements"):
        load_plain_pickle("batch", lying)


def test_column_major_arrays_keep_their_values() -> None:
    stored = np.asfortranarray(IMAGES)
    assert np.array_equal(load_plain_pickle("batch", pickle.dumps({"data": stored}, 2))["data"], IMAGES)


HONEST = pickle.dumps({"data": pixels(2, 4), "labels": [1, 2], "name": "x"}, 2)


@settings(max_examples=300)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, len(HONEST)),
    tail=st.binary(max_size=16),
)
def test_any_pickle_gives_values_or_one_sentence(edits: list[tuple[int, int]], cut: int, tail: bytes) -> None:
    content = bytearray(HONEST)
    for place, value in edits:
        content[place] = value
    with one_sentence("batch "):
        assert isinstance(load_plain_pickle("batch", bytes(content[:cut]) + tail), dict)


def test_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    write_cifar10_binary(tmp_path)
    (tmp_path / "batches.meta.txt").write_text("one two")
    with pytest.raises(ValueError, match=r"batches.meta.txt must hold 10 names, it holds 2"):
        cifar(tmp_path)
    (tmp_path / "batches.meta.txt").write_text("x" * (2 << 20))
    with pytest.raises(ValueError, match="too many for a list of names"):
        cifar(tmp_path)
    (tmp_path / "batches.meta.txt").unlink()
    assert cifar(tmp_path).classes == tuple("0123456789")


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"holds no CIFAR files \(data_batch_1.bin, data_batch_1, train.bin, tr"
    ):
        cifar(tmp_path)
    (tmp_path / "file").write_bytes(io.BytesIO(b"text").getvalue())
    with pytest.raises(FileNotFoundError, match="holds no CIFAR files"):
        cifar(tmp_path / "file")
    with pytest.raises(ValueError, match="split must be"):
        cifar(tmp_path, "valid")


def test_an_array_without_contents_is_no_batch(tmp_path: Path) -> None:
    write_cifar10_python(tmp_path)
    empty = b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n)Rs."
    (tmp_path / "test_batch").write_bytes(empty)
    with pytest.raises(ValueError, match=r"must hold an array \(N, 3072\) under 'data'"):
        cifar(tmp_path, "test")
