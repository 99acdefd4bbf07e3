"""CIFAR-10 and CIFAR-100 from the binary and the Python archives, unpacked or as .tar.gz.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the formats are those of the
data sets' page. The Python archives are pickles, which could name any function to be called. Here a pickle
may name only the constructors of a NumPy array, for which stand-ins without any powers of their own are used.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.data.dataset import ArrayDataset, Transform, check_split
from minidnn.plain_pickle import Constructor, PlainUnpickler, RefusedError, StandIn

SHAPE = (3, 32, 32)
PIXELS = math.prod(SHAPE)
# The largest file of the real archives has 155 MB.
MAX_FILE = 1 << 28
MAX_NAMES = 1 << 20


@dataclass(frozen=True)
class Layout:
    """One of the four forms in which the sets are published.

    Attributes:
        name: for messages.
        pickled: whether the files are pickles, otherwise fixed-length records.
        files: the file names of each split.
        names: the file with the classes' names.
        labels: the pickle's key of the labels; in records, the last label byte holds them.
        label_bytes: bytes in front of each record's pixels.
        names_key: the pickle's key of the classes' names.
        classes: how many there are.
    """

    name: str
    pickled: bool
    files: Mapping[str, tuple[str, ...]]
    names: str
    labels: str
    label_bytes: int
    names_key: str
    classes: int


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
LAYOUTS = (
    Layout(
        name="CIFAR-10 (binary)",
        pickled=False,
        files={"train": tuple(f"{name}.bin" for name in _BATCHES), "test": ("test_batch.bin",)},
        names="batches.meta.txt",
        labels="labels",
        label_bytes=1,
        names_key="label_names",
        classes=10,
    ),
    Layout(
        name="CIFAR-10 (Python)",
        pickled=True,
        files={"train": _BATCHES, "test": ("test_batch",)},
        names="batches.meta",
        labels="labels",
        label_bytes=1,
        names_key="label_names",
        classes=10,
    ),
    Layout(
        name="CIFAR-100 (binary)",
        pickled=False,
        files={"train": ("train.bin",), "test": ("test.bin",)},
        names="fine_label_names.txt",
        labels="fine_labels",
        label_bytes=2,
        names_key="fine_label_names",
        classes=100,
    ),
    Layout(
        name="CIFAR-100 (Python)",
        pickled=True,
        files={"train": ("train",), "test": ("test",)},
        names="meta",
        labels="fine_labels",
        label_bytes=2,
        names_key="fine_label_names",
        classes=100,
    ),
)
FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-100-binary", "cifar-100-python")
ARCHIVES = tuple(
    f"{name}.tar.gz"
    for name in ("cifar-10-binary", "cifar-10-python", "cifar-100-binary", "cifar-100-python")
)


def cifar(
    path: str | os.PathLike[str], split: str = "train", transform: Transform | None = None
) -> ArrayDataset:
    """Return CIFAR-10 or CIFAR-100 (fine labels), whichever lies at `path`.

    Args:
        path: the folder with the files, a folder that holds that folder or the archive, or the archive
            (.tar.gz, read without unpacking it).
        split: "train" or "test".
        transform: applied to every image, float32 (3, 32, 32) in [0, 1], when it is fetched.

    Raises:
        FileNotFoundError: no files of these sets are there; the message lists the names looked for.
        ValueError: an unknown split, a damaged file, or a pickle that names anything but an array's
            constructors.
    """
    check_split(split)
    place = find_cifar(path)
    if place is None:
        first = ", ".join(layout.files["train"][0] for layout in LAYOUTS)
        raise FileNotFoundError(f"{path} holds no CIFAR files ({first}), folders or archives")
    wanted = {name for layout in LAYOUTS for name in (*layout.files[split], layout.names)}
    contents = _read_archive(place, wanted) if place.is_file() else _read_folder(place, wanted)
    layout = _layout(contents, split)
    if layout is None:
        raise FileNotFoundError(f"{place} holds no complete {split} files of CIFAR-10 or CIFAR-100")
    read = _read_pickle if layout.pickled else _read_records
    batches = [read(layout, f"{place}: {name}", contents[name]) for name in layout.files[split]]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return ArrayDataset(images, labels, transform, _class_names(layout, place, contents.get(layout.names)))


def find_cifar(path: str | os.PathLike[str]) -> Path | None:
    """Return the folder or the archive at or in `path` that holds CIFAR files; None if there is none."""
    import tarfile  # here, since few who import minidnn read archives

    home = Path(path)
    if home.is_file():
        return home if tarfile.is_tarfile(home) else None
    for folder in (home, *(home / name for name in FOLDERS)):
        if any((folder / layout.files["train"][0]).is_file() for layout in LAYOUTS):
            return folder
    return next((home / name for name in ARCHIVES if (home / name).is_file()), None)


def _layout(names: Mapping[str, bytes], split: str) -> Layout | None:
    return next((layout for layout in LAYOUTS if all(n in names for n in layout.files[split])), None)


def _read_folder(folder: Path, wanted: set[str]) -> dict[str, bytes]:
    present = [name for name in sorted(wanted) if (folder / name).is_file()]
    for name in present:
        _check_size(f"{folder}: {name}", (folder / name).stat().st_size)
    return {name: (folder / name).read_bytes() for name in present}


def _read_archive(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """The wanted regular files, by their last name; nothing is written to disk."""
    import tarfile

    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if member.isreg() and name in wanted:
                    _check_size(f"{path}: {name}", member.size)
                    if name in contents:
                        raise ValueError(f"{path} holds {name} more than once")
                    file = archive.extractfile(member)
                    contents[name] = file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{path} is a damaged archive: {error}") from None
    return contents


def _check_size(what: str, size: int) -> None:
    if size > MAX_FILE:
        raise ValueError(f"{what} has {size} bytes, more than any file of CIFAR")


def _read_records(layout: Layout, what: str, content: bytes) -> tuple[Array, Array]:
    """Images (N, 3, 32, 32) and labels (N,) from records of label bytes and pixels."""
    length = layout.label_bytes + PIXELS
    if not content or len(content) % length:
        raise ValueError(f"{what} must hold records of {length} bytes, it has {len(content)} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    labels = records[:, layout.label_bytes - 1]
    images = records[:, layout.label_bytes :].reshape(-1, *SHAPE).copy()
    return images, _check_labels(layout, what, labels)


def _read_pickle(layout: Layout, what: str, content: bytes) -> tuple[Array, Array]:
    """Images (N, 3, 32, 32) and labels (N,) from a pickled dictionary."""
    batch = load_plain_pickle(what, content)
    images, labels = batch.get("data"), batch.get(layout.labels)
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != PIXELS or not len(images):
        raise ValueError(f"{what} must hold an array (N, {PIXELS}) under 'data'")
    if (
        not isinstance(labels, list)
        or len(labels) != len(images)
        or not all(type(label) is int for label in labels)
    ):
        raise ValueError(f"{what} must hold {len(images)} integers under {layout.labels!r}")
    return images.reshape(-1, *SHAPE), _check_labels(layout, what, np.array(labels))


def _check_labels(layout: Layout, what: str, labels: Array) -> Array:
    wrong = labels[(labels < 0) | (labels >= layout.classes)]
    if wrong.size:
        raise ValueError(f"{what} has label {wrong[0]}, labels must be in [0, {layout.classes})")
    return labels.astype(np.int64)


def _class_names(layout: Layout, place: Path, content: bytes | None) -> Sequence[str]:
    """The classes' names; their numbers where the file with the names is missing."""
    if content is None:
        return [str(number) for number in range(layout.classes)]
    what = f"{place}: {layout.names}"
    if len(content) > MAX_NAMES:
        raise ValueError(f"{what} has {len(content)} bytes, too many for a list of names")
    if layout.pickled:
        values = load_plain_pickle(what, content).get(layout.names_key)
        names = [_text(value) for value in values] if isinstance(values, list) else []
    else:
        names = content.decode("utf-8", "replace").split()
    if len(names) != layout.classes:
        raise ValueError(f"{what} must hold {layout.classes} names, it holds {len(names)}")
    return names


