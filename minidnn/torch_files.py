"""Reading PyTorch's files (`torch.save`: .pth, .pt) without PyTorch and without running anything in them.

Two formats, both known from what PyTorch's documentation and the files themselves show:

- since 1.6 a zip archive, uncompressed: NAME/data.pkl is a pickle of the saved object in which a storage (a
  flat run of elements) appears by a key; NAME/data/KEY holds its bytes and NAME/byteorder their order.
- before that ("legacy") pickles in a row: a magic number, the format's version, facts about the machine, the
  object, the list of the storages' keys; then every storage, its length in front, always little-endian.

The first format, a tar archive (before 0.1.10), is told but not read.

The pickle may name tensors, storages, ordered dictionaries and sets; anything else is refused by its name.
Arrays are views of the file (see `MappedFile`), half precision stays half, bfloat16 becomes float32.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.mapped_file import MappedFile, in_byte_order, widen_bfloat16
from minidnn.plain_pickle import (
    LONGEST_NAME,
    Constructor,
    PlainUnpickler,
    RefusedError,
    StandIn,
    plain_key,
    plain_set,
)
from minidnn.tensor import Tensor

ZIP_START = b"PK\x03\x04"
TAR_MARK, TAR_MARK_PLACE = b"ustar", 257
LONGEST_START = TAR_MARK_PLACE + len(TAR_MARK)
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
# A pickle holds names and sizes, no elements: 16 MB are enough for a hundred thousand tensors.
LONGEST_PICKLE = 1 << 24
DEEPEST_NESTING = 64
MOST_AXES = 64
BYTES_ALIGNMENT = 16


def is_torch_file(start: bytes) -> bool:
    """Tell by a file's first bytes (`LONGEST_START` of them) whether it is to be read as PyTorch's."""
    # The header of a safetensors file, 640 bytes long, could begin like a pickle, but for the brace.
    is_safetensors = start[8:9] == b"{"
    return start.startswith(ZIP_START) or (not is_safetensors and (start[:1] == b"\x80" or _is_tar(start)))


def _is_tar(start: bytes) -> bool:
    return start[TAR_MARK_PLACE:LONGEST_START] == TAR_MARK


def read_torch_file(file: MappedFile) -> Any:
    """Return the saved object: Tensors in dictionaries, lists, tuples and sets, numbers and texts.

    Parameters come back as plain Tensors; a state dict keeps its `_metadata` (the versions of its layers).

    Raises:
        ValueError: the file is damaged or hostile, is a tar archive, names something else than tensors and
            containers, or holds elements that NumPy does not have.
    """
    if _is_tar(file.content[:LONGEST_START]):
        raise ValueError(
            f"{file.path} is a tar archive, PyTorch's format before 0.1.10, which is not read: if you trust "
            "where it comes from, torch.load(path, weights_only=False) reads it and torch.save writes a new "
            "file; an archive of other files must be unpacked first"
        )
    with _one_line_errors(file):
        value = _read_zip(file) if file.content[:4] == ZIP_START else _read_legacy(file)
        _check_contents(value)
        return value


@contextmanager
def _one_line_errors(file: MappedFile) -> Iterator[None]:
    try:
        yield
    except RefusedError as refused:
        raise ValueError(
            f"{file.path} was refused: it names {refused}, and only tensors, storages, containers and "
            "numbers are read; save the model's state_dict() instead"
        ) from None
    except Exception as error:
        # A damaged pickle can fail anywhere in its interpreter.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(f"{file.path} is a damaged PyTorch file: {reason}") from None


def _check_contents(value: Any) -> None:
    """Refuse containers in themselves or too deep, which nobody can walk through, and bare types."""
    level = [value]
    for _ in range(DEEPEST_NESTING):
        if any(isinstance(item, Constructor | Element) for item in level):
            raise ValueError("it holds a type where a tensor, a container or a number is needed")
        inner = (item for container in level for item in _contents(container))
        level = list({id(item): item for item in inner}.values())
        if not level:
            return
    raise ValueError(f"its containers are nested more than {DEEPEST_NESTING} deep")


def _contents(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
        yield from vars(value).values() if isinstance(value, StateDict) else ()
    elif isinstance(value, list | tuple | set):
        yield from value


# ---- what the pickles may name -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Element:
    """The type of a storage's elements.

    Attributes:
        stored: how the bytes are read.
        widened: whether they are bfloat16, which becomes float32.
    """

    stored: np.dtype[Any]
    widened: bool = False


_BYTES = Element(np.dtype(np.uint8))
# PyTorch's name of a dtype, and of the storage of such elements where it has one.
_ELEMENTS = {
    ("float32", "FloatStorage"): Element(np.dtype(np.float32)),
    ("float64", "DoubleStorage"): Element(np.dtype(np.float64)),
    ("float16", "HalfStorage"): Element(np.dtype(np.float16)),
    ("bfloat16", "BFloat16Storage"): Element(np.dtype(np.uint16), widened=True),
    ("int8", "CharStorage"): Element(np.dtype(np.int8)),
    ("int16", "ShortStorage"): Element(np.dtype(np.int16)),
    ("int32", "IntStorage"): Element(np.dtype(np.int32)),
    ("int64", "LongStorage"): Element(np.dtype(np.int64)),
    ("uint8", "ByteStorage"): Element(np.dtype(np.uint8)),
    ("uint16", ""): Element(np.dtype(np.uint16)),
    ("uint32", ""): Element(np.dtype(np.uint32)),
    ("uint64", ""): Element(np.dtype(np.uint64)),
    ("bool", "BoolStorage"): Element(np.dtype(np.bool_)),
    ("complex64", "ComplexFloatStorage"): Element(np.dtype(np.complex64)),
    ("complex128", "ComplexDoubleStorage"): Element(np.dtype(np.complex128)),
}


class StateDict(OrderedDict[Any, Any], StandIn):
    """An ordered dictionary that may have `_metadata`, as PyTorch's state dicts do."""

    _metadata: dict[str, Any]

    def take(self, state: Any) -> None:
        """Keep the metadata, a dictionary of dictionaries; PyTorch stores no other attribute."""
        if not isinstance(state, dict) or list(state) != ["_metadata"]:
            raise ValueError("it gives attributes other than _metadata to a dictionary")
        metadata = state["_metadata"]
        if not isinstance(metadata, dict) or not all(isinstance(of, dict) for of in metadata.values()):
            raise ValueError("the _metadata of a state dict must be a dictionary of dictionaries")
        self._metadata = metadata


