"""Saving and loading: safetensors files, written so that a crash leaves the old file or the new one.

PyTorch's files are read too (see `minidnn.torch_files`).

A file holds the arrays under dotted names, as any reader of safetensors sees them, and in its metadata, as
JSON, how they are nested and whatever else was saved with them (numbers, texts, lists). Loading never
runs code from the file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from kernels.array import Array
from kernels.device import to_host
from minidnn import random
from minidnn.mapped_file import MappedFile, widen_bfloat16
from minidnn.nn.module import Module
from minidnn.optim.optimizer import Optimizer
from minidnn.optim.schedule import LRScheduler
from minidnn.tensor import Tensor
from minidnn.torch_files import LONGEST_START, is_torch_file, read_torch_file
from minidnn.whole_file import write_whole

_METADATA = "minidnn"
_CHECKPOINT = "minidnn training checkpoint, version 1"
_STORABLE = {np.dtype(kind) for kind in "?bhiqBHIQefd"}
# The names that safetensors files give to NumPy's types; bfloat16 is not among these.
_DTYPES = {f"{kind}{8 * size}": f"{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)}
_DTYPES |= {"BOOL": "?", "F16": "f2", "F32": "f4", "F64": "f8", "C64": "c8"}


def save(state: Module | Mapping[Any, Any], path: str | os.PathLike[str]) -> None:
    """Write a module's state or any nesting of mappings, lists and tuples to `path`, atomically.

    The leaves are Tensors, arrays, numbers, texts, booleans and None; keys are texts or integers.

    Args:
        state: a Module (its `state_dict()` is saved) or a mapping.
        path: the file, conventionally ending in .safetensors; its folder must exist.

    Raises:
        TypeError: something in `state` that cannot be stored.
        OSError: the file cannot be written; an older file is left as it was.
    """
    if isinstance(state, Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a Module or a mapping, got {type(state).__name__}")
    tensors: dict[str, Array] = {}
    structure = _encode(state, "", tensors)
    write_whole(path, safetensors.numpy.save(tensors, {_METADATA: json.dumps(structure)}))


def load(path: str | os.PathLike[str]) -> Any:
    """Read a safetensors file or one that `torch.save` wrote; the format is told by the content.

    What `save` wrote comes back with its arrays as Tensors; other safetensors files give {name: Tensor},
    PyTorch's whatever was saved, of tensors, containers, numbers and texts. PyTorch is not needed, and
    nothing that a file names is run.

    The Tensors are views of the file, whose pages are read when they are used; writing into them changes the
    memory, not the file. Copied are only elements that are not aligned or of the other byte order, and
    bfloat16, which becomes float32.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is truncated, damaged or of another format, names something that is not read, or has
            elements of a type that NumPy does not have.
    """
    with MappedFile(path) as file:
        if is_torch_file(file.content[:LONGEST_START]):
            return read_torch_file(file)
        tensors, structure = _read(file)
    if structure is None:
        return dict(tensors)
    try:
        state = _decode(json.loads(structure), tensors)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{path} has damaged metadata; it was not written by minidnn.save") from None
    if not isinstance(state, dict):
        raise ValueError(f"{path} has damaged metadata; it was not written by minidnn.save")
    return state


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer,
    schedule: LRScheduler | None = None,
    *,
    position: Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> None:
    """Write everything that a run needs to go on as if it had never stopped, atomically.

    Args:
        path: the file.
        model, optimizer, schedule: whose states are stored, and the state of `minidnn.random` with them.
        position: where the run is (epoch, batch, metrics so far, ...).
        arguments: what the run was started with; `load_checkpoint` insists on the same.

    Raises:
        OSError, TypeError: as `save`.
    """
    checkpoint = {
        "kind": _CHECKPOINT,
        "arguments": dict(arguments),
        "position": dict(position),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "random": random.get_state(),
    }
    save(checkpoint, path)


def load_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer,
    schedule: LRScheduler | None = None,
    *,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a checkpoint's state into model, optimiser, schedule and `minidnn.random`; return the position.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is truncated or no checkpoint, it was made with other arguments, or its states do not
            fit the model, the optimiser or the schedule.
    """
    checkpoint = load(path)
    if not is_checkpoint(checkpoint):
        raise ValueError(f"{path} is not a checkpoint of a training run")
    _require_same_arguments(path, checkpoint["arguments"], arguments)
    if (schedule is None) != (checkpoint["schedule"] is None):
        raise ValueError(f"{path} was made {'with' if schedule is None else 'without'} a schedule")
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    if schedule is not None:
        schedule.load_state_dict(checkpoint["schedule"])
    random.set_state(checkpoint["random"])
    position: dict[str, Any] = checkpoint["position"]
    return position


