"""The unpickler that runs nothing; the files that it is for test it more."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import pytest

from minidnn.plain_pickle import Constructor, PlainUnpickler, RefusedError, plain_set

NAMES = {("builtins", "set"): Constructor(plain_set), ("__builtin__", "set"): Constructor(plain_set)}
PLAIN = {
    "numbers": [0, -1, 255, 70_000, 2**80, -(2**80), 0.5, True, False, None],
    "texts": ("a", "ü" * 300, b"bytes"),
    7: {(1, "a"): [], "deeper": {"deepest": ({},)}},
    "set": {1, "a", None},
}


def load(content: bytes) -> Any:
    return PlainUnpickler(io.BytesIO(content), NAMES, encoding="utf-8").load()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol(protocol: int) -> None:
    value = {**PLAIN, "texts": PLAIN["texts"][:2]} if protocol < 3 else PLAIN  # bytes were calls then
    assert load(pickle.dumps(value, protocol)) == value


def test_shared_values_stay_shared() -> None:
    inner: list[int] = [1]
    first, second = load(pickle.dumps((inner, inner), 4))
    assert first is second


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_other_names_are_refused(protocol: int) -> None:
    with pytest.raises(RefusedError, match="^collections.OrderedDict$"):
        load(pickle.dumps(OrderedDict(), protocol))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02c__builtin__\nset\nq\x00h\x00h\x00R.", "treats a Constructor as a tuple"),
        (b"\x80\x02]]R.", "it calls a value"),
        (b"\x80\x02]N}b.", "treats a NoneType as a StandIn"),
        (b"\x80\x02](K\x01e]K\x02s.", "treats a list as a dict"),
        (b"\x80\x02}]Ns.", "it has a key of type list"),
        (b"\x80\x02}K\x01a.", "treats a dict as a list"),
        (b"\x80\x04](K\x01\x90.", "treats a list as a set"),
        (b"\x80\x02}(K\x01u.", "shorter"),
        (b"\x80\x02N\x81.", "an instruction that no plain value needs"),
        (b"\x80\x05\x96" + b"\xff" * 8, "an instruction that no plain value needs"),
    ],
)
def test_what_no_pickle_of_plain_values_does(content: bytes, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        load(content)
    assert isinstance(caught.value, ValueError | IndexError)