class Storage(Tensor):
    """A whole storage: a flat tensor that other tensors are views of.

    Attributes:
        swapped: whether its bytes were big-endian.
    """

    swapped = False


def _make_ordered(pairs: Any = ()) -> StateDict:
    if pairs != ():
        raise ValueError("an ordered dictionary must be filled item by item")
    return StateDict()


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A tensor of `size`, whose element (i, j, ...) is storage[offset + i stride[0] + j stride[1] + ...]."""
    if not isinstance(storage, Storage):
        raise ValueError("a tensor's storage is not a storage")
    return Tensor(_view(storage.data, offset, size, stride))


def _rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    """The same over a storage of bytes, whose elements are of `dtype`."""
    if not isinstance(storage, Storage) or storage.dtype != np.uint8 or not isinstance(dtype, Element):
        raise ValueError("a tensor's storage is not a storage of bytes, or its dtype no dtype")
    width = dtype.stored.itemsize
    if dtype.widened or (storage.swapped and width > 1) or storage.data.size % width:
        raise ValueError(f"a storage of {storage.data.size} bytes cannot be read as elements of a tensor")
    return Tensor(_view(storage.data.view(dtype.stored), offset, size, stride))


def _rebuild_parameter(data: Any, *_: Any) -> Tensor:
    """A parameter's values."""
    if not isinstance(data, Tensor):
        raise ValueError("a parameter's data is not a tensor")
    return data


def _view(flat: Array, offset: Any, size: Any, stride: Any) -> Array:
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise ValueError("a tensor's sizes and strides are not tuples of one length")
    if len(size) > MOST_AXES or not all(
        type(number) is int and 0 <= number < 1 << 62 for number in (offset, *size, *stride)
    ):
        raise ValueError("a tensor has an offset, sizes or strides that no tensor can have")
    if 0 in size:
        return np.empty(size, flat.dtype)
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if last >= flat.size:
        raise ValueError(f"a tensor reads element {last} of a storage that has {flat.size}")
    width = flat.dtype.itemsize
    if offset == 0 and size == flat.shape and stride == (1,):
        return flat
    return np.ndarray(size, flat.dtype, flat, offset * width, tuple(step * width for step in stride))