# ---- pickles ---------------------------------------------------------------------------------------


class _Type(StandIn):
    """Stands for numpy.dtype while a pickle is read: remembers its code, does nothing."""

    def __init__(self, code: Any, *options: Any) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else code

    def take(self, state: Any) -> None:
        """Byte order and the like, of no meaning for bytes."""


class _Array(StandIn):
    """Stands for numpy.ndarray while a pickle is read: takes an array of bytes and checks it."""

    array: Array | None = None

    def take(self, state: Any) -> None:
        _, shape, dtype, column_major, content = state
        if not isinstance(dtype, _Type) or dtype.code not in ("u1", "uint8"):
            raise ValueError("its arrays must be of bytes")
        array = np.frombuffer(content, np.uint8)
        if math.prod(shape) != array.size:
            raise ValueError(f"its array of shape {shape} has {array.size} elements")
        self.array = array.reshape(shape, order="F" if column_major else "C").copy(order="C")


def _reconstruct(*arguments: Any) -> _Array:
    return _Array()


def _encode(text: str, codec: str) -> bytes:
    """How Python 3 writes bytes in the old protocols."""
    if codec not in ("latin1", "latin-1"):
        raise ValueError(f"its text is encoded as {codec!r}")
    return text.encode("latin-1")


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): Constructor(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): Constructor(_reconstruct),
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): Constructor(_Type),
    ("_codecs", "encode"): Constructor(_encode),
}


def load_plain_pickle(what: str, content: bytes) -> dict[str, Any]:
    """Return the dictionary in a pickle, of plain values and byte arrays, without running anything it names.

    Args:
        what: the file's name, for messages.
        content: the pickle.

    Raises:
        ValueError: the pickle names something else than an array's constructors, is damaged, or holds no
            dictionary.
    """
    try:
        value = PlainUnpickler(io.BytesIO(content), _NAMES, encoding="bytes").load()
        if isinstance(value, dict):
            return {_text(key): _plain(item) for key, item in value.items()}
    except RefusedError as refused:
        raise ValueError(
            f"{what} was refused: its pickle names {refused}, and only arrays and plain values are read"
        ) from None
    except Exception as error:
        # A damaged pickle can fail anywhere in its interpreter.
        reason = str(error) or type(error).__name__
        raise ValueError(f"{what} is no pickled batch: {reason}") from None
    raise ValueError(f"{what} must hold a dictionary, it holds {type(value).__name__}")


def _plain(item: Any) -> Any:
    return item.array if isinstance(item, _Array) else item


def _text(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
