"""Weights made ready once for many runs, and the activations that a run on them can end with.

What a kernel does to a weight before it computes (packing it for the register tile, Winograd's transform)
can cost as much as a small layer itself. An operation with such kernels therefore has two steps,

    prepared = conv2d_prepare_weight(weight, x.shape, window, groups)
    y = conv2d_forward_prepared(x, prepared, bias, window, groups, activation)

and the first is repeated only when the weight has changed. Who prepared it says which version can run it; the
reference can run any, for the weight itself is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kernels.activation import (
    hardsigmoid_forward,
    hardswish_forward,
    relu6_forward,
    relu_forward,
    sigmoid_forward,
    silu_forward,
    tanh_forward,
)
from kernels.array import Array, shown

# What may follow a layer within one kernel: functions of one number without parameters.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": relu_forward,
    "relu6": relu6_forward,
    "hardsigmoid": hardsigmoid_forward,
    "hardswish": hardswish_forward,
    "sigmoid": sigmoid_forward,
    "silu": silu_forward,
    "tanh": tanh_forward,
}


# Shapes that a weight remembers: inputs of ever new sizes must not fill the memory.
MOST_ACCEPTED = 256


@dataclass(frozen=True, eq=False)
class PreparedWeight:
    """A weight as one version of an operation wants it.

    It is good as long as the weight's elements are unchanged; nothing here can notice that they are not.

    Attributes:
        operation: the operation's folder, e.g. "conv2d".
        backend: the backend of the version that made it and can run it.
        version: that version's name on the ladder.
        weight: the weight as given; the same memory, not a copy.
        settings: what else it was prepared for, such as the window and the groups.
        packed: what the version made of the weight.
        accepted: shapes of inputs that have passed the contract's checks with this weight, see `accept`.
    """

    operation: str
    backend: str
    version: str
    weight: Array
    settings: tuple[Any, ...] = ()
    packed: tuple[Array, ...] = ()
    accepted: set[tuple[int, ...]] = field(default_factory=set, init=False, repr=False)

    def accept(self, shape: tuple[int, ...]) -> None:
        """Remember the shape of an input that has passed all checks."""
        if len(self.accepted) < MOST_ACCEPTED:
            self.accepted.add(shape)


def check_prepared(prepared: PreparedWeight, operation: str, **settings: Any) -> None:
    """Require a weight that was prepared for this operation with the same settings.

    Raises:
        TypeError: not a PreparedWeight.
        ValueError: prepared for another operation or with other settings.
    """
    if not isinstance(prepared, PreparedWeight):
        raise TypeError(f"prepared must be a kernels.PreparedWeight, got {type(prepared).__name__}")
    if prepared.operation != operation:
        raise ValueError(f"prepared must be a weight of {operation}, got one of {prepared.operation}")
    if prepared.settings != tuple(settings.values()):
        names = " and ".join(settings)
        raise ValueError(
            f"prepared must have been made for the same {names}: it is for {prepared.settings}, "
            f"the call has {tuple(settings.values())}"
        )


def check_activation(activation: str | None) -> None:
    """Require None or the name of an activation that a run can end with (ValueError otherwise)."""
    if activation is not None and (not isinstance(activation, str) or activation not in ACTIVATIONS):
        raise ValueError(
            f"activation must be None or one of {', '.join(ACTIVATIONS)}, got {shown(activation)}"
        )


def activate(y: Array, activation: str | None) -> Array:
    """Return the activation of an array; y itself for None."""
    return y if activation is None else ACTIVATIONS[activation](y)
