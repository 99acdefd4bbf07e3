"""How a version of the convolution enters the table: prepared and cold at once.

A version is written as two functions, what it does to a weight once and how it runs on the outcome. Its cold
form, `conv2d_forward`, is one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from kernels.array import Array
from kernels.conv2d import conv2d_forward, conv2d_forward_prepared, conv2d_prepare_weight
from kernels.prepared import PreparedWeight
from kernels.registry import implements
from kernels.window import Window

# pack(weight, input_shape, window, groups) -> the packed arrays
Pack: TypeAlias = Callable[[Array, Sequence[int], Window, int], tuple[Array, ...]]
# (weight's shape, input_shape, window, groups) -> whether the version takes them, or is the best for them
Test: TypeAlias = Callable[[Sequence[int], Sequence[int], Window, int], bool]


class Run(Protocol):
    """How a version runs on a weight that it has prepared."""

    def __call__(
        self,
        x: Array,
        prepared: PreparedWeight,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> Array:
        """Return y."""


class Forward(Protocol):
    """How a version runs that reads the weight as it lies."""

    def __call__(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> Array:
        """Return y."""


TYPES = (np.dtype(np.float32), np.dtype(np.float64))
# Activations that are a clamp: their bounds.
CLAMPS: dict[str | None, tuple[float, float]] = {
    None: (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


def _any_shape(weight_shape: Sequence[int], input_shape: Sequence[int], window: Window, groups: int) -> bool:
    return True


def pack_nothing(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> tuple[Array, ...]:
    """For versions that read the weight as it lies."""
    return ()


def run_on_weight(forward: Forward) -> Run:
    """Return how such a version runs on a prepared weight."""

    def run(
        x: Array,
        prepared: PreparedWeight,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> Array:
        return forward(x, prepared.weight, bias, window, groups, activation)

    return run


def announce_version(
    name: str,
    idea: str,
    pack: Pack,
    run: Run,
    *,
    backend: str = "cpu",
    fits: Test = _any_shape,
    pays: Test = _any_shape,
    pays_cold: Test | None = None,
    default_types: Sequence[np.dtype[Any]] = TYPES,
) -> None:
    """Enter a version into the ladders of the three forward operations.

    Args:
        name: its name on the ladder.
        idea: one line that says what it does differently.
        pack: makes the packed arrays of a weight.
        run: runs on a weight prepared by this version; x of any memory layout.
        backend: whose ladders: "cpu" or "gpu".
        fits: for which shapes it can run; the dtype, float32 or float64, is looked at here.
        pays: for which shapes it is the best of those that fit, the weight being prepared.
        pays_cold: the same with the preparation's time included; by default as `pays`.
        default_types: the dtypes for which it can be the default at all.
    """
    pays_with_preparation = pays_cold or pays

    def prepare(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> PreparedWeight:
        packed = pack(weight, input_shape, window, groups)
        return PreparedWeight("conv2d", backend, name, weight, (window, groups), packed)

    def cold(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
        return run(x, prepare(weight, x.shape, window, groups), bias, window, groups, None)

    implements(
        conv2d_prepare_weight,
        name,
        idea,
        backend=backend,
        fits=lambda weight, input_shape, window, groups: (
            weight.dtype in TYPES and fits(weight.shape, input_shape, window, groups)
        ),
        pays=lambda weight, input_shape, window, groups: (
            weight.dtype in default_types and pays(weight.shape, input_shape, window, groups)
        ),
    )(prepare)
    implements(
        conv2d_forward_prepared,
        name,
        idea,
        backend=backend,
        fits=lambda x, prepared, bias, window, groups, activation: (
            prepared.version == name and prepared.backend == backend
        ),
        compiled=backend == "cpu",
    )(run)
    implements(
        conv2d_forward,
        name,
        idea,
        backend=backend,
        fits=lambda x, weight, bias, window, groups: (
            x.dtype in TYPES and fits(weight.shape, x.shape, window, groups)
        ),
        pays=lambda x, weight, bias, window, groups: (
            x.dtype in default_types and pays_with_preparation(weight.shape, x.shape, window, groups)
        ),
    )(cold)
