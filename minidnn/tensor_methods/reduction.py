"""Sums, means, extremes and the like along axes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import numpy as np

from kernels import elementwise, reduction
from kernels.array import check_flag, check_integer, check_number
from kernels.operands import normalize_axis
from minidnn.operators import reduction as reductions
from minidnn.tensor_methods.arithmetic import Arithmetic
from minidnn.tensor_methods.base import Dim, TensorBase


class Extremes(NamedTuple):
    """What `max(dim)` and `min(dim)` return."""

    values: Any
    indices: Any


class Reduction(Arithmetic):
    """Tensor's reductions."""

    def sum(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return the sum over dim (None: all; a tuple: several); integers and bool are counted in int64."""
        return self._apply(reductions.Sum(_axes(dim), keepdim), self)

    def mean(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return the mean over dim (None: all); of nothing it is NaN.

        Raises:
            TypeError: not a floating tensor.
        """
        self._check_floating("mean")
        return self._apply(reductions.Mean(_axes(dim), keepdim), self)

    def var(
        self, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
    ) -> Self:
        """Return the variance over dim: sum (x - mean)^2 / (n - correction), correction 1 if unbiased else 0.

        Raises:
            TypeError: not a floating tensor.
        """
        return self._deviation(dim, unbiased, keepdim, correction)[0]

    def std(
        self, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
    ) -> Self:
        """Return the standard deviation over dim, the root of `var`; its gradient is 0 where it is 0."""
        return self._deviation(dim, unbiased, keepdim, correction)[1]

    def _deviation(
        self, dim: Dim, unbiased: bool, keepdim: bool, correction: int | None
    ) -> tuple[Self, Self]:
        """The variance and its root: the norm of the centred values, divided by the root of the count."""
        self._check_floating("var")
        axes = reduction.normalize_axes(_axes(dim), self._array.ndim)
        count = math.prod(self._array.shape[axis] for axis in axes)
        less = int(check_flag("unbiased", unbiased)) if correction is None else correction
        divisor = max(count - check_number("correction", less), 0)
        centred = self - self.mean(dim, keepdim=True)
        return (
            (centred * centred).sum(dim, keepdim) / float(divisor),
            centred.norm(dim=dim, keepdim=keepdim) / math.sqrt(divisor),
        )

    def prod(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return the product over dim (None: all); its gradient is exact for zeros."""
        return self._apply(reductions.Product(_axes(dim), keepdim), self)

    def norm(self, p: float | str = 2, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return (sum |x|^p)^(1/p) over dim for p = 1, 2 ("fro") or infinity; the gradient at 0 is 0.

        Raises:
            ValueError: another p.
            TypeError: not a floating tensor.
        """
        self._check_floating("norm")
        if p in (2, "fro"):
            return self._apply(reductions.Norm(_axes(dim), keepdim), self)
        if p == 1:
            return self.abs().sum(dim, keepdim)
        if p == math.inf:
            return self.abs().amax(dim, keepdim)
        raise ValueError(f"p must be 1, 2, 'fro' or infinity, got {p!r}")

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return the largest over dim (None: all); equals share the gradient."""
        return self._apply(reductions.Amax(_axes(dim), keepdim), self)

    def amin(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return the smallest over dim (None: all); equals share the gradient."""
        return self._apply(reductions.Amin(_axes(dim), keepdim), self)

    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the largest of all; with an axis (values, indices) along it; with a tensor `maximum`.

        Of all, equals share the gradient; along an axis the first of them has it.
        """
        if isinstance(dim, TensorBase):
            return self.maximum(dim)
        return self.amax() if dim is None else self._extremes(dim, keepdim, largest=True)

    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the smallest of all; with an axis (values, indices) along it; with a tensor `minimum`.

        Of all, equals share the gradient; along an axis the first of them has it.
        """
        if isinstance(dim, TensorBase):
            return self.minimum(dim)
        return self.amin() if dim is None else self._extremes(dim, keepdim, largest=False)

    def _extremes(self, dim: int, keepdim: bool, largest: bool) -> Extremes:
        axis = normalize_axis("dim", check_integer("dim", dim), self._array.ndim)
        return Extremes(*self._apply_many(reductions.Extreme(axis, keepdim, largest), self))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the index of the largest along dim (None: of the flattened tensor), the first of equals."""
        return self._plain(reduction.argmax(self._array, dim, check_flag("keepdim", keepdim)))

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the index of the smallest along dim (None: of the flattened tensor), the first of equals."""
        return self._plain(reduction.argmin(self._array, dim, check_flag("keepdim", keepdim)))

    def any(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return whether any element over dim is not 0."""
        truth = elementwise.cast(self._array, np.bool_)
        return self._plain(reduction.reduce_any(truth, _axes(dim), check_flag("keepdim", keepdim)))

    def all(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Return whether no element over dim is 0."""
        truth = elementwise.cast(self._array, np.bool_)
        return self._plain(reduction.reduce_all(truth, _axes(dim), check_flag("keepdim", keepdim)))

    def cumsum(self, dim: int) -> Self:
        """Return the running sums along dim."""
        return self._apply(reductions.CumulativeSum(dim), self)


def _axes(dim: Any) -> Any:
    """PyTorch's dim: an empty tuple means all axes, a list is a tuple."""
    if isinstance(dim, list | tuple):
        return tuple(dim) or None
    return dim
