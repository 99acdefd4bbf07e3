"""PyTorch's files made by hand, instruction by instruction, and what reads them."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import minidnn

SIX = struct.pack("<6f", *range(6))


def value(plain: Any) -> bytes:
    """The instructions that put a plain value on the stack."""
    return pickle.dumps(plain, 2)[2:-1]


def storage(kind: str = "torch\nFloatStorage", key: Any = "0", count: Any = 6, view: bytes = b"") -> bytes:
    return (
        b"("
        + value("storage")
        + b"c"
        + kind.encode()
        + b"\n"
        + value(key)
        + value("cpu")
        + value(count)
        + (view + b"tQ")
    )


def tensor(offset: Any = 0, size: Any = (2, 3), stride: Any = (3, 1), **of: Any) -> bytes:
    arguments = (
        storage(**of) + value(offset) + value(size) + value(stride) + b"\x89ccollections\nOrderedDict\n)R"
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def saved(*values: bytes) -> bytes:
    """The pickle of {"w": last value}; the values before it are thrown away."""
    return b"\x80\x02}" + value("w") + b"0".join(values) + b"s."


def archive(records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, content in records.items():
            target.writestr(name, content)
    return file.getvalue()


def zip_file(pickled: bytes, **records: bytes) -> bytes:
    return archive({"a/data.pkl": pickled, "a/data/0": SIX, **{f"a/{k}": v for k, v in records.items()}})


def legacy_file(pickled: bytes, keys: Any = ("0",), tail: bytes = struct.pack("<q", 6) + SIX) -> bytes:
    header = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    return b"".join(pickle.dumps(item, 2) for item in header) + pickled + pickle.dumps(list(keys), 2) + tail


def tar_file() -> bytes:
    """PyTorch's first format, of {"w": [1, 2, 3]}: numbered storages, tensors on them, and the object."""
    members = {
        # one storage, key 7; the last list would be of views
        "storages": pickle.dumps(1, 2)
        + b"(I7\nS'cpu'\nctorch\nFloatStorage\nt."
        + struct.pack("<q3f", 3, 1, 2, 3)
        + pickle.dumps([], 2),
        # key 8 on storage 7: one axis (and padding), size 3, stride 1, offset 0
        "tensors": pickle.dumps(1, 2)
        + b"(I8\nI7\nctorch\nFloatTensor\nt."
        + struct.pack("<2i3q", 1, 0, 3, 1, 0),
        "pickle": b"(dS'w'\nP8\ns.",
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as target:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    return file.getvalue()


def read(content: bytes, folder: Path) -> Any:
    path = folder / "file.pth"
    path.write_bytes(content)
    return minidnn.load(path)


def assert_tensor(got: Any, want: np.ndarray, name: str) -> None:
    assert isinstance(got, minidnn.Tensor), name
    assert (got.shape, got.dtype) == (want.shape, want.dtype), name
    assert np.array_equal(got.numpy(), want), name
