"""What is read off Functions: arguments, roles, source lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels.window import Window
from minidnn.autograd import Function
from minidnn.functional.linear import Linear
from minidnn.functional.normalization import LocalResponseNorm
from minidnn.functional.pooling import MaxPool2d
from minidnn.functional.roi import RoIAlign
from minidnn.operators.arithmetic import Clip
from minidnn.operators.indexing import Index, Slice
from minidnn.operators.shape import Concat
from minidnn.tracing.function import input_roles, plain_arguments, source_of
from tests.minidnn.tracing.networks import CASES, traced

PROJECT = Path(__file__).parent.parent.parent.parent


def functions(kind: type[Function] = Function) -> list[type[Function]]:
    below = [found for child in kind.__subclasses__() for found in functions(child)]
    return [kind, *below] if kind.__module__.startswith("minidnn.") else below


@pytest.mark.parametrize("kind", functions(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("method", ["forward", "backward"])
def test_source_lines_point_at_the_methods(kind: type[Function], method: str) -> None:
    place = source_of(getattr(kind, method))
    lines = (PROJECT / place.file).read_text().splitlines()
    assert lines[place.line - 1].strip().startswith(f"def {method}(")
    owner = next(base for base in kind.__mro__ if method in vars(base))
    above = [line for line in lines[: place.line] if line.startswith("class ")]
    assert above[-1].startswith(f"class {owner.__name__}")


@pytest.mark.parametrize("name", CASES)
def test_every_record_has_its_functions_lines(name: str) -> None:
    for record in traced(name).operations:
        for place, method in ((record.forward_source, "forward"), (record.backward_source, "backward")):
            line = (PROJECT / place.file).read_text().splitlines()[place.line - 1]
            assert line.strip().startswith(f"def {method}(")


def test_a_function_from_elsewhere_has_an_absolute_path() -> None:
    place = source_of(test_source_lines_point_at_the_methods)
    assert place.file == "tests/minidnn/tracing/test_function.py"
    foreign = source_of(pytest.approx)
    assert Path(foreign.file).is_absolute()


# What is made with which arguments; the first are the constructor's too.
LRN = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}
ALIGN = {"output_size": (2, 3), "spatial_scale": 0.5, "sampling_ratio": 2, "aligned": True}
CLIP = {"low": None, "high": 6.0}
POOL = {
    "kernel": (3, 3),
    "stride": (2, 2),
    "padding": ((1, 1), (1, 1)),
    "dilation": (1, 1),
    "ceil_mode": False,
}
EXAMPLES: list[tuple[Function, dict]] = [
    (LocalResponseNorm(*LRN.values()), LRN),
    (RoIAlign(*ALIGN.values()), ALIGN),
    (Clip(*CLIP.values()), CLIP),
    (MaxPool2d(Window.of(3, 2, 1)), POOL),
    (Slice((slice(1, None, 2), 0)), {"key": ("slice(1, None, 2)", 0, "Ellipsis")}),
    (Index((np.array([1, 2]), None)), {"indices": ("int64 array of shape (2,)", None)}),
    (Linear(), {}),
]


@pytest.mark.parametrize(("function", "arguments"), EXAMPLES, ids=[f.name for f, _ in EXAMPLES])
def test_arguments(function: Function, arguments: dict) -> None:
    function.needs = (True,)
    assert plain_arguments(function) == arguments


def test_roles() -> None:
    assert input_roles(Linear(), 3) == ["x", "weight", "bias"]
    assert input_roles(Concat(0), 2) == ["arrays[0]", "arrays[1]"]
