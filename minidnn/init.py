"""How parameters begin: each function fills a tensor in place from the engine's generator and returns it.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010 (xavier); He et al., "Delving deep into rectifiers", ICCV 2015 (kaiming).
"""

from __future__ import annotations

import math
from typing import Any

from kernels.creation import constant
from kernels.device import load_into
from minidnn.random import generator
from minidnn.tensor import Tensor

_GAINS = {
    "linear": 1.0,
    "conv2d": 1.0,
    "conv_transpose2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
}


def _fill(tensor: Tensor, values: Any) -> Tensor:
    load_into(tensor.data, values)
    tensor.mark_changed()
    return tensor


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, constant(value, tensor.dtype, tensor.data))


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill from the uniform distribution on [a, b) (ValueError if a > b)."""
    if a > b:
        raise ValueError(f"a must not be above b, got a={a}, b={b}")
    return _fill(tensor, generator().uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill from the normal distribution (ValueError if std < 0)."""
    if std < 0:
        raise ValueError(f"std must not be negative, got {std}")
    return _fill(tensor, generator().normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """Fill from the normal distribution restricted to [a, b], by drawing again what falls outside.

    Raises:
        ValueError: std is not positive, or fewer than one draw in a thousand would fall into [a, b].
    """
    if std <= 0:
        raise ValueError(f"std must be positive, got {std}")
    inside = _normal_below((b - mean) / std) - _normal_below((a - mean) / std)
    if not inside > 1e-3:
        raise ValueError(
            f"[a, b] must hold some of the distribution, got a={a}, b={b} for mean {mean}, std {std}"
        )
    values = generator().normal(mean, std, tensor.shape)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = generator().normal(mean, std, int(outside.sum()))
    return _fill(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill from U(-l, l), l = gain sqrt(6 / (fan_in + fan_out))."""
    limit = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -limit, limit)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill from N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(fans(tensor))))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill from U(-l, l), l = gain sqrt(3 / fan); `a` is the negative slope of the leaky ReLU after it."""
    limit = math.sqrt(3) * _kaiming_scale(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -limit, limit)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill from N(0, s^2), s = gain / sqrt(fan); `a` is the negative slope of the leaky ReLU after it."""
    return normal_(tensor, 0, _kaiming_scale(tensor, a, mode, nonlinearity))


def reset_weight_and_bias_(weight: Tensor, bias: Tensor | None) -> None:
    """Fill both from U(-l, l), l = 1 / sqrt(fan_in): how PyTorch starts linear layers and convolutions.

    The weight goes by way of He's initialisation with a = sqrt(5), which comes to the same limit.
    """
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in = fans(weight)[0]
        limit = 1 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -limit, limit)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps a signal's size through a nonlinearity; `param` is a leaky ReLU's slope.

    Raises:
        ValueError: an unknown nonlinearity.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"nonlinearity must be one of {known}, got {nonlinearity!r}")
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel): the connections of one unit each way.

    Raises:
        ValueError: fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ValueError(f"tensor must have at least 2 dimensions, got shape {tensor.shape}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _kaiming_scale(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[0 if mode == "fan_in" else 1]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _normal_below(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2