def _read_storage(file: MappedFile, offset: int, count: int, element: Element, order: str) -> Storage:
    # Bytes may turn out to be elements of any type.
    alignment = BYTES_ALIGNMENT if element == _BYTES else None
    elements = in_byte_order(file.array(offset, (count,), element.stored, alignment), order)
    storage = Storage(widen_bfloat16(elements) if element.widened else elements)
    storage.swapped = order == "big"
    return storage


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): Constructor(_make_ordered),
    ("builtins", "set"): Constructor(plain_set),
    ("__builtin__", "set"): Constructor(plain_set),
    ("torch", "Size"): Constructor(tuple),
    ("torch._utils", "_rebuild_tensor"): Constructor(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Constructor(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): Constructor(_rebuild_tensor_v3),
    ("torch._utils", "_rebuild_parameter"): Constructor(_rebuild_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): Constructor(_rebuild_parameter),
    ("torch.storage", "UntypedStorage"): _BYTES,
    **{("torch", dtype): element for (dtype, _), element in _ELEMENTS.items()},
    **{("torch", storage): element for (_, storage), element in _ELEMENTS.items() if storage},
}


class _TorchUnpickler(PlainUnpickler):
    """Reads one pickle; `storage(element, key, count, view)` finds the storages it refers to."""

    def __init__(
        self, file: Any, storage: Callable[[Element, str, int, Any], Storage], names: Mapping[Any, Any]
    ) -> None:
        super().__init__(file, names, encoding="utf-8")
        self.storage = storage

    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that ("storage", type, key, device, number of elements[, view]) means."""
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
            raise ValueError("it refers to something that is no storage")
        _, element, key, _, count = pid[:5]
        if not isinstance(element, Element) or not isinstance(key, str) or type(count) is not int:
            raise ValueError("it refers to a storage by no type, key and number of elements")
        if not 0 <= count < 1 << 62:
            raise ValueError("a storage has a number of elements that no storage can have")
        return self.storage(element, key, count, pid[5] if len(pid) == 6 else None)


class _Claims(dict[str, tuple[Element, int]]):
    """The storages as a pickle describes them: for every key a type and a number of elements."""

    def add(self, element: Element, key: str, count: int, view: Any) -> Storage:
        """Note a storage; return one that holds nothing."""
        if self.setdefault(key, (element, count)) != (element, count):
            raise ValueError(f"the storage {_short(key)} has two types or two lengths")
        return _NOTHING


def _short(name: str) -> str:
    """A name fit to be printed."""
    return ascii(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...")


# ---- the zip format ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """A member of the archive, in bytes of the file."""

    offset: int
    size: int


def _read_zip(file: MappedFile) -> Any:
    records = _records(file)
    prefix = _prefix(records)
    pickled = records[f"{prefix}data.pkl"]
    if pickled.size > LONGEST_PICKLE:
        raise ValueError(f"its pickle has {pickled.size} bytes, more than any model needs")
    order = "little"
    if f"{prefix}byteorder" in records:
        order = _content(file, records[f"{prefix}byteorder"], 6).decode("latin-1")
    if order not in ("little", "big"):
        raise ValueError(f"its byte order is {order!r}, which is neither 'little' nor 'big'")
    claims = _Claims()
    storages: dict[str, Storage] = {}

    def storage(element: Element, key: str, count: int, view: Any) -> Storage:
        claims.add(element, key, count, view)
        if key not in storages:
            record = records.get(f"{prefix}data/{key}")
            if record is None:
                raise ValueError(f"the storage {_short(key)} is missing")
            if record.size != count * element.stored.itemsize:
                claimed = f"{count} elements of {element.stored}"
                raise ValueError(f"the storage {_short(key)} has {record.size} bytes, not {claimed}")
            storages[key] = _read_storage(file, record.offset, count, element, order)
        return storages[key]

    content = io.BytesIO(_content(file, pickled, LONGEST_PICKLE))
    return _TorchUnpickler(content, storage, _NAMES).load()


def _content(file: MappedFile, record: _Record, longest: int) -> bytes:
    return file.content[record.offset : record.offset + min(record.size, longest)]


def _prefix(records: Mapping[str, _Record]) -> str:
    """The name of the archive's only folder, with its slash."""
    prefixes = [name.removesuffix("data.pkl") for name in records if name.endswith("/data.pkl")]
    prefixes = [prefix for prefix in prefixes if prefix.count("/") == 1]
    if len(prefixes) != 1:
        raise ValueError("it is a zip archive without the one data.pkl that torch.save writes")
    if f"{prefixes[0]}constants.pkl" in records:
        raise ValueError("it is a TorchScript program; save the model's state_dict() instead")
    return prefixes[0]


