"""Files made by hand: what they give, and that nothing but tensors and plain values is ever made."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.minidnn.torch_files.handmade import (
    assert_tensor,
    legacy_file,
    read,
    saved,
    tensor,
    value,
    zip_file,
)


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


@settings(max_examples=150)
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
