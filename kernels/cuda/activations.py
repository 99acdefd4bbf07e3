"""Activations that end a kernel, as the argument that activations.cuh knows them by."""

from __future__ import annotations

import numpy as np

from kernels.prepared import ACTIVATIONS

_NUMBERS = {name: np.int32(number) for number, name in enumerate((None, *ACTIVATIONS))}


def activation_number(name: str | None) -> np.int32:
    """Return the number of an activation of `kernels.prepared.ACTIVATIONS`; 0 for None."""
    return _NUMBERS[name]
