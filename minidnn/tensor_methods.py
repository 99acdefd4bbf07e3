"""Tensor's operators and methods: names, arguments and meaning as in PyTorch.

A method brings its operands to one dtype, reads its arguments, and hands the work to a Function of
`minidnn.operators`. Integers and bool follow a floating tensor's dtype, Python numbers any tensor's; two
different floating dtypes do not meet (TypeError): which one was meant only the caller knows.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from kernels import comparison, elementwise, indexing, reduction
from kernels.array import Array, check_flag, check_integer, check_number, shown
from kernels.operands import check_broadcast, normalize_axis
from minidnn import autograd
from minidnn.autograd import Function
from minidnn.operators import arithmetic
from minidnn.operators import indexing as places
from minidnn.operators import reduction as reductions
from minidnn.operators import shape as shapes

Dim: TypeAlias = int | tuple[int, ...] | None
_REAL = int | float | np.integer | np.floating
_NUMBERS = (int, float, complex, np.generic)
_DEFAULT_FLOAT = np.dtype(np.float32)
_LARGE = 1e38


class Extremes(NamedTuple):
    """What `max(dim)` and `min(dim)` return."""

    values: Any
    indices: Any


class TensorMethods:
    """The methods that Tensor inherits. `Tensor` itself adds memory, history and interchange."""

    if TYPE_CHECKING:  # what Tensor brings; mark_changed says that the memory was written
        _array: Array
        _requires_grad: bool

        def _apply(self, function: Function, *inputs: Any) -> Self: ...
        def _apply_many(self, function: Function, *inputs: Any) -> tuple[Self, ...]: ...
        def _plain(self, array: Array) -> Self: ...
        def _assign_(self, result: Any) -> Self: ...
        def mark_changed(self) -> None: ...  # noqa: D102

    # ---- arithmetic ----------------------------------------------------------------------------

    def __add__(self, other: Any) -> Self:
        return self._apply(arithmetic.Add(), *meet(self, other))

    def __radd__(self, other: Any) -> Self:
        return self._apply(arithmetic.Add(), *swapped(self, other))

    def __sub__(self, other: Any) -> Self:
        return self._apply(arithmetic.Subtract(), *meet(self, other))

    def __rsub__(self, other: Any) -> Self:
        return self._apply(arithmetic.Subtract(), *swapped(self, other))

    def __mul__(self, other: Any) -> Self:
        return self._apply(arithmetic.Multiply(), *meet(self, other))

    def __rmul__(self, other: Any) -> Self:
        return self._apply(arithmetic.Multiply(), *swapped(self, other))

    def __truediv__(self, other: Any) -> Self:
        return self._apply(arithmetic.Divide(), *as_floating(*meet(self, other)))

    def __rtruediv__(self, other: Any) -> Self:
        return self._apply(arithmetic.Divide(), *as_floating(*swapped(self, other)))

    def __floordiv__(self, other: Any) -> Self:
        return self._apply(arithmetic.FloorDivide(), *meet(self, other))

    def __rfloordiv__(self, other: Any) -> Self:
        return self._apply(arithmetic.FloorDivide(), *swapped(self, other))

    def __mod__(self, other: Any) -> Self:
        return self._apply(arithmetic.Remainder(), *meet(self, other))

    def __rmod__(self, other: Any) -> Self:
        return self._apply(arithmetic.Remainder(), *swapped(self, other))

    def __pow__(self, other: Any) -> Self:
        return self._apply(arithmetic.Power(), *meet(self, other))

    def __rpow__(self, other: Any) -> Self:
        return self._apply(arithmetic.Power(), *swapped(self, other))

    def __matmul__(self, other: Any) -> Self:
        return self._apply(arithmetic.MatMul(), *meet(self, other))

    def __rmatmul__(self, other: Any) -> Self:
        return self._apply(arithmetic.MatMul(), *swapped(self, other))

    def __neg__(self) -> Self:
        return self._apply(arithmetic.Negative(), self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._apply(arithmetic.Absolute(), self)

    def add(self, other: Any, alpha: float = 1) -> Self:
        """Return self + alpha other."""
        return self + (other if alpha == 1 else self._tensor(other) * alpha)

    def sub(self, other: Any, alpha: float = 1) -> Self:
        """Return self - alpha other."""
        return self - (other if alpha == 1 else self._tensor(other) * alpha)

    def _tensor(self, other: Any) -> Self:
        """An operand as a tensor that this one can meet."""
        if isinstance(other, TensorMethods):
            return cast("Self", other)
        return self._plain(_raw(meet(self, other)[1]))

    def mul(self, other: Any) -> Self:
        """Return self other, element by element."""
        return self.__mul__(other)

    def div(self, other: Any) -> Self:
        """Return self / other, element by element; integers are divided in float32."""
        return self.__truediv__(other)

    def remainder(self, other: Any) -> Self:
        """Return self - other floor(self / other), with the divisor's sign."""
        return self.__mod__(other)

    def floor_divide(self, other: Any) -> Self:
        """Return floor(self / other)."""
        return self.__floordiv__(other)

    def pow(self, exponent: Any) -> Self:
        """Return self^exponent, element by element."""
        return self.__pow__(exponent)

    def matmul(self, other: Any) -> Self:
        """Return the matrix product; vectors count as a row (self) or a column (other), stacks broadcast."""
        return self.__matmul__(other)

    def neg(self) -> Self:
        """Return -self."""
        return -self

    def abs(self) -> Self:
        """Return |self|; the gradient at 0 is 0."""
        return self._apply(arithmetic.Absolute(), self)

    def exp(self) -> Self:
        """Return e^self."""
        return self._apply(arithmetic.Exponential(), self._floating())

    def log(self) -> Self:
        """Return the natural logarithm."""
        return self._apply(arithmetic.Logarithm(), self._floating())

    def sqrt(self) -> Self:
        """Return the square root."""
        return self._apply(arithmetic.SquareRoot(), self._floating())

    def sin(self) -> Self:
        """Return the sine (radians)."""
        return self._apply(arithmetic.Sine(), self._floating())

    def cos(self) -> Self:
        """Return the cosine (radians)."""
        return self._apply(arithmetic.Cosine(), self._floating())

    def sign(self) -> Self:
        """Return 1, 0 or -1; its gradient is 0."""
        return self._apply(arithmetic.Sign(), self)

    def floor(self) -> Self:
        """Return the largest whole number not above; its gradient is 0."""
        return self if self._array.dtype.kind in "iu" else self._apply(arithmetic.Floor(), self)

    def round(self) -> Self:
        """Return the nearest whole number, of two the even; its gradient is 0."""
        return self if self._array.dtype.kind in "iu" else self._apply(arithmetic.Round(), self)

    def square(self) -> Self:
        """Return self^2."""
        return self**2

    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """Return min(max(self, min), max); None leaves a side open.

        Raises:
            ValueError: both bounds are None.
            TypeError: a bound that is not a real number.
        """
        if min is None and max is None:
            raise ValueError("clamp needs min or max, got None for both")
        for name, bound in (("min", min), ("max", max)):
            if isinstance(bound, bool) or not isinstance(bound, None | _REAL):
                raise TypeError(f"{name} must be a real number or None, got {shown(bound)}")
        broken = any(isinstance(bound, float | np.floating) for bound in (min, max))
        return self._apply(arithmetic.Clip(min, max), self._floating() if broken else self)

    def clip(self, min: float | None = None, max: float | None = None) -> Self:
        """Return `clamp(min, max)`."""
        return self.clamp(min, max)

    def maximum(self, other: Any) -> Self:
        """Return the larger of the two, element by element; equals share the gradient."""
        return self._apply(arithmetic.Maximum(), *meet(self, other))

    def minimum(self, other: Any) -> Self:
        """Return the smaller of the two, element by element; equals share the gradient."""
        return self._apply(arithmetic.Minimum(), *meet(self, other))

    def where(self, condition: Any, other: Any) -> Self:
        """Return self where the condition (bool) holds, else other."""
        return self._apply(arithmetic.Where(), condition, *meet(self, other))

    def masked_fill(self, mask: Any, value: Any) -> Self:
        """Return self with `value` (a number) where the mask (bool) holds."""
        return self._apply(arithmetic.Where(), mask, *swapped(self, value))

    # ---- comparison and logic: bool tensors without history ------------------------------------

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        if not _is_operand(other):
            return NotImplemented
        return self._compare(comparison.equal, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        if not _is_operand(other):
            return NotImplemented
        return self._compare(comparison.not_equal, other)

    def __lt__(self, other: Any) -> Self:
        return self._compare(comparison.less, other)

    def __le__(self, other: Any) -> Self:
        return self._compare(comparison.less_equal, other)

    def __gt__(self, other: Any) -> Self:
        return self._compare(comparison.greater, other)

    def __ge__(self, other: Any) -> Self:
        return self._compare(comparison.greater_equal, other)

    def __and__(self, other: Any) -> Self:
        return self._compare(comparison.logical_and, other)

    def __rand__(self, other: Any) -> Self:
        return self._compare(comparison.logical_and, other)

    def __or__(self, other: Any) -> Self:
        return self._compare(comparison.logical_or, other)

    def __ror__(self, other: Any) -> Self:
        return self._compare(comparison.logical_or, other)

    def __xor__(self, other: Any) -> Self:
        return self._compare(comparison.logical_xor, other)

    def __rxor__(self, other: Any) -> Self:
        return self._compare(comparison.logical_xor, other)

    def __invert__(self) -> Self:
        return self._plain(comparison.logical_not(self._array))

    def _compare(self, question: Any, other: Any) -> Self:
        a, b = meet(self, other)
        return self._plain(question(_raw(a), _raw(b)))

    def eq(self, other: Any) -> Self:
        """Return where self = other."""
        return self._compare(comparison.equal, other)

    def ne(self, other: Any) -> Self:
        """Return where self differs from other."""
        return self._compare(comparison.not_equal, other)

    def lt(self, other: Any) -> Self:
        """Return where self < other."""
        return self.__lt__(other)

    def le(self, other: Any) -> Self:
        """Return where self <= other."""
        return self.__le__(other)

    def gt(self, other: Any) -> Self:
        """Return where self > other."""
        return self.__gt__(other)

    def ge(self, other: Any) -> Self:
        """Return where self >= other."""
        return self.__ge__(other)

    def logical_not(self) -> Self:
        """Return where self does not hold (bool)."""
        return ~self

    def isnan(self) -> Self:
        """Return where self is NaN."""
        return self._plain(elementwise.is_nan(self._array))

    def isfinite(self) -> Self:
        """Return where self is neither infinite nor NaN."""
        return self._plain(elementwise.is_finite(self._array))

    # ---- reductions ----------------------------------------------------------------------------

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
        if isinstance(dim, TensorMethods):
            return self.maximum(dim)
        return self.amax() if dim is None else self._extremes(dim, keepdim, largest=True)

    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the smallest of all; with an axis (values, indices) along it; with a tensor `minimum`.

        Of all, equals share the gradient; along an axis the first of them has it.
        """
        if isinstance(dim, TensorMethods):
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

    # ---- shape: views where nothing else is said ------------------------------------------------

    def reshape(self, *shape: Any) -> Self:
        """Return the elements in another shape (one length may be -1); a copy if the layout demands one."""
        return self._apply(shapes.Reshape(_sizes(shape)), self)

    def view(self, *shape: Any) -> Self:
        """Return the elements in another shape, sharing memory (ValueError if the layout forbids it)."""
        return self._apply(shapes.Reshape(_sizes(shape), copy=False), self)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Return the tensor with the axes start_dim to end_dim (both included) made one."""
        start, end = self._axis("start_dim", start_dim), self._axis("end_dim", end_dim)
        if self._array.ndim == 0:
            return self.reshape(1)
        if start > end:
            raise ValueError(f"start_dim must not come after end_dim, got {start_dim} and {end_dim}")
        lengths = self._array.shape
        return self.reshape(*lengths[:start], math.prod(lengths[start : end + 1]), *lengths[end + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Return the tensor with one axis made several of the given sizes (one may be -1)."""
        if not isinstance(sizes, Sequence) or not self._array.ndim:
            raise ValueError(
                f"sizes must be several lengths for one axis of x, got {shown(sizes)} for {self._array.shape}"
            )
        axis, lengths = self._axis("dim", dim), self._array.shape
        known = [check_integer("sizes", size, minimum=-1) for size in sizes]
        if known.count(-1) == 1:
            rest = math.prod(size for size in known if size != -1)
            known[known.index(-1)] = lengths[axis] // rest if rest else 0
        if math.prod(known) != lengths[axis] or min(known, default=0) < 0:
            raise ValueError(f"sizes {tuple(sizes)} do not multiply to axis {axis}'s length {lengths[axis]}")
        return self.reshape(*lengths[:axis], *known, *lengths[axis + 1 :])

    def squeeze(self, dim: Dim = None) -> Self:
        """Return the tensor without its axes of length 1 (all of them, or those named in dim)."""
        lengths = self._array.shape
        axes = reduction.normalize_axes(dim, len(lengths))
        return self.reshape([n for i, n in enumerate(lengths) if i not in axes or n != 1])

    def unsqueeze(self, dim: int) -> Self:
        """Return the tensor with a new axis of length 1 at dim."""
        axis = normalize_axis("dim", check_integer("dim", dim), self._array.ndim + 1)
        return self.reshape(*self._array.shape[:axis], 1, *self._array.shape[axis:])

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Return the tensor with two axes swapped."""
        order = list(range(self._array.ndim))
        first, second = self._axis("dim0", dim0), self._axis("dim1", dim1)
        if order:
            order[first], order[second] = order[second], order[first]
        return self._apply(shapes.Permute(order), self)

    def permute(self, *dims: Any) -> Self:
        """Return the tensor with its axes in the order dims, which names each once."""
        order = [self._axis("dims", dim) for dim in _sizes(dims)]
        if sorted(order) != list(range(self._array.ndim)):
            raise ValueError(f"dims must name each of {self._array.ndim} axes once, got {_sizes(dims)}")
        return self._apply(shapes.Permute(order), self)

    @property
    def T(self) -> Self:  # noqa: N802 - PyTorch's name
        """The transposed matrix (a vector or scalar unchanged)."""
        if self._array.ndim > 2:
            raise ValueError(
                f"T needs at most 2 dimensions, got shape {self._array.shape}; use mT or permute"
            )
        return self._apply(shapes.Permute(range(self._array.ndim)[::-1]), self)

    @property
    def mT(self) -> Self:  # noqa: N802 - PyTorch's name
        """The stack of transposed matrices: the last two axes swapped."""
        if self._array.ndim < 2:
            raise ValueError(f"mT needs at least 2 dimensions, got shape {self._array.shape}")
        return self.transpose(-2, -1)

    def expand(self, *sizes: Any) -> Self:
        """Return the tensor stretched to sizes along axes of length 1, without a copy; -1 keeps a length."""
        wanted = _sizes(sizes)
        offset = len(wanted) - self._array.ndim
        lengths = [
            self._array.shape[i - offset] if size == -1 and i >= offset >= 0 else size
            for i, size in enumerate(wanted)
        ]
        return self._apply(shapes.Expand(lengths), self)

    def expand_as(self, other: Any) -> Self:
        """Return the tensor stretched to other's shape."""
        return self.expand(*np.shape(_raw(other)))

    def broadcast_to(self, *shape: Any) -> Self:
        """Return the tensor stretched to shape."""
        return self.expand(*shape)

    def repeat(self, *sizes: Any) -> Self:
        """Return the tensor repeated sizes[i] times along axis i, in new memory."""
        times = [check_integer("sizes", size, minimum=0) for size in _sizes(sizes)]
        if len(times) < self._array.ndim:
            raise ValueError(f"sizes must name all {self._array.ndim} axes, got {tuple(times)}")
        lengths = (1,) * (len(times) - self._array.ndim) + self._array.shape
        pairs = [n for length in lengths for n in (1, length)]  # (1, L0, 1, L1, ...)
        stretched = [n for time, length in zip(times, lengths, strict=True) for n in (time, length)]
        result = self.reshape(pairs).expand(stretched)
        return result.reshape([a * b for a, b in zip(times, lengths, strict=True)]).clone()

    def narrow(self, dim: int, start: int, length: int) -> Self:
        """Return elements start to start + length (excluded) along dim."""
        axis = self._axis("dim", dim)
        size = self._array.shape[axis] if self._array.ndim else 0
        first = check_integer("start", start)
        first += size if first < 0 else 0
        if not 0 <= first <= first + check_integer("length", length, minimum=0) <= size:
            raise ValueError(f"start {start} and length {length} leave axis {axis} of length {size}")
        return self._slice(axis, slice(first, first + length))

    def select(self, dim: int, index: int) -> Self:
        """Return the elements at one index of dim, without that axis."""
        return self._slice(self._axis("dim", dim), check_integer("index", index))

    def _slice(self, axis: int, part: Any) -> Self:
        return self._apply(places.Slice(((slice(None),) * axis) + (part,)), self)

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Return the parts along dim: of split_size each (the last may be shorter), or of the given sizes."""
        axis = self._axis("dim", dim)
        if self._array.ndim == 0:
            raise ValueError("x must have at least 1 dimension to be split, got shape ()")
        length = self._array.shape[axis]
        if isinstance(split_size, Sequence):
            sizes = [check_integer("split_size", size, minimum=0) for size in split_size]
            if sum(sizes) != length:
                raise ValueError(
                    f"split_size must sum up to axis {axis}'s length {length}, got {tuple(sizes)}"
                )
        else:
            step = check_integer("split_size", split_size, minimum=0 if length == 0 else 1)
            sizes = [min(step, length - start) for start in range(0, length, step or 1)] or [0]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return tuple(self._slice(axis, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """Return at most `chunks` parts of equal length along dim (the last may be shorter)."""
        count = check_integer("chunks", chunks, minimum=1)
        axis = self._axis("dim", dim)
        length = self._array.shape[axis] if self._array.ndim else 0
        return self.split(-(-length // count) if length else [0] * count, dim)

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the slices along dim, without that axis."""
        axis = self._axis("dim", dim)
        if self._array.ndim == 0:
            raise ValueError("unbind needs at least 1 dimension, got a scalar")
        return tuple(self._slice(axis, i) for i in range(self._array.shape[axis]))

    def _axis(self, name: str, dim: int) -> int:
        return normalize_axis(name, check_integer(name, dim), self._array.ndim)

    # ---- indexing ------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Self:
        """Index as in PyTorch, with two differences: slices may run backwards, uint8 arrays are no masks."""
        basic, advanced = places.split_key(_parts(key), self._array.shape)
        if not advanced:
            return self._apply(places.Slice(basic), self)
        view = self if _takes_all(basic) else self._apply(places.Slice(basic), self)
        return self._apply(places.Index(advanced), view)

    def __setitem__(self, key: Any, value: Any) -> None:
        basic, advanced = places.split_key(_parts(key), self._array.shape)
        values = self._as_own_dtype(value)
        recorded = isinstance(values, TensorMethods) and values._requires_grad
        if not (autograd.is_grad_enabled() and (recorded or self._requires_grad)):
            view = self._array[places.open_ended(basic)]
            view[tuple(slice(None) if index is None else index for index in advanced) or ...] = _raw(values)
            self.mark_changed()
            return
        written = values
        if advanced:
            part = self if _takes_all(basic) else self._apply(places.Slice(basic), self)
            written = self._apply(places.IndexAssign(advanced), part, values)
        if not advanced or not _takes_all(basic):
            written = self._apply(places.SliceAssign(basic), self, written)
        self._assign_(written)

    def _as_own_dtype(self, value: Any) -> Any:
        """A value to be written into self: numbers, arrays and tensors are converted to self's dtype."""
        if isinstance(value, TensorMethods):
            same = value._array.dtype == self._array.dtype
            return value if same else self._apply(arithmetic.Cast(self._array.dtype), value)
        return elementwise.cast(np.asarray(value), self._array.dtype)

    def gather(self, dim: int, index: Any) -> Self:
        """Return y[i, j] = self[i, index[i, j]] (for dim 1): one element along dim per element of index."""
        return self._apply(places.Gather(self._axis("dim", dim)), self, index)

    def index_select(self, dim: int, index: Any) -> Self:
        """Return the elements at the indices (a vector) along dim."""
        chosen = np.asarray(_raw(index))
        if chosen.ndim != 1:
            raise ValueError(f"index must be a vector, got shape {chosen.shape}")
        return self[(*((slice(None),) * self._axis("dim", dim)), chosen)]

    def masked_select(self, mask: Any) -> Self:
        """Return the elements where the mask (bool) holds, as a vector; the two broadcast."""
        chosen = np.asarray(_raw(mask))
        if chosen.dtype != np.bool_:
            raise TypeError(f"mask must be bool, got {chosen.dtype}")
        shape = check_broadcast(x=self._array, mask=chosen)
        return self.expand(shape).reshape(-1)[np.broadcast_to(chosen, shape).reshape(-1)]

    def nonzero(self) -> Self:
        """Return the places of the elements that are not 0, one row of indices each."""
        return self._plain(indexing.nonzero(self._array))

    # ---- changes in place (refused where they would break a gradient, see `_assign_`) -----------

    def _old(self, other: Any = None) -> Self:
        """Self to compute from before it is overwritten: a copy where backward may need the old values."""
        others = isinstance(other, TensorMethods) and other._requires_grad
        recorded = autograd.is_grad_enabled() and (self._requires_grad or others)
        return self.clone() if recorded else self

    def __iadd__(self, other: Any) -> Self:
        return self._assign_(self + other)

    def __isub__(self, other: Any) -> Self:
        return self._assign_(self - other)

    def __imul__(self, other: Any) -> Self:
        return self._assign_(self._old(other) * other)

    def __itruediv__(self, other: Any) -> Self:
        return self._assign_(self._old(other) / other)

    def __ifloordiv__(self, other: Any) -> Self:
        return self._assign_(self._old(other) // other)

    def __imod__(self, other: Any) -> Self:
        return self._assign_(self._old(other) % other)

    def __ipow__(self, other: Any) -> Self:
        return self._assign_(self._old(other) ** other)

    def __iand__(self, other: Any) -> Self:
        return self._assign_(self & other)

    def __ior__(self, other: Any) -> Self:
        return self._assign_(self | other)

    def __ixor__(self, other: Any) -> Self:
        return self._assign_(self ^ other)

    def add_(self, other: Any, alpha: float = 1) -> Self:
        """Add alpha other in place."""
        return self._assign_(self.add(other, alpha))

    def sub_(self, other: Any, alpha: float = 1) -> Self:
        """Subtract alpha other in place."""
        return self._assign_(self.sub(other, alpha))

    def mul_(self, other: Any) -> Self:
        """Multiply in place."""
        return self._assign_(self._old(other) * other)

    def div_(self, other: Any) -> Self:
        """Divide in place."""
        return self._assign_(self._old(other) / other)

    def pow_(self, exponent: Any) -> Self:
        """Raise to a power in place."""
        return self._assign_(self._old(exponent) ** exponent)

    def neg_(self) -> Self:
        """Negate in place."""
        return self._assign_(-self)

    def abs_(self) -> Self:
        """Take absolute values in place."""
        return self._assign_(self._old().abs())

    def exp_(self) -> Self:
        """Replace x by e^x in place."""
        return self._assign_(self.exp())

    def log_(self) -> Self:
        """Replace x by ln x in place."""
        return self._assign_(self._old().log())

    def sqrt_(self) -> Self:
        """Replace x by its square root in place."""
        return self._assign_(self.sqrt())

    def clamp_(self, min: float | None = None, max: float | None = None) -> Self:
        """Clamp in place."""
        return self._assign_(self._old().clamp(min, max))

    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """Write `value` where the mask (bool) holds."""
        return self._assign_(self.masked_fill(mask, value))

    def zero_(self) -> Self:
        """Write 0 everywhere."""
        return self.fill_(0)

    def fill_(self, value: Any) -> Self:
        """Write `value` (a number) everywhere."""
        self[...] = value
        return self

    def copy_(self, source: Any) -> Self:
        """Write the source's values, converted to this dtype; it must broadcast to this shape."""
        self[...] = source
        return self

    # ---- as Python objects ---------------------------------------------------------------------

    def item(self) -> Any:
        """Return the only element as a Python number (ValueError if there are more or none)."""
        if self._array.size != 1:
            raise ValueError(f"item needs exactly one element, this tensor has shape {self._array.shape}")
        return self._array.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return self._array.tolist()

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("a scalar has no length")
        return int(self._array.shape[0])

    def __iter__(self) -> Iterator[Self]:
        if self._array.ndim == 0:
            raise TypeError("a scalar cannot be iterated over")
        return (self._slice(0, i) for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self._array.shape} is ambiguous; use any() or all()"
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self._array.ndim:
            raise TypeError(f"only a scalar can be an index, this tensor has shape {self._array.shape}")
        return int(operator.index(self._array.item()))

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification and self._array.ndim == 0 else str(self)

    def dim(self) -> int:
        """Return the number of axes."""
        return self._array.ndim

    def numel(self) -> int:
        """Return the number of elements."""
        return self._array.size

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return self._array.shape if dim is None else self._array.shape[self._axis("dim", dim)]

    def is_floating_point(self) -> bool:
        """Return whether the dtype is float32 or float64."""
        return self._array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Return whether the elements lie in memory in row-major order."""
        return self._array.flags.c_contiguous

    def contiguous(self) -> Self:
        """Return self if it is contiguous, else a contiguous copy."""
        return self if self.is_contiguous() else self.clone()

    def clone(self) -> Self:
        """Return a copy with its own memory, part of the graph."""
        return self._apply(arithmetic.Clone(), self)

    def to(self, *targets: Any, dtype: npt.DTypeLike | None = None, device: Any = None) -> Self:
        """Return the tensor in another dtype, or another tensor's dtype; self if that changes nothing.

        Args:
            targets: dtypes, tensors or the device "cpu", in any order.
            dtype: the dtype by name.
            device: the device by name.

        Raises:
            ValueError: a device other than "cpu".
            TypeError: neither a dtype, a tensor nor a device; or a complex tensor to a real dtype.
        """
        wanted = self._array.dtype if dtype is None else _as_dtype(dtype)
        for target in (*targets, *(() if device is None else (device,))):
            if isinstance(target, TensorMethods):
                wanted = target._array.dtype
            elif isinstance(target, str) and not hasattr(np, target):
                if target != "cpu":
                    raise ValueError(f"device must be 'cpu', got {target!r}")
            else:
                wanted = _as_dtype(target)
        return self if wanted == self._array.dtype else self._apply(arithmetic.Cast(wanted), self)

    def cpu(self) -> Self:
        """Return self: all tensors live in host memory."""
        return self

    def _floating(self) -> Self:
        """Self, integers and bool as float32."""
        return self if self._array.dtype.kind in "fc" else self.to(_DEFAULT_FLOAT)

    def _check_floating(self, what: str) -> None:
        if self._array.dtype.kind not in "fc":
            raise TypeError(f"{what} needs a floating tensor, this one is {self._array.dtype}; use float()")

    def double(self) -> Self:
        """Return the tensor in float64."""
        return self.to(np.float64)

    def long(self) -> Self:
        """Return the tensor in int64."""
        return self.to(np.int64)

    # These three hide the builtins of their names in annotations below them, so they stand last.

    def float(self) -> Self:
        """Return the tensor in float32."""
        return self.to(np.float32)

    def int(self) -> Self:
        """Return the tensor in int32."""
        return self.to(np.int32)

    def bool(self) -> Self:
        """Return where the tensor is not 0."""
        return self.to(np.bool_)


def meet(a: Any, b: Any) -> tuple[Any, Any]:
    """Bring two operands, at least one of them a tensor, to one dtype.

    Raises:
        TypeError: two different floating dtypes, or an operand that is not a number, array or tensor.
        ValueError: a Python number beyond the range of the tensor's dtype.
    """
    if not isinstance(a, TensorMethods):
        return swapped(b, a)
    dtype = a._array.dtype
    if isinstance(b, _NUMBERS):
        return _meet_number(a, b.item() if isinstance(b, np.generic) else b)
    if not isinstance(b, TensorMethods):
        b = _array_of(b, a)
    other = _raw(b).dtype
    if dtype == other:
        return a, b
    common = common_dtype(dtype, other)
    return converted(a, common), converted(b, common)


def swapped(a: Any, b: Any) -> tuple[Any, Any]:
    """`meet`, in the order (b, a): for operators whose left operand is not a tensor."""
    first, second = meet(a, b)
    return second, first


def _meet_number(a: TensorMethods, number: Any) -> tuple[Any, Any]:
    """A Python number takes the tensor's dtype, unless that is of a lower kind (bool < int < float)."""
    dtype = a._array.dtype
    if isinstance(number, complex) and dtype.kind != "c":
        raise TypeError(f"the complex number {number} cannot meet a tensor of dtype {dtype}")
    if isinstance(number, float) and dtype.kind not in "fc":
        dtype = _DEFAULT_FLOAT
    elif dtype.kind == "b" and not isinstance(number, bool):
        dtype = np.dtype(np.int64)
    try:
        if dtype.kind == "f" and abs(number) > _LARGE:  # may be infinite in float32, silently
            return converted(a, dtype), elementwise.cast(np.asarray(float(number)), dtype)
        return converted(a, dtype), np.asarray(number, dtype)
    except OverflowError:
        raise ValueError(f"the number {number} is beyond the range of dtype {dtype}") from None


def common_dtype(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which two tensors meet: the floating one, or the wider integer.

    Raises:
        TypeError: two different floating dtypes.
    """
    if a == b:
        return a
    if a.kind in "fc" and b.kind in "fc":
        raise TypeError(f"operands have dtypes {a} and {b}, but need one and the same; convert one with to()")
    if a.kind in "fc" or b.kind in "fc":
        return a if a.kind in "fc" else b
    return np.promote_types(a, b)


def converted(value: Any, dtype: np.dtype[Any]) -> Any:
    """A tensor or array in another dtype; only integers and bool are converted, so no history is lost."""
    array = _raw(value)
    return value if array.dtype == dtype else elementwise.cast(array, dtype)


def as_floating(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands of one dtype, integers and bool as float32."""
    if _raw(a).dtype.kind in "fc":
        return a, b
    return converted(a, _DEFAULT_FLOAT), converted(b, _DEFAULT_FLOAT)


def _is_operand(value: object) -> bool:
    return isinstance(value, (TensorMethods, np.ndarray, list, tuple, *_NUMBERS))


def _raw(value: Any) -> Any:
    return value._array if isinstance(value, TensorMethods) else value


def _as_dtype(value: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be a NumPy dtype or its name, got {shown(value)}") from None
    return dtype


def _array_of(value: Any, partner: TensorMethods) -> Any:
    """An operand as an array; Python floats in a list follow the partner's dtype, as single ones do."""
    if isinstance(value, TensorMethods):
        return _raw(value)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"an operand must have rows of one length if nested, got {shown(value)}") from None
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"an operand must be a number, an array or a tensor, got {shown(value)}")
    if array.dtype.kind == "f" and isinstance(value, list | tuple):
        kind = partner._array.dtype.kind
        return elementwise.cast(array, partner._array.dtype if kind == "f" else _DEFAULT_FLOAT)
    return array


def _axes(dim: Any) -> Any:
    """PyTorch's dim: an empty tuple means all axes, a list is a tuple."""
    if isinstance(dim, list | tuple):
        return tuple(dim) or None
    return dim


def _sizes(arguments: Sequence[Any]) -> tuple[int, ...]:
    """Lengths given one by one or as one sequence."""
    if len(arguments) == 1 and isinstance(arguments[0], Sequence):
        arguments = arguments[0]
    return tuple(check_integer("shape", size) for size in arguments)


def _parts(key: Any) -> tuple[Any, ...]:
    """An index as a tuple of parts, tensors as arrays."""
    return tuple(_raw(part) for part in (key if isinstance(key, tuple) else (key,)))


def _takes_all(basic: tuple[Any, ...]) -> bool:
    """Whether the key of a view leaves everything as it is."""
    return all(part is Ellipsis or part == slice(None) for part in basic)