def set_checkpoint_aside(path: str | os.PathLike[str]) -> Path | None:
    """Rename the checkpoint of an earlier run to NAME.previous, so that a new run overwrites nothing.

    Returns:
        The new path, or None where there was no file. An even earlier NAME.previous is replaced.

    Raises:
        ValueError: the file is no checkpoint of a training run; it is left alone.
    """
    path = Path(path)
    if not path.exists():
        return None
    if not is_checkpoint(load(path)):
        raise ValueError(
            f"{path} is not a checkpoint of a training run; choose another path for the checkpoint"
        )
    return path.replace(path.with_name(f"{path.name}.previous"))


def is_checkpoint(state: Any) -> bool:
    """Tell whether what `load` returned was written by `save_checkpoint`."""
    return isinstance(state, dict) and state.get("kind") == _CHECKPOINT


def _require_same_arguments(
    path: str | os.PathLike[str], saved: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    names = [name for name in {**saved, **given} if saved.get(name) != given.get(name)]
    if names:
        made = ", ".join(f"{name} {saved.get(name)}" for name in names)
        now = ", ".join(f"{name} {given.get(name)}" for name in names)
        raise ValueError(
            f"{path} was made with {made}, but this run has {now}; "
            "resume with the same arguments or start another checkpoint"
        )


def _encode(value: Any, name: str, tensors: dict[str, Array]) -> Any:
    """Return `value` as JSON, with its arrays moved into `tensors` and named in their places.

    Containers become {"dict": [[key, value], ...]}, {"list": [...]}, {"tuple": [...]}: integer keys and
    tuples survive, and no text that a user stores can be mistaken for a mark.
    """
    if isinstance(value, Tensor):
        value = to_host(value.data)
    if isinstance(value, np.ndarray):
        return {"tensor": _store(value, name, tensors)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise TypeError(f"state{_place(name)} has the key {key!r}; keys must be texts or integers")
        return {"dict": [[key, _encode(item, _join(name, key), tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(item, _join(name, index), tensors) for index, item in enumerate(value)]}
    raise TypeError(f"state{_place(name)} holds a {type(value).__name__}, which cannot be stored")


def _store(array: Array, name: str, tensors: dict[str, Array]) -> str:
    if array.dtype not in _STORABLE:
        raise TypeError(f"state{_place(name)} has dtype {array.dtype}, which cannot be stored")
    while name in tensors or name == "__metadata__":
        name += "_"
    tensors[name] = np.asarray(array, order="C")
    return name


def _decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _decode(item, tensors) for key, item in content}
    return {"list": list, "tuple": tuple}[kind](_decode(item, tensors) for item in content)


def _join(name: str, part: str | int) -> str:
    return f"{name}.{part}" if name else str(part)


def _place(name: str) -> str:
    return f"[{name!r}]" if name else ""


def _read(file: MappedFile) -> tuple[dict[str, Tensor], str | None]:
    """Every tensor as a view of the file, and the text that `save` put into its metadata."""
    path = file.path
    with _one_line_errors(path):
        # The library checks every size and offset; the arrays that it would hand out are copies.
        with safetensors.safe_open(path, framework="numpy") as checked:
            metadata = checked.metadata() or {}
        length = int.from_bytes(file.content[:8], "little")
        header = json.loads(file.content[8 : 8 + length])
        tensors = {
            name: Tensor(_array(path, file, 8 + length, entry))
            for name, entry in header.items()
            if name != "__metadata__"
        }
    return tensors, metadata.get(_METADATA)


def _array(path: Path, file: MappedFile, begin: int, entry: dict[str, Any]) -> Array:
    offset, shape = begin + entry["data_offsets"][0], tuple(entry["shape"])
    if entry["dtype"] == "BF16":
        return widen_bfloat16(file.array(offset, shape, np.uint16))
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"{path} holds elements of type {entry['dtype']}, which NumPy does not have")
    return file.array(offset, shape, _DTYPES[entry["dtype"]])


@contextlib.contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{path} is truncated or not a safetensors file, nor one of PyTorch's ({error})"
        ) from None
