"""Damaged and hostile files give one sentence, whatever they claim."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidnn
from minidnn import torch_files
from tests.minidnn.files.contents import FOLDER
from tests.minidnn.torch_files.handmade import (
    SIX,
    archive,
    legacy_file,
    read,
    saved,
    tar_file,
    tensor,
    value,
    zip_file,
)

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
    with pytest.raises(ValueError, match="is no regular file"):
        minidnn.load(os.devnull)


# ---- mutated files -----------------------------------------------------------------------------------------

WHOLE = [(FOLDER / name).read_bytes() for name in ("zip.pth", "legacy.pth", "safetensors.safetensors")]


@settings(max_examples=250)
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
