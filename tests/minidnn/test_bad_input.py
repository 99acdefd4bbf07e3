"""Junk in any argument of any function or layer is answered, or refused in one sentence that names it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidnn
from minidnn import functional, nn, optim

# What the operators call their operands, in functions that are operators too.
OPERATOR_NAMES = ("operand", "operands", "a", "b", "number", "dtype", "split_size", "rois")
# Layers check their input through the functions, which have names of their own for it.
FORWARD_NAMES = ("x", "target", "boxes", "pad", "indices")
PLAIN = ("Concat", "Identity", "Module", "ModuleList", "Parameter", "Sequential")


class Foreign:
    """An object that means nothing to anybody."""

    def __repr__(self) -> str:
        return "Foreign()"


def images() -> np.ndarray:
    return np.linspace(-1, 1, 2 * 3 * 5 * 4).reshape(2, 3, 5, 4)


def rows() -> np.ndarray:
    return np.linspace(-1, 1, 6).reshape(2, 3)


# A call of every function that is right, by argument; whatever is not here gets `images()` as x only.
CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    "adaptive_avg_pool2d": lambda: {"x": images(), "output_size": 2},
    "adaptive_max_pool2d": lambda: {"x": images(), "output_size": 2},
    "avg_pool2d": lambda: {"x": images(), "kernel_size": 2},
    "batch_norm": lambda: {"x": images(), "running_mean": np.zeros(3), "running_var": np.ones(3)},
    "binary_cross_entropy_with_logits": lambda: {"x": rows(), "target": rows()},
    "cat": lambda: {"tensors": [rows(), rows()]},
    "chunk": lambda: {"x": rows(), "chunks": 2},
    "clamp": lambda: {"x": rows(), "min": 0.0},
    "clip": lambda: {"x": rows(), "max": 0.0},
    "conv2d": lambda: {"x": images(), "weight": np.ones((4, 3, 3, 2))},
    "conv_transpose2d": lambda: {"x": images(), "weight": np.ones((3, 4, 3, 2))},
    "cross_entropy": lambda: {"x": rows(), "target": np.array([0, 2])},
    "interpolate": lambda: {"x": images(), "size": 3},
    "l1_loss": lambda: {"x": rows(), "target": rows()},
    "linear": lambda: {"x": rows(), "weight": np.ones((4, 3))},
    "local_response_norm": lambda: {"x": images(), "size": 2},
    "locally_connected2d": lambda: {"x": images(), "weight": np.ones((2, 4, 3, 3, 2, 2))},
    "log_softmax": lambda: {"x": rows(), "dim": 1},
    "matmul": lambda: {"x": rows(), "other": rows().T},
    "max_pool2d": lambda: {"x": images(), "kernel_size": 2},
    "max_unpool2d": lambda: {"x": images(), "indices": np.zeros((2, 3, 5, 4), np.int64), "kernel_size": 2},
    "maximum": lambda: {"x": rows(), "other": rows()},
    "minimum": lambda: {"x": rows(), "other": rows()},
    "mse_loss": lambda: {"x": rows(), "target": rows()},
    "multi_margin_loss": lambda: {"x": rows(), "target": np.array([0, 2])},
    "nll_loss": lambda: {"x": rows(), "target": np.array([0, 2])},
    "pad": lambda: {"x": images(), "pad": (1, 1)},
    "roi_align": lambda: {"x": images(), "boxes": np.array([[0, 0.0, 0, 3, 3]]), "output_size": 2},
    "roi_pool": lambda: {"x": images(), "boxes": np.array([[0, 0.0, 0, 3, 3]]), "output_size": 2},
    "smooth_l1_loss": lambda: {"x": rows(), "target": rows()},
    "softmax": lambda: {"x": rows(), "dim": 1},
    "split": lambda: {"x": rows(), "split_size_or_sections": 1},
    "stack": lambda: {"tensors": [rows(), rows()]},
    "where": lambda: {"condition": np.array([True, False, True]), "x": rows(), "other": rows()},
}

NUMBERS = [0, 1, 2, -1, -5, 7, 0.5, 2.0, -0.5, True, float("nan"), float("inf"), 10**30, -(2**70), 1e300, 1j]
NUMPY_NUMBERS = [np.float32(0.5), np.int64(2), np.bool_(True), np.array(2), np.array(0.5)]
TEXTS = ["", "a", "same", "mean", "none", "sum", "nearest", "bilinear", "reflect", "float64", b"x"]
NESTS = [
    (),
    (1,),
    [2],
    (2, 3),
    (1, 2, 3),
    (1, None),
    ("a", "b"),
    (1.5, 2),
    ((1, 2), (0, 1)),
    [[1.0, 2.0], [3.0]],
]
OBJECTS = [
    None,
    {"a": 1},
    {1, 2},
    Foreign(),
    Foreign,
    range(3),
    slice(1),
    len,
    Ellipsis,
    NotImplemented,
    [None],
]
SHAPES = [
    (),
    (0,),
    (3,),
    (2, 3),
    (0, 3),
    (2, 0),
    (3, 5, 4),
    (2, 3, 5, 4),
    (0, 3, 5, 4),
    (2, 0, 5, 4),
    (2, 3, 0, 4),
]
DTYPES = ["f8", "f8", "f4", "f2", "i8", "i4", "u1", "?", "c16", "c8", "O", "U3", "M8[s]"]


def array(shape: tuple[int, ...], dtype: str, value: int, wrapped: bool) -> Any:
    filled = np.full(shape, value, "f8")
    filled = filled.astype("i8").astype(dtype) if dtype == "M8[s]" else filled.astype(dtype)
    return minidnn.Tensor(filled) if wrapped and filled.dtype.kind in "fiubc" else filled


junk = st.one_of(
    st.sampled_from([*NUMBERS, *NUMPY_NUMBERS, *TEXTS, *NESTS, *OBJECTS]),
    st.builds(array, st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.integers(-2, 3), st.booleans()),
    st.just(np.full((2, 3), np.nan)),
)


def check_refusal(error: Exception, names: Iterable[str]) -> None:
    message = str(error)
    assert "\n" not in message, message
    named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message) for name in names)
    assert named or "Unable to allocate" in message, message


def call_with_junk(
    data: st.DataObject, call: Callable[..., Any], right: dict[str, Any], names: set[str]
) -> None:
    """Replace one or two arguments by junk and call: an answer, ValueError or TypeError."""
    parameters = [
        name
        for name, parameter in inspect.signature(call).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    chosen = data.draw(st.lists(st.sampled_from(parameters), min_size=1, max_size=2, unique=True))
    arguments = {**right, **{name: data.draw(junk, label=name) for name in chosen}}
    inplace = arguments.get("inplace", False)
    before = {name: value.copy() for name, value in right.items() if isinstance(value, np.ndarray)}
    try:
        call(**arguments)
    except (ValueError, TypeError) as error:
        check_refusal(error, {*parameters, *names})
    for name, value in before.items():
        if inplace is False and arguments[name] is right[name] and not name.startswith("running"):
            assert np.array_equal(value, right[name]), f"{name} was modified"


@pytest.mark.filterwarnings("ignore:Data type alias")
@pytest.mark.parametrize("name", functional.__all__)
@settings(max_examples=25)
@given(data=st.data())
def test_functions(name: str, data: st.DataObject) -> None:
    right = CALLS.get(name, lambda: {"x": images()})()
    call_with_junk(data, getattr(functional, name), right, set(OPERATOR_NAMES))


LAYERS: dict[str, dict[str, Any]] = {
    "AdaptiveAvgPool2d": {"output_size": 2},
    "AdaptiveMaxPool2d": {"output_size": 2},
    "AvgPool2d": {"kernel_size": 2},
    "BatchNorm1d": {"num_features": 3},
    "BatchNorm2d": {"num_features": 3},
    "BatchNorm3d": {"num_features": 3},
    "ConstantPad2d": {"padding": 1, "value": 0.0},
    "Conv2d": {"in_channels": 3, "out_channels": 4, "kernel_size": 2},
    "ConvTranspose2d": {"in_channels": 3, "out_channels": 4, "kernel_size": 2},
    "LazyConv2d": {"out_channels": 4, "kernel_size": 2},
    "LazyLinear": {"out_features": 4},
    "Linear": {"in_features": 4, "out_features": 5},
    "LocalResponseNorm": {"size": 2},
    "LocallyConnected2d": {"in_channels": 3, "out_channels": 4, "input_size": (5, 4), "kernel_size": 2},
    "LogSoftmax": {"dim": 1},
    "MaxPool2d": {"kernel_size": 2},
    "MaxUnpool2d": {"kernel_size": 2},
    "ReflectionPad2d": {"padding": 1},
    "ReplicationPad2d": {"padding": 1},
    "RoIAlign": {"output_size": 2, "spatial_scale": 1.0, "sampling_ratio": 2},
    "RoIPool": {"output_size": 2, "spatial_scale": 1.0},
    "Softmax": {"dim": 1},
    "Upsample": {"size": 3},
    "ZeroPad2d": {"padding": 1},
}
SECOND_INPUTS: dict[str, Callable[[], Any]] = {
    "MaxUnpool2d": lambda: np.zeros((2, 3, 5, 4), np.int64),
    "RoIAlign": lambda: np.array([[0, 0.0, 0, 3, 3]]),
    "RoIPool": lambda: np.array([[0, 0.0, 0, 3, 3]]),
}


def small(value: Any) -> bool:
    """Whether a layer of that size can be made: what is refused for want of memory is no bad input."""
    return not isinstance(value, int) or abs(value) < 10**6


@pytest.mark.parametrize("name", sorted({*nn.__all__} - {*PLAIN, "utils"}))
@settings(max_examples=25)
@given(data=st.data())
def test_layers(name: str, data: st.DataObject) -> None:
    kind = getattr(nn, name)
    parameters = [*inspect.signature(kind).parameters]
    arguments = dict(LAYERS.get(name, {}))
    if parameters:
        argument = data.draw(st.sampled_from(parameters))
        arguments[argument] = data.draw(junk.filter(small), label=argument)
    names = {*parameters, *FORWARD_NAMES, *OPERATOR_NAMES}
    try:
        layer = kind(**arguments)
        images_or_junk = data.draw(st.one_of(st.builds(images), junk.filter(small)), label="x")
        second = (
            SECOND_INPUTS.get(name, images)()
            if len(inspect.signature(layer.forward).parameters) > 1
            else None
        )
        layer(
            *([images_or_junk] if second is None or name == "ConvTranspose2d" else [images_or_junk, second])
        )
    except (ValueError, TypeError) as error:
        check_refusal(error, names)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
@settings(max_examples=25)
@given(data=st.data())
def test_optimisers(name: str, data: st.DataObject) -> None:
    weight = minidnn.Tensor(rows(), requires_grad=True)
    weight.sum().backward()
    kind = getattr(optim, name)

    def step(**arguments: Any) -> None:
        kind(**arguments).step()

    step.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    call_with_junk(data, step, {"params": [weight]}, {"parameter", "param_group"})
