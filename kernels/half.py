"""Half precision on the host: computed in float32, rounded once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, cast

import numpy as np

from kernels.array import HALF, Array

P = ParamSpec("P")


def in_single_precision(function: Callable[P, Array]) -> Callable[P, Array]:
    """Return a version that also takes float16: the arrays as float32, the result as float16 again."""

    @functools.wraps(function)
    def run(*arguments: P.args, **keywords: P.kwargs) -> Array:
        if not any(_is_half(argument) for argument in arguments):
            return function(*arguments, **keywords)
        widened: Any = tuple(
            cast(Array, argument).astype(np.float32) if _is_half(argument) else argument
            for argument in arguments
        )
        return function(*widened, **keywords).astype(HALF)

    return run


def _is_half(argument: Any) -> bool:
    return isinstance(argument, np.ndarray) and argument.dtype == HALF
