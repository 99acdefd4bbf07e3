"""PyTorch's files, read without PyTorch: what comes back, what is refused, and what hostile files do."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import minidnn
from minidnn import nn, torch_files
from tests.minidnn.files.contents import (
    FOLDER,
    PLAIN,
    SHARING,
    STORED,
    TENSORS,
    UNSIGNED_DTYPES,
    WITHOUT_UNSIGNED,
)
from tests.program import ENVIRONMENT

# ---- the stored files: what PyTorch wrote -----------------------------------------------------------------


def assert_tensor(got: Any, want: np.ndarray, name: str) -> None:
    assert isinstance(got, minidnn.Tensor), name
    assert (got.shape, got.dtype) == (want.shape, want.dtype), name
    assert np.array_equal(got.numpy(), want), name


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
    for tensor in tensors.values():
        if tensor.numpy().flags.writeable:
            tensor.numpy()[...] = 0
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


# ---- memory ------------------------------------------------------------------------------------------------

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


def archive(records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, content in records.items():
            target.writestr(name, content)
    return file.getvalue()


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


# ---- files made by hand ------------------------------------------------------------------------------------


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


SIX = struct.pack("<6f", *range(6))


def zip_file(pickled: bytes, **records: bytes) -> bytes:
    return archive({"a/data.pkl": pickled, "a/data/0": SIX, **{f"a/{k}": v for k, v in records.items()}})


def legacy_file(pickled: bytes, keys: Any = ("0",), tail: bytes = struct.pack("<q", 6) + SIX) -> bytes:
    header = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    return b"".join(pickle.dumps(item, 2) for item in header) + pickled + pickle.dumps(list(keys), 2) + tail


def read(content: bytes, folder: Path) -> Any:
    path = folder / "file.pth"
    path.write_bytes(content)
    return minidnn.load(path)


@pytest.mark.parametrize("make", [zip_file, legacy_file])
def test_a_file_made_by_hand(make: Any, tmp_path: Path) -> None:
    got = read(make(saved(tensor(offset=1, size=(2, 2), stride=(1, 3)))), tmp_path)
    assert_tensor(got["w"], np.array([[1, 4], [2, 5]], np.float32), "w")


def test_a_view_of_a_legacy_storage(tmp_path: Path) -> None:
    view = value(("part", 2, 3))
    got = read(legacy_file(saved(tensor(size=(3,), stride=(1,), view=view))), tmp_path)
    assert got["w"].numpy().tolist() == [2, 3, 4]


def test_python_2_wrote_its_texts_as_bytes(tmp_path: Path) -> None:
    content = saved(tensor()).replace(b"X\x07\x00\x00\x00storage", b"U\x07storage")
    assert read(zip_file(content), tmp_path)["w"].shape == (2, 3)


def test_a_tensor_or_a_number_alone(tmp_path: Path) -> None:
    assert read(zip_file(b"\x80\x02" + tensor() + b"."), tmp_path).shape == (2, 3)
    assert read(zip_file(pickle.dumps([1, 2], 2)), tmp_path) == [1, 2]


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("make", [zip_file, legacy_file])
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_what_would_run_something_is_refused_by_name(make: Any, protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    content = make(pickle.dumps({"a": Call(os.mkdir, str(marker))}, protocol))
    with pytest.raises(ValueError, match=r"file.pth was refused: it names (posix|nt)\.mkdir, and only tens"):
        read(content, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "builtins.getattr",
        "os.system",
        "torch._utils._rebuild_qtensor",
        "torch.load",
        "torch.float8_e4m3fn",
        "torch.nn.modules.linear.Linear",
        "collections.Counter",
        "collections.OrderedDict.__class__",
        "minidnn.tensor.Tensor",
    ],
)
def test_other_names_are_refused(name: str, tmp_path: Path) -> None:
    module, _, attribute = name.rpartition(".")
    with pytest.raises(ValueError, match=f"it names {name}, and only tensors"):
        read(zip_file(saved(f"c{module}\n{attribute}\n".encode())), tmp_path)


def test_names_are_shown_on_one_short_line(tmp_path: Path) -> None:
    name = value("a\nb") + value("c\x1b[2J" + "x" * 5000) + b"\x93"
    with pytest.raises(ValueError, match=r"it names a\\nb\.c\\x1b\[2Jx") as caught:
        read(zip_file(b"\x80\x04" + name + b"."), tmp_path)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


NESTED_LIST = b"]" + b"]" * 5000 + b"a" * 5000
NESTED_TUPLE = b")" + b"\x85" * 100_000
HUGE = 1 << 62

HOSTILE = {
    "reads past the end": (saved(tensor(offset=1)), "reads element 6 of a storage that has 6"),
    "strides past the end": (saved(tensor(stride=(4, 1))), "reads element 6 of a storage that has 6"),
    "negative offset": (saved(tensor(offset=-1)), "sizes or strides that no tensor can have"),
    "negative size": (saved(tensor(size=(-2, -3))), "sizes or strides that no tensor can have"),
    "negative stride": (saved(tensor(stride=(-3, 1))), "sizes or strides that no tensor can have"),
    "float size": (saved(tensor(size=(2.0, 3))), "sizes or strides that no tensor can have"),
    "endless size": (saved(tensor(size=(10**400, 3))), "sizes or strides that no tensor can have"),
    "huge repeated": (saved(tensor(size=(HUGE - 1, 4), stride=(0, 0))), "."),
    "huge and empty": (saved(tensor(size=(HUGE - 1, 4, HUGE - 1, 0), stride=(1,) * 4)), "."),
    "lengths differ": (saved(tensor(stride=(1,))), "not tuples of one length"),
    "list of sizes": (saved(tensor(size=[2, 3])), "not tuples of one length"),
    "many axes": (saved(tensor(size=(1,) * 65, stride=(1,) * 65)), "that no tensor can have"),
    "huge storage": (saved(tensor(count=1 << 50)), "has 24 bytes, not|is cut off"),
    "negative storage": (saved(tensor(count=-6)), "a number of elements that no storage can have"),
    "endless storage": (saved(tensor(count=10**400)), "a number of elements that no storage can have"),
    "wrong element type": (saved(tensor(kind="torch\nDoubleStorage")), "has 24 bytes, not|past the end"),
    "storage of two types": (
        saved(tensor(), tensor(kind="torch\nIntStorage")),
        "the storage '0' has two types or two lengths",
    ),
    "missing storage": (saved(tensor(key="../../1")), "1' is missing|list of storages does not fit"),
    "key no text": (saved(tensor(key=0)), "a storage by no type, key and number"),
    "dtype as storage type": (saved(tensor(kind="collections\nOrderedDict")), "a storage by no type"),
    "no storage": (
        saved(b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR"),
        "a tensor's storage is not a storage|list of storages does not fit",
    ),
    "nested lists": (saved(NESTED_LIST), "nested more than 64 deep"),
    "nested tuples": (saved(NESTED_TUPLE), "nested more than 64 deep"),
    "nested tuples as key": (b"\x80\x02}" + NESTED_TUPLE + b"Ns.", "has a key of type tuple"),
    "nested tuples in a set": (b"\x80\x04\x8f(" + NESTED_TUPLE + b"\x90.", "has a key of type tuple"),
    "a list in itself": (saved(b"]q\x00h\x00a"), "nested more than 64 deep"),
    "a metadata in itself": (
        b"\x80\x02ccollections\nOrderedDict\n)Rq\x00}" + value("_metadata") + b"h\x00sb.",
        "dictionary of dictionaries|nested more than 64",
    ),
    "attributes": (
        b"\x80\x02ccollections\nOrderedDict\n)R}" + value("keys") + b"Nsb.",
        "attributes other than _metadata",
    ),
    "items over a tensor": (saved(tensor() + b"K\x00K\x01s"), "treats a Tensor as a dict|treats a Storage"),
    "a constructor": (saved(b"ccollections\nOrderedDict\n"), "it holds a type where a tensor"),
    "a dtype": (b"\x80\x02ctorch\nfloat32\n.", "it holds a type where a tensor"),
    "calls a dictionary": (saved(b"})R"), "it calls a value"),
    "calls a dtype": (saved(b"ctorch\nfloat32\n)R"), "it calls a value"),
    "an instance": (saved(b"(ios\nsystem\n"), "an instruction that no plain value needs"),
    "an extension": (saved(b"\x82\x01"), "an instruction that no plain value needs"),
    "a claimed byte array": (saved(b"\x96" + struct.pack("<Q", 1 << 40)), "an instruction that no plain"),
    "a claimed text": (saved(b"\x8d" + struct.pack("<Q", 1 << 40)), "."),
    "a claimed frame": (b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N", "."),
    "a claimed integer": (saved(b"\x8b" + struct.pack("<i", (1 << 31) - 1)), "."),
    "an endless number": (saved(b"I" + b"1" * 100_000 + b"\n"), "."),
    "empty stack": (b"\x80\x02.", "."),
    "unknown memo": (saved(b"h\x07"), "."),
}


@pytest.mark.parametrize("make", [zip_file, legacy_file])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickles_give_one_sentence(make: Any, kind: str, tmp_path: Path) -> None:
    pickled, message = HOSTILE[kind]
    names_storage = b"Storage" in pickled
    content = make(pickled) if make is zip_file or names_storage else legacy_file(pickled, (), b"")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"file.pth is a damaged PyTorch file: .*({message})") as caught:
            read(content, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_pickle_that_doubles_itself_is_read_in_time(tmp_path: Path) -> None:
    """Sixty doublings: nobody may walk through what it stands for."""
    assert read(zip_file(saved(b")" + b"2\x86" * 60)), tmp_path)["w"] is not None


def compressed(pickled: bytes) -> bytes:
    return archive({"a/data.pkl": pickled, "a/data/0": SIX}, zipfile.ZIP_DEFLATED)


def overlapping() -> bytes:
    """Two members of the table of contents that are one and the same part of the file."""
    content = zip_file(saved(tensor()), **{"data/1": SIX})
    begin = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    table = bytearray(content[begin:end])
    entries = []
    while table:
        length = 46 + sum(struct.unpack("<3H", table[28:34]))
        entries.append(table[:length])
        table = table[length:]
    by_name = {bytes(entry[46:]): entry for entry in entries}
    by_name[b"a/data/1"][42:46] = by_name[b"a/data/0"][42:46]
    return content[:begin] + b"".join(entries) + content[end:]


SHORTENED = 10_000  # the longest pickle, in these tests

ARCHIVES = {
    "compressed": (lambda: compressed(saved(tensor())), "is compressed or encrypted"),
    "bomb": (lambda: compressed(b"\x80\x02" + b"N0" * 10_000_000), "is compressed or encrypted"),
    "no pickle": (lambda: archive({"a/b": b""}), "without the one data.pkl"),
    "two pickles": (lambda: archive({"a/data.pkl": b"N.", "b/data.pkl": b"N."}), "without the one data.pkl"),
    "script": (
        lambda: zip_file(b"N.", **{"constants.pkl": b""}),
        "is a TorchScript program; save the model's",
    ),
    "endianness": (lambda: zip_file(saved(tensor()), byteorder=b"middle"), "its byte order is 'middle'"),
    "on top of each other": (overlapping, "lie on top of each other"),
    "cut off": (lambda: zip_file(saved(tensor()))[:-30], "table of contents is broken or cut off"),
    "only the start": (lambda: b"PK\x03\x04", "table of contents is broken or cut off"),
    "storage cut off": (
        lambda: archive({"a/data.pkl": saved(tensor()), "a/data/0": SIX[:-1]}),
        "the storage '0' has 23 bytes, not 6 elements of float32",
    ),
    "long pickle": (
        lambda: zip_file(b"\x80\x02" + b"N0" * SHORTENED + b"N."),
        "more than any model",
    ),
    "long legacy pickle": (lambda: legacy_file(b"\x80\x02" + b"N0" * SHORTENED), "more than any model"),
    "long legacy line": (lambda: legacy_file(b"\x80\x02I" + b"1" * SHORTENED), "more than any model"),
    "legacy storage cut off": (lambda: legacy_file(saved(tensor()))[:-1], "go past the end of the file"),
    "legacy length": (
        lambda: legacy_file(saved(tensor()), tail=struct.pack("<q", 7) + SIX),
        "'0' is cut off, or not as long as its tensors need",
    ),
    "legacy lengths missing": (lambda: legacy_file(saved(tensor()), tail=b""), "'0' is cut off"),
    "legacy keys": (lambda: legacy_file(saved(tensor()), keys=["0", "0"]), "list of storages does not fit"),
    "legacy view": (
        lambda: legacy_file(saved(tensor(view=value(("part", 1, 6))))),
        "a part of a storage reaches past its end",
    ),
    "other pickle": (lambda: pickle.dumps({"a": 1}, 2), "magic number or version"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_damaged_files_give_one_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_files, "LONGEST_PICKLE", SHORTENED)
    make, message = ARCHIVES[kind]
    with pytest.raises(ValueError, match=rf"file.pth is a damaged PyTorch file: .*{message}") as caught:
        read(make(), tmp_path)
    assert "\n" not in str(caught.value)


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


def test_the_tar_format_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="file.pth is a tar archive, PyTorch's format before 0.1.10"
    ) as caught:
        read(tar_file(), tmp_path)
    assert "torch.load(path, weights_only=False) reads it and torch.save writes a new file" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


def test_empty_files_and_odd_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="file.pth is empty"):
        read(b"", tmp_path)
    with pytest.raises(ValueError, match="null is no regular file"):
        minidnn.load(os.devnull.replace("nul", "null") if os.name == "nt" else "/dev/null")


# ---- mutated files -----------------------------------------------------------------------------------------

WHOLE = [(FOLDER / name).read_bytes() for name in ("zip.pth", "legacy.pth", "safetensors.safetensors")]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    whole=st.sampled_from(WHOLE),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
    tail=st.binary(max_size=20),
)
def test_any_mutation_gives_tensors_or_one_sentence(
    whole: bytes, edits: list[tuple[float, int]], cut: float, tail: bytes, tmp_path_factory: Any
) -> None:
    content = bytearray(whole)
    for place, byte in edits:
        content[int(place * len(content))] = byte
    path = tmp_path_factory.getbasetemp() / "mutated.pth"
    path.write_bytes(bytes(content[: round(cut * len(content))]) + tail)
    with one_sentence(path):
        assert_readable(minidnn.load(path))


@contextmanager
def one_sentence(path: Path) -> Iterator[None]:
    """Nothing, or a ValueError of one line that begins with the path."""
    try:
        yield
    except ValueError as error:
        message = str(error)
    else:
        return
    assert message.startswith(str(path))
    assert "\n" not in message


def assert_readable(state: Any) -> None:
    """Every element can be read: none lies outside the file."""
    if isinstance(state, minidnn.Tensor):
        if state.numpy().size < 1_000_000:
            state.numpy().tobytes()
    elif isinstance(state, dict):
        for item in state.values():
            assert_readable(item)
    elif isinstance(state, list | tuple):
        for item in state:
            assert_readable(item)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    offset=st.integers(-1, 7),
    axes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=4),
)
def test_views_are_those_of_the_formula(
    offset: int, axes: list[tuple[int, int]], tmp_path_factory: Any
) -> None:
    """Element (i, j, ...) is storage[offset + i stride[0] + ...], or there is no such tensor."""
    size, stride = tuple(n for n, _ in axes), tuple(step for _, step in axes)
    content = zip_file(saved(tensor(offset=offset, size=size, stride=stride)))
    flat = np.arange(6, dtype=np.float32)
    places = offset + sum(
        (np.indices(size)[axis] * stride[axis] for axis in range(len(size))), np.zeros(size, int)
    )
    if offset < 0 or (places >= 6).any():
        with pytest.raises(ValueError, match="is a damaged PyTorch file"):
            read(content, tmp_path_factory.getbasetemp())
    else:
        assert_tensor(read(content, tmp_path_factory.getbasetemp())["w"], flat[places], "w")


# ---- beside PyTorch ----------------------------------------------------------------------------------------


@pytest.mark.reference
@pytest.mark.parametrize("new_format", [True, False])
def test_live_files_of_pytorch(new_format: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 5, 6)).sum().backward()
    optimizer.step()
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "c.pth", _use_new_zipfile_serialization=new_format)
    got = minidnn.load(tmp_path / "c.pth")
    for name, want in model.state_dict().items():
        assert_tensor(got["model"][name], want.numpy(), name)
    for index, state in optimizer.state_dict()["state"].items():
        for name, want in state.items():
            assert_tensor(got["optimizer"]["state"][index][name], want.numpy(), name)
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    ours.load_state_dict(got["model"])


@pytest.mark.reference
@pytest.mark.parametrize("module", [True, False])
def test_modules_and_sparse_tensors_are_refused(module: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    saved_object = torch.nn.Linear(2, 3) if module else torch.zeros(3).to_sparse()
    torch.save(saved_object, tmp_path / "m.pth")
    name = "torch.nn.modules.linear.Linear" if module else "torch._utils._rebuild_sparse_tensor"
    with pytest.raises(ValueError, match=f"it names {name}, .*save the model's state_dict"):
        minidnn.load(tmp_path / "m.pth")


@pytest.mark.reference
def test_the_way_out_of_the_tar_format(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "old.pth").write_bytes(tar_file())
    torch.save(torch.load(tmp_path / "old.pth", weights_only=False), tmp_path / "new.pth")
    assert minidnn.load(tmp_path / "new.pth")["w"].numpy().tolist() == [1, 2, 3]


@pytest.mark.reference
def test_pytorch_reads_what_is_saved(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import safetensors.torch

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).double()
    minidnn.save(model, tmp_path / "m.safetensors")
    got = safetensors.torch.load_file(tmp_path / "m.safetensors")
    for name, want in model.state_dict().items():
        assert np.array_equal(got[name].numpy(), want.numpy())
        assert str(got[name].dtype).removeprefix("torch.") == str(want.dtype)


@pytest.mark.reference
def test_the_stored_files_are_those_of_pytorch() -> None:
    """`torch.load` reads the stored files as `contents` says, the big-endian one too."""
    torch = pytest.importorskip("torch")
    for file in ("zip.pth", "legacy.pth", "big_endian.pth"):
        state = torch.load(FOLDER / file, weights_only=True)
        for name, got in state["state_dict"].items():
            array = got.detach().float() if got.dtype is torch.bfloat16 else got.detach()
            assert np.array_equal(array.numpy(), TENSORS[name]), (file, name)
