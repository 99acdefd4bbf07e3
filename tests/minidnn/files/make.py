"""Make the stored files: `python -m tests.minidnn.files.make` (needs torch and safetensors).

Writes every file of `contents.STORED`, batch_norm.pth, safetensors.safetensors and versions.txt beside this
file. Nothing else ever writes them.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from importlib.metadata import version
from typing import Any

import safetensors.torch
import torch

from tests.minidnn.files.contents import FOLDER, PLAIN, TENSORS, UNSIGNED_DTYPES, WITHOUT_UNSIGNED


def objects(unsigned: bool = True) -> dict[str, Any]:
    """The object that the files hold: tensors that share a storage where `contents` says so, and the rest."""
    base = torch.from_numpy(TENSORS["base"].copy())
    special = {
        "base": base,
        "transposed": base.t(),
        "part": base[1:, ::2],
        "expanded": base[:1, :1].expand(3, 5),
        "parameter": torch.nn.Parameter(torch.from_numpy(TENSORS["parameter"].copy())),
        "bfloat16": torch.from_numpy(TENSORS["bfloat16"].copy()).bfloat16(),
        "bfloat16 transposed": torch.from_numpy(TENSORS["bfloat16"].copy()).bfloat16().t(),
    }
    tensors = {
        name: special[name] if name in special else torch.from_numpy(array.copy())
        for name, array in TENSORS.items()
        if unsigned or name not in UNSIGNED_DTYPES
    }
    return {"state_dict": tensors, **PLAIN, "size": base.shape}


def swapped(content: bytes) -> bytes:
    """The same archive as a big-endian machine would write it."""
    widths: dict[str, int] = {}

    class Spy(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            _, kind, key, _, count = pid
            dtype = torch.uint8 if kind is torch.UntypedStorage else kind.dtype
            # A complex number is two real ones.
            widths[key] = dtype.itemsize // (2 if dtype.is_complex else 1)
            return torch.storage.TypedStorage(
                wrap_storage=torch.UntypedStorage(count * dtype.itemsize), dtype=dtype, _internal=True
            )

    source = zipfile.ZipFile(io.BytesIO(content))
    pickled = next(name for name in source.namelist() if name.endswith("/data.pkl"))
    Spy(io.BytesIO(source.read(pickled))).load()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            data = source.read(name)
            key = name.rpartition("/")[2]
            if "/data/" in name:
                width = widths[key]
                parts = (data[i : i + width][::-1] for i in range(0, len(data), width))
                data = b"".join(parts)
            archive.writestr(zipfile.ZipInfo(name), b"big" if key == "byteorder" else data)
    return target.getvalue()


def main() -> None:
    for name in ("zip.pth", "legacy.pth", "protocol4.pth", "legacy_protocol4.pth"):
        torch.save(
            objects(name not in WITHOUT_UNSIGNED),
            FOLDER / name,
            pickle_protocol=4 if "4" in name else 2,
            _use_new_zipfile_serialization=not name.startswith("legacy"),
        )
    file = io.BytesIO()
    torch.save(objects(unsigned=False), file)
    (FOLDER / "big_endian.pth").write_bytes(swapped(file.getvalue()))
    torch.manual_seed(0)
    torch.save(torch.nn.Sequential(torch.nn.BatchNorm2d(3)).state_dict(), FOLDER / "batch_norm.pth")
    tensors = {name: value.contiguous().clone() for name, value in objects()["state_dict"].items()}
    safetensors.torch.save_file(
        {name: value.detach() for name, value in tensors.items() if name != "complex128"},
        FOLDER / "safetensors.safetensors",
    )
    packages = "".join(f"{package} {version(package)}\n" for package in ("torch", "safetensors"))
    (FOLDER / "versions.txt").write_text(packages)


if __name__ == "__main__":
    main()
