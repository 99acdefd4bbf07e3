"""The shape of the sample tables: what one call of a kernel is made of, for any dtype and memory layout.

Every operation's folder tests/kernels/NAME/samples.py exports

    SAMPLES:  list[Sample]                       configurations chosen by hand (odd shapes, edges)
    ORACLES:  dict[operation, function]          PyTorch's answer for the same arguments (NumPy in and out)
    STRATEGY: SearchStrategy[Sample]             configurations drawn by hypothesis

and tests/kernels/test_registry.py runs every registered version of every backend over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Draw:
    """Random arguments of one dtype. Values are exact in float32, so every dtype sees the same numbers."""

    seed: int = 0
    dtype: Any = np.float64
    generator: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)

    def normal(self, *shape: int) -> np.ndarray:
        return self.generator.standard_normal(shape).astype(np.float32).astype(self.dtype)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        return self.generator.uniform(low, high, shape).astype(np.float32).astype(self.dtype)

    def distinct(self, *shape: int) -> np.ndarray:
        """Values that differ from each other by at least 1/8, so that no maximum is a close call."""
        size = int(np.prod(shape))
        values = self.generator.permutation(size) - size // 2
        return (values / 8).reshape(shape).astype(self.dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """int64 in [low, high)."""
        return self.generator.integers(low, high, shape)


@dataclass(frozen=True)
class Sample:
    """One configuration of one operation.

    Attributes:
        operation: the contract's name.
        label: what is odd about it, for the test's id.
        make: draws the positional arguments.
        reduction_length: the number K of terms summed into one output (bounds the error by sqrt(K) eps).
        writes: positions of arguments that the contract writes in place by name.
        stride_zero: whether floating arguments may be replaced by broadcast constants (stride 0).
    """

    operation: str
    label: str
    make: Callable[[Draw], Sequence[Any]]
    reduction_length: int = 1
    writes: tuple[int, ...] = ()
    stride_zero: bool = True

    def __str__(self) -> str:
        return f"{self.operation}-{self.label}"
