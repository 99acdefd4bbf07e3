"""Calls on prepared weights: what is done once per weight is done before the timed call.

A layer prepares its weight when it changes; the plain contract prepares it every time. So the plain call is
the cold one, and a call on a weight prepared beforehand is what a network pays from its second image on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kernels import registry
from kernels.array import Array
from kernels.conv2d import conv2d_forward_prepared, conv2d_prepare_weight


@dataclass(frozen=True)
class Prepared:
    """A call whose weight is ready, and the version that it was prepared for."""

    run: Callable[[], Array]
    version: str


def prepare(operation: str, arguments: Sequence[Any], version: str | None = None) -> Prepared | None:
    """Prepare the weight of a call; None for operations that have no such step, or no such version.

    Args:
        operation: the contract of the cold call.
        arguments: its arguments.
        version: for which version of the selected backend; by default the best on prepared weights.
    """
    if operation != "conv2d_forward":
        return None
    x, weight, bias, window, groups = arguments
    wanted = {} if version is None else {"conv2d_prepare_weight": version}
    with registry.use(**wanted):
        prepared = conv2d_prepare_weight(weight, x.shape, window, groups)
    run = partial(conv2d_forward_prepared, x, prepared, bias, window, groups, None)
    return Prepared(run, f"{prepared.backend} {prepared.version}")
