"""Random bits as a function of (seed, index): any backend can draw any of them, in any order, alike.

    bits(seed, index) = mix(mix(seed) + (index + 1) * 0x9E3779B97F4A7C15)    all modulo 2^64
    mix(z): z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9;  z ^= z >> 27;  z *= 0x94D049BB133111EB;  z ^= z >> 31

The inner sum is the state of a SplitMix generator after index + 1 steps and `mix` its output function
(variant 13 of Stafford's). The seed is mixed first, so that the streams of neighbouring seeds do not start
near each other.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix), with
the constants of Java's SplittableRandom and Vigna's splitmix64.c.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from kernels.array import Array

T = TypeVar("T", int, Array)

STEP = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, made odd
WORD = 2**64 - 1
DRAWN_BITS = 24


def mix(z: T) -> T:
    """Scramble 64 bits (a Python int in [0, 2^64) or a uint64 array) reversibly."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    mixed: T = z ^ (z >> 31)
    return mixed


def random_bits(seed: int, index: int) -> int:
    """Return the 64 bits of one index."""
    return mix((mix(seed) + (index + 1) * STEP) & WORD)


def random_bits_array(seed: int, count: int) -> Array:
    """Return the bits of the indices 0 to count - 1, a uint64 array."""
    steps = np.arange(1, count + 1, dtype=np.uint64)
    states: Array = steps * np.uint64(STEP) + np.uint64(mix(seed))
    return mix(states)


def drop_threshold(probability: float) -> int:
    """Return the t for which `bits >> 40 < t` has this probability, rounded up to a multiple of 2^-24."""
    # The product and the ceiling are exact: the probability is only shifted by 24 binary places.
    return int(np.ceil(probability * 2**DRAWN_BITS))
