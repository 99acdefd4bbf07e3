"""The one rule by which a model and its reference are filled alike.

Every parameter's numbers are a function of the name it has in our `state_dict`, whatever the order in which
they are drawn, so two implementations get the same ones without a weight file:

    a bias                        0.1 normal
    a vector or scalar            1 + 0.1 normal: weights of a normalisation, trained coefficients
    a weight with more axes       sqrt(2 / fan-in) normal, where fan-in is the product of the last three axes
                                  (channels, height, width), of a matrix its last

A unit input then keeps its size through layers with ReLU. Through batch normalisations it keeps it because
their running statistics are calibrated: one pass in training mode with momentum 1 over a fixed batch leaves
exactly that batch's mean and unbiased variance in them. Were they left at 0 and 1, a deep network's
activations would vanish, and its logits would be those of the last bias whatever the input.

In residual networks of bottlenecks some parameters are damped to a quarter (`Reference.damped`): the last
weights of the branches. Undamped, a hundred random branches amplify rounding errors: PyTorch's own float32
logits of ResNet-101 are then off by 1e-4.

The bits are those of a Philox generator keyed by a hash of the name, which NumPy promises to keep; the normal
numbers are sums of four 16-bit uniforms, made with integers and thus the same to the last bit everywhere.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

GAIN = 2.0
SPREAD = 0.1
DAMPING = 0.25
BIASES = ("bias", "beta")
BLOCK = 2**15  # as many numbers as stay in the cache
LOW_HALVES = np.uint64(0x0000FFFF0000FFFF)


def normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of mean 0 and variance 1 that depend on the name only, float64."""
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
    generator = np.random.Philox(key=key)
    values = np.empty(math.prod(shape))
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        bits = generator.random_raw(block.size)
        pairs = (bits & LOW_HALVES) + (bits >> np.uint64(16) & LOW_HALVES)
        sums = (pairs & np.uint64(0xFFFFFFFF)) + (pairs >> np.uint64(32))
        block[...] = sums
    values -= 2 * 65535
    values *= math.sqrt(3) / math.sqrt(65536**2 - 1)  # the variance of four is (65536^2 - 1) / 3
    return values.reshape(shape)


def parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of the parameter of that name in our `state_dict`, float64."""
    values = normal(name, shape)
    if name.rpartition(".")[2].endswith(BIASES):
        values *= SPREAD
    elif len(shape) > 1:
        values *= math.sqrt(GAIN / math.prod(shape[-3:] if len(shape) > 3 else shape[1:]))
    else:
        values *= SPREAD
        values += 1
    return values
