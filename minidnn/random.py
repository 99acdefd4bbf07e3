"""The engine's one source of randomness: initialisation, shuffling and dropout draw from here.

The generator is NumPy's Philox, whose whole state is a few integers: a checkpoint stores it and a resumed
run draws the same numbers (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kernels.array import check_integer


def manual_seed(seed: int) -> None:
    """Restart the generator from `seed` (in [0, 2^64)): what follows is then reproducible."""
    fresh = np.random.Philox(check_integer("seed", seed, minimum=0, bits=64))
    generator().bit_generator.state = fresh.state


@cache
def generator() -> np.random.Generator:
    """Return the generator that everything random in minidnn draws from.

    It is made at the first call: NumPy's generators take a tenth of minidnn's import to load.
    """
    return np.random.Generator(np.random.Philox())


def next_seed() -> int:
    """Draw a seed in [0, 2^63) for a counter-based kernel such as dropout."""
    return int(generator().integers(0, 2**63))


def get_state() -> dict[str, Any]:
    """Return the generator's state as nested dictionaries of integers and lists (JSON can hold it)."""
    state: dict[str, Any] = _plain(generator().bit_generator.state)
    return state


def set_state(state: dict[str, Any]) -> None:
    """Continue from a state that `get_state` returned (ValueError if it is not one)."""
    try:
        arrays = {name: np.array(values, np.uint64) for name, values in state["state"].items()}
        buffer = np.array(state["buffer"], np.uint64)
        generator().bit_generator.state = {**state, "state": arrays, "buffer": buffer}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"state is not a random state of this generator: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
