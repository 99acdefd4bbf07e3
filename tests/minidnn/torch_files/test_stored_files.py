"""What PyTorch wrote, read without PyTorch: the stored files, and what loading costs."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import minidnn
from minidnn import nn
from tests.minidnn.files.contents import (
    FOLDER,
    PLAIN,
    SHARING,
    STORED,
    TENSORS,
    UNSIGNED_DTYPES,
    WITHOUT_UNSIGNED,
)
from tests.minidnn.torch_files.handmade import assert_tensor, saved, tensor
from tests.program import ENVIRONMENT


@pytest.mark.parametrize("file", STORED)
def test_stored_files_hold_what_pytorch_saved(file: str) -> None:
    state = minidnn.load(FOLDER / file)
    absent = UNSIGNED_DTYPES if file in WITHOUT_UNSIGNED else ()
    assert list(state["state_dict"]) == [name for name in TENSORS if name not in absent]
    for name, got in state["state_dict"].items():
        assert_tensor(got, TENSORS[name], name)
    assert {name: state[name] for name in PLAIN} == PLAIN
    assert type(state["nested"][1]) is tuple


@pytest.mark.parametrize("file", STORED)
def test_tensors_of_one_storage_share_memory(file: str) -> None:
    tensors = minidnn.load(FOLDER / file)["state_dict"]
    base = tensors["base"].numpy()
    for name in SHARING:
        assert np.shares_memory(base, tensors[name].numpy())
    base[0, 0] = 100
    assert tensors["expanded"].numpy()[2, 4] == 100
    assert not np.shares_memory(base, tensors["parameter"].numpy())


@pytest.mark.parametrize("file", [*STORED, "safetensors.safetensors"])
def test_writing_into_the_arrays_leaves_the_file_alone(file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_bytes((FOLDER / file).read_bytes())
    state = minidnn.load(path)
    tensors = state.get("state_dict", state)
    for loaded in tensors.values():
        if loaded.numpy().flags.writeable:
            loaded.numpy()[...] = 0
    assert path.read_bytes() == (FOLDER / file).read_bytes()
    assert tensors["base"].numpy().max() == 0


def test_safetensors_from_pytorch_with_bfloat16() -> None:
    state = minidnn.load(FOLDER / "safetensors.safetensors")
    assert set(state) == set(TENSORS) - {"complex128"}
    for name, got in state.items():
        assert_tensor(got, TENSORS[name], name)


def test_a_state_dict_loads_into_a_model_with_its_versions() -> None:
    state = minidnn.load(FOLDER / "batch_norm.pth")
    model = nn.Sequential(nn.BatchNorm2d(3))
    model[0].weight.data[...] = 5
    model.load_state_dict(state)
    assert model[0].weight.numpy().tolist() == [1, 1, 1]
    assert state._metadata["0"] == {"version": 2}
    del state["0.num_batches_tracked"]
    with pytest.raises(ValueError, match="lacks 0.num_batches_tracked"):
        model.load_state_dict(state)


@pytest.mark.parametrize("version", [None, 1])
def test_the_counter_may_be_missing_where_it_did_not_exist_yet(version: int | None) -> None:
    state = minidnn.load(FOLDER / "batch_norm.pth")
    del state["0.num_batches_tracked"]
    if version is None:
        del state._metadata
    else:
        state._metadata["0"]["version"] = version
    model = nn.Sequential(nn.BatchNorm2d(3))
    assert model.load_state_dict(state) == ([], [])


def test_values_are_cast_to_the_parameters_type() -> None:
    half = minidnn.load(FOLDER / "zip.pth")["state_dict"]["float16"]
    model = nn.Linear(3, 2, bias=False)
    model.load_state_dict({"weight": half})
    assert model.weight.dtype == np.float32
    assert model.weight.numpy().tolist() == [[0, 1, 1], [1, 0, 1]]


def test_nothing_heavy_is_imported() -> None:
    heavy = {"torch", "PIL", "numba"}
    program = f"import sys, minidnn; minidnn.load(sys.argv[1]); assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program, str(FOLDER / "zip.pth")], check=True, env=ENVIRONMENT)


MEMORY_PROGRAM = """
import resource, sys
import numpy as np
import minidnn
minidnn.load(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
state = minidnn.load(sys.argv[1])
assert state["w"].shape == (25, 1 << 20), state["w"].shape
assert state["w"].numpy()[3, 17] == 5
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory in Linux's units")
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_loading_does_not_read_the_elements(kind: str, tmp_path: Path) -> None:
    """A file of 100 MB costs a few MB."""
    array = np.full((25, 1 << 20), 5, np.float32)
    path = tmp_path / "large"
    if kind == "torch":
        pickled = saved(tensor(count=array.size, size=array.shape, stride=(1 << 20, 1)))
        with zipfile.ZipFile(path, "w") as target:
            target.writestr("a/data.pkl", pickled)
            # Padded, so that the elements are aligned as PyTorch aligns them.
            info = zipfile.ZipInfo("a/data/0")
            place = 4 + target.fp.tell() + 30 + len(info.filename)
            padding = -place % 64
            info.extra = struct.pack("<HH", 0x4246, padding) + bytes(padding)
            target.writestr(info, array.tobytes())
    else:
        safetensors.numpy.save_file({"w": array}, path)
    small = FOLDER / ("zip.pth" if kind == "torch" else "safetensors.safetensors")
    result = subprocess.run(
        [sys.executable, "-c", MEMORY_PROGRAM, str(path), str(small)],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert int(result.stdout) < 10_000  # kB
