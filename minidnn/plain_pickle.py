"""Reading pickles of plain values without running anything they name.

A pickle is a program: its instructions may import any name and call it. `PlainUnpickler` knows the
instructions that build plain values, looks names up in a table that the caller gives (never imports one), and
calls nothing but that table's entries.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

LONGEST_NAME = 200


class Reader(Protocol):
    """What a pickle is read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""

    def readline(self) -> bytes:
        """Return the bytes up to the next line end."""


class RefusedError(Exception):
    """A pickle named something that is not in the table; the text is the name, fit to be printed."""


class Constructor:
    """What a pickle may call: an entry of the table of names."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class StandIn:
    """Base of what stands for an object while a pickle is read and takes the object's state."""

    def take(self, state: Any) -> None:
        """Receive the state that the pickle holds for the object."""


_ALLOWED = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1, pickle.LONG4),
    *(pickle.FLOAT, pickle.BINFLOAT),
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.BINPERSID),
)


def _refuse_instruction(unpickler: PlainUnpickler) -> None:
    raise ValueError("it uses an instruction that no plain value needs")


# The interpreter written in Python: C's trusts the sizes in a pickle and allocates what they claim.
class PlainUnpickler(pickle._Unpickler):
    """Reads one pickle.

    Args:
        file: where the pickle begins.
        names: what its names stand for: Constructors, which it may call, and inert values.
        encoding: of texts that Python 2 wrote.

    Raises:
        RefusedError: from `load`, for a name outside the table.
    """

    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **dict.fromkeys(range(256), _refuse_instruction),
        **{code[0]: pickle._Unpickler.dispatch[code[0]] for code in _ALLOWED},
    }

    def __init__(self, file: Reader, names: Mapping[tuple[str, str], Any], encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self.names = names

    def find_class(self, module: str, name: str) -> Any:
        """Return the table's entry."""
        try:
            return self.names[module, name]
        except KeyError:
            # A name may hold line ends and worse.
            full = ascii(f"{module}.{name}")[1:-1]
            raise RefusedError(full if len(full) <= LONGEST_NAME else f"{full[:LONGEST_NAME]}...") from None

    def load_reduce(self) -> None:
        """Call a Constructor."""
        arguments = self.stack.pop()
        constructor = self.stack[-1]
        if not isinstance(constructor, Constructor):
            raise ValueError(f"it calls a value ({type(constructor).__name__})")
        self.stack[-1] = constructor.call(*_instance(arguments, tuple))

    def load_build(self) -> None:
        """Hand a state to a stand-in."""
        state = self.stack.pop()
        _instance(self.stack[-1], StandIn).take(state)

    def load_dict(self) -> None:
        """Make a dictionary of the keys and values since the mark."""
        items = self.pop_mark()
        self.append({})
        self._set(items)

    def load_setitem(self) -> None:
        """Put one value into a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        """Put the keys and values since the mark into a dictionary."""
        self._set(self.pop_mark())

    def load_append(self) -> None:
        """Put one value into a list."""
        value = self.stack.pop()
        _instance(self.stack[-1], list).append(value)

    def load_appends(self) -> None:
        """Put the values since the mark into a list."""
        items = self.pop_mark()
        _instance(self.stack[-1], list).extend(items)

    def load_additems(self) -> None:
        """Put the values since the mark into a set."""
        items = self.pop_mark()
        _instance(self.stack[-1], set).update(plain_set(items))

    def _set(self, items: list[Any]) -> None:
        target = _instance(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[plain_key(key)] = value

    dispatch.update(
        {
            pickle.REDUCE[0]: load_reduce,
            pickle.BUILD[0]: load_build,
            pickle.DICT[0]: load_dict,
            pickle.SETITEM[0]: load_setitem,
            pickle.SETITEMS[0]: load_setitems,
            pickle.APPEND[0]: load_append,
            pickle.APPENDS[0]: load_appends,
            pickle.ADDITEMS[0]: load_additems,
        }
    )


def plain_key(value: Any) -> Any:
    """Return `value` if it may be a key: a number, a text, bytes, None, or a tuple of them.

    Hashing a tuple descends into it without end in sight: nested ones are refused.
    """
    for part in value if type(value) is tuple else (value,):
        if part is not None and not isinstance(part, bool | int | float | str | bytes):
            raise ValueError(f"it has a key of type {type(part).__name__}")
    return value


def plain_set(values: Iterable[Any]) -> set[Any]:
    """Return the set of values that may be keys."""
    return {plain_key(value) for value in values}


def _instance(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"it treats a {type(value).__name__} as a {kind.__name__}")
    return value