def _records(file: MappedFile) -> dict[str, _Record]:
    """The archive's members by name: none compressed, none on top of another, all inside the file."""
    try:
        with zipfile.ZipFile(file.stream) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"its table of contents is broken or cut off ({error})") from None
    records: dict[str, _Record] = {}
    for entry in entries:
        if entry.filename in records:
            raise ValueError(f"it has two members {_short(entry.filename)}")
        records[entry.filename] = _locate(file, entry)
    end = 0
    for record in sorted(records.values(), key=lambda record: (record.offset, record.size)):
        if record.offset < end:
            raise ValueError("its members lie on top of each other")
        end = record.offset + record.size
    return records


def _locate(file: MappedFile, entry: zipfile.ZipInfo) -> _Record:
    name = _short(entry.filename)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(f"its member {name} is compressed or encrypted, which torch.save never does")
    header = file.content[entry.header_offset : entry.header_offset + 30]
    if len(header) < 30 or not header.startswith(ZIP_START):
        raise ValueError(f"its member {name} is not where the table of contents says")
    name_length, extra_length = struct.unpack("<2H", header[26:30])
    record = _Record(entry.header_offset + 30 + name_length + extra_length, entry.file_size)
    if entry.compress_size != entry.file_size or record.offset + record.size > file.size:
        raise ValueError(f"its member {name} goes past the end of the file")
    return record


# ---- the legacy format -------------------------------------------------------------------------------------


class _Part:
    """Reads a mapped file from its place on, but no more than a pickle may have."""

    def __init__(self, file: MappedFile) -> None:
        self._content = file.content
        self._end = file.content.tell() + LONGEST_PICKLE

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes (what a pickle claims may be more than there is)."""
        return self._check(self._content.read(max(0, min(size, LONGEST_PICKLE + 1))))

    def readline(self) -> bytes:
        """Return the bytes up to the next line end."""
        place = self._content.tell()
        found = self._content.find(b"\n", place, self._end)
        return self._check(self._content.read((self._end if found < 0 else found) + 1 - place))

    def _check(self, content: bytes) -> bytes:
        if self._content.tell() > self._end:
            raise ValueError(f"its pickle has more than {LONGEST_PICKLE} bytes, more than any model needs")
        return content


def _read_legacy(file: MappedFile) -> Any:
    """Read the object twice: first to learn which storages follow it and where, then with them."""
    claims = _Claims()

    def plain() -> Any:
        return PlainUnpickler(_Part(file), {}, encoding="utf-8").load()

    file.content.seek(0)
    if plain() != MAGIC_NUMBER or plain() != LEGACY_VERSION:
        raise ValueError("its magic number or version is not that of PyTorch's legacy format")
    plain()  # facts about the machine; the storages are little-endian on all of them
    start = file.content.tell()
    _TorchUnpickler(_Part(file), claims.add, _WITHOUT_STORAGES).load()
    keys = plain()
    if not isinstance(keys, list) or len(keys) != len(claims) or set(map(plain_key, keys)) != set(claims):
        raise ValueError("its list of storages does not fit the object")
    storages = {}
    offset = file.content.tell()
    for key in keys:
        element, count = claims[key]
        (length,) = struct.unpack("<q", file.content[offset : offset + 8].ljust(8, b"\xff"))
        if length != count:
            raise ValueError(f"the storage {_short(key)} is cut off, or not as long as its tensors need")
        storages[key] = _read_storage(file, offset + 8, count, element, "little")
        offset += 8 + count * element.stored.itemsize
    views: dict[tuple[str, int, int], Storage] = {}

    def storage(element: Element, key: str, count: int, view: Any) -> Storage:
        whole = storages[key]
        if view is None:
            return whole
        _, begin, length = _check_view(view, whole.data.size)
        return views.setdefault((key, begin, length), Storage(whole.data[begin : begin + length]))

    file.content.seek(start)
    return _TorchUnpickler(_Part(file), storage, _NAMES).load()


def _check_view(view: Any, size: int) -> tuple[Any, int, int]:
    """A part of a storage as (key, begin, length)."""
    if (
        not isinstance(view, tuple)
        or len(view) != 3
        or not all(type(number) is int and number >= 0 for number in view[1:])
        or view[1] + view[2] > size
    ):
        raise ValueError("a part of a storage reaches past its end")
    return view


_NOTHING = Storage(np.empty(0, np.uint8))
_BLANK = Constructor(lambda *arguments: _NOTHING)
_WITHOUT_STORAGES = {
    name: _BLANK if name[0] == "torch._utils" else meaning for name, meaning in _NAMES.items()
}
