"""Samples of the activations' kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Draw, Sample

# name, further arguments, whether backward takes the output
CONFIGURATIONS: list[tuple[str, tuple[Any, ...], bool]] = [
    ("relu", (), True),
    ("relu6", (), True),
    ("leaky_relu", (0.01,), False),
    ("leaky_relu", (-0.5,), False),
    ("sigmoid", (), True),
    ("tanh", (), True),
    ("hardsigmoid", (), False),
    ("hardswish", (), False),
    ("silu", (), False),
    ("gelu", ("none",), False),
    ("gelu", ("tanh",), False),
]
KINKS = np.array([-3.0, -0.0, 0.0, 3.0, 6.0])
LARGE = np.array([-1e4, -89.0, -20.0, 20.0, 89.0, 1e4])
NOT_FINITE = np.array([np.nan, np.inf, -np.inf, 1.0])

Values = Callable[[Draw], np.ndarray]


def samples(label: str, name: str, parameters: tuple[Any, ...], output: bool, values: Values) -> list[Sample]:
    """Both directions of one configuration; `values` draws the inputs."""
    where = "-".join([label, *map(str, parameters)])

    def saved(draw: Draw) -> np.ndarray:
        x = values(draw)
        if not output or name in ("relu", "relu6"):
            return x
        return _OUTPUTS[name](x)

    def backward(draw: Draw) -> tuple[Any, ...]:
        array = saved(draw)
        return (draw.normal(*array.shape), array, *parameters)

    return [
        Sample(f"{name}_forward", where, lambda draw: (values(draw), *parameters)),
        Sample(f"{name}_backward", where, backward),
    ]


# A saved output must lie in the function's range; float32 keeps it exact for every dtype.
_OUTPUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: _exact((np.tanh(x.astype(np.float64)) + 1) / 2, x),
    "tanh": lambda x: _exact(np.tanh(x.astype(np.float64)), x),
}


def _exact(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).astype(like.dtype)


def _limits(name: str, parameters: tuple[Any, ...]) -> np.ndarray:
    """What the oracle answers differently is in test_activation.py.

    These are the derivatives of gelu(approximate="tanh") at infinity and of hardsigmoid at NaN.
    """
    if (name, parameters) == ("gelu", ("tanh",)):
        return NOT_FINITE[:1]
    return NOT_FINITE[1:] if name == "hardsigmoid" else NOT_FINITE


def _all(name: str, parameters: tuple[Any, ...], output: bool) -> list[Sample]:
    def make(label: str, values: Values) -> list[Sample]:
        return samples(label, name, parameters, output, values)

    return [
        *make("ragged", lambda draw: 4 * draw.normal(3, 5, 2)),
        *make("scalar", lambda draw: draw.normal()),
        *make("empty", lambda draw: draw.normal(0, 3)),
        *make("kinks", lambda draw: KINKS.astype(draw.dtype)),
        *make("large", lambda draw: LARGE.astype(draw.dtype)),
        *make("not-finite", lambda draw: _limits(name, parameters).astype(draw.dtype)),
    ]


SAMPLES = [sample for configuration in CONFIGURATIONS for sample in _all(*configuration)]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    configuration = draw(st.sampled_from(CONFIGURATIONS))
    return draw(st.sampled_from(samples("drawn", *configuration, lambda d: 4 * d.normal(*shape))))


STRATEGY = _drawn()


def _forward(name: str) -> Callable[..., np.ndarray]:
    def oracle(x: np.ndarray, *parameters: Any) -> np.ndarray:
        return _function(name, parameters)(_to_torch(x)).numpy()

    return oracle


def _backward(name: str) -> Callable[..., np.ndarray]:
    def oracle(grad_output: np.ndarray, saved: np.ndarray, *parameters: Any) -> np.ndarray:
        import torch

        from tests.torch_bridge import gradients

        if name in ("sigmoid", "tanh"):
            kernel = getattr(torch.ops.aten, f"{name}_backward")
            return kernel(_to_torch(grad_output), _to_torch(saved)).numpy()
        return gradients(_function(name, parameters), (saved,), grad_output)[0]

    return oracle


def _function(name: str, parameters: tuple[Any, ...]) -> Callable[..., Any]:
    import torch

    if name == "hardsigmoid":
        from tests.torch_bridge import hardsigmoid

        return hardsigmoid
    function = getattr(torch.nn.functional, name)
    if name == "gelu":
        return lambda x: function(x, approximate=parameters[0])
    return lambda x: function(x, *parameters)


def _to_torch(array: np.ndarray) -> Any:
    from tests.torch_bridge import to_torch

    return to_torch(array)


_NAMES = sorted({name for name, _, _ in CONFIGURATIONS})
ORACLES = {f"{name}_forward": _forward(name) for name in _NAMES} | {
    f"{name}_backward": _backward(name) for name in _NAMES
}
