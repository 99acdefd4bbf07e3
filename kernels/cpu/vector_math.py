"""Exponentials and the normal distribution for Numba kernels, without a branch or a call, so that loops over
them become vector code.

The C library's functions take one number at a time. Here x is split as n ln 2 + r with |r| <= ln(2) / 2, the
exponential of r is a short polynomial, and 2^n is written into an exponent field:

    e^x - 1 = 2^n (e^r - 1) + (2^n - 1)

The normal distribution Phi(x) = erfc(-x / sqrt 2) / 2 has a tail that is e^(-x^2 / 2) times a slow function.
With q = (a - c) / (a + c), which folds the half line a >= 0 into [-1, 1), a short polynomial gives it:

    Phi(-a) = e^(-a^2 / 2) P(q) / (a + c),   Phi(a) = 1 - Phi(-a)

P interpolates at Chebyshev's points, computed with 40 digits: degree 8 and c = 3 for float32, 22 and 4 for
float64.

All functions are for compiled code and take float32 or float64. The exponentials are right to about two units
in the last place, Phi to four; NaN stays NaN, and what is too small or too large for the type becomes 0 or
infinity.

Sources: Cody and Waite, "Software manual for the elementary functions" (1980), chapter 6; for the folding
Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity",
Mathematics of Computation 36 (1981), 249-253.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.cpu.compilation import compiled
from kernels.cpu.simd import INDEX, VectorBuilder, vector_lanes

# ln 2 in two parts, the first so short that n times it is exact; where e^x becomes 0 and infinity; how many
# terms the Taylor series of e^r needs.
CONSTANTS = {
    32: (0.693359375, math.log(2) - 0.693359375, -104.0, 89.0, 7),
    64: (float.fromhex("0x1.62e42feep-1"), 1.90821492927058770002e-10, -746.0, 710.0, 13),
}

# The normal distribution's tail: the point about which the half line is folded, where the tail is 0 in the
# type, and the polynomial's coefficients, the constant term first.
TAIL = {
    32: (
        3.0,
        14.4,
        (
            0.72908366,
            -0.50933194,
            0.23001982,
            -0.047262155,
            -0.010484648,
            0.006948344,
            0.0010948019,
            -0.000931665,
            -0.0002910221,
        ),
    ),
    64: (
        4.0,
        38.6,
        (
            0.7552851304157515,
            -0.6078966419718917,
            0.38713740074221886,
            -0.18652185795969417,
            0.06039657489069947,
            -0.007540188965593059,
            -0.0034796923622425332,
            0.0016308184418903596,
            0.00013334425401904912,
            -0.0002310948183193762,
            -1.9078665316613576e-06,
            3.5144181157760973e-05,
            7.150055959216099e-07,
            -5.918892731763236e-06,
            -6.25132104047868e-07,
            1.0198048518135172e-06,
            2.6368248576407624e-07,
            -1.5426320536771075e-07,
            -7.63808205349045e-08,
            1.457859334703646e-08,
            1.392402399350171e-08,
            7.26954547902669e-11,
            -9.653425420228504e-10,
        ),
    ),
}


class _Scalar:
    """Writes LLVM operations on numbers of one floating type; LLVM turns those of a loop into vectors."""

    def __init__(self, builder: Any, number: Any) -> None:
        self.builder = builder
        self.kind = number.type
        self.bits = 32 if isinstance(self.kind, ir.FloatType) else 64
        self.integer = ir.IntType(self.bits)

    def call(self, name: str, *arguments: Any) -> Any:
        signature = ir.FunctionType(self.kind, [self.kind] * len(arguments))
        function = cgutils.get_or_insert_function(self.builder.module, signature, f"llvm.{name}.f{self.bits}")
        return self.builder.call(function, arguments)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        return self.call("fma", a, b, c)

    def polynomial(self, coefficients: Sequence[float], x: Any) -> Any:
        """The sum of coefficients[k] x^k, from the highest down (Horner)."""
        value = self.kind(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = self.multiply_add(value, x, self.kind(coefficient))
        return value

    def clamp(self, x: Any, low: float, high: float) -> Any:
        above = self.builder.select(self.builder.fcmp_ordered(">", x, self.kind(low)), x, self.kind(low))
        return self.builder.select(
            self.builder.fcmp_ordered("<", above, self.kind(high)), above, self.kind(high)
        )

    def keep_nan(self, x: Any, result: Any) -> Any:
        return self.builder.select(self.builder.fcmp_unordered("uno", x, x), x, result)

    def power_of_two(self, n: Any) -> Any:
        """2^n for an integral n, by writing the exponent field of a number with an empty fraction."""
        bias, fraction_bits = (127, 23) if self.bits == 32 else (1023, 52)
        exponent = self.builder.add(self.builder.fptosi(n, self.integer), self.integer(bias))
        return self.builder.bitcast(self.builder.shl(exponent, self.integer(fraction_bits)), self.kind)

    def parts(self, x: Any) -> tuple[Any, Any, Any]:
        """Return e^r - 1 and two powers of two with e^x = e^r times both; 2^n alone may be out of range."""
        _, _, lowest, highest, _ = CONSTANTS[self.bits]
        return self.reduced(self.clamp(x, lowest, highest))  # NaN, which has no integer part: the lowest

    def reduced(self, x: Any) -> tuple[Any, Any, Any]:
        """`parts` of an x between the lowest and the highest."""
        builder, constant = self.builder, self.kind
        high, low, _, _, terms = CONSTANTS[self.bits]
        n = self.call("rint", builder.fmul(x, constant(1 / math.log(2))))
        r = self.multiply_add(n, constant(-low), self.multiply_add(n, constant(-high), x))
        series = self.polynomial([1 / math.factorial(k) for k in range(2, terms + 1)], r)
        q = self.multiply_add(builder.fmul(series, r), r, r)
        first = self.call("rint", builder.fmul(n, constant(0.5)))
        return q, self.power_of_two(first), self.power_of_two(builder.fsub(n, first))


@intrinsic
def like(typing_context: Any, x: Any, value: Any) -> Any:
    """`value` in x's type: 0.5 alone is a float64, and a float32 formula with it would be computed in
    float64.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], signature.args[1], signature.args[0])

    return x(x, value), emit


@intrinsic
def exponential(typing_context: Any, x: Any) -> Any:
    """e^x."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = _Scalar(builder, arguments[0])
        q, a, b = scalar.parts(arguments[0])
        return scalar.keep_nan(arguments[0], builder.fmul(scalar.multiply_add(q, a, a), b))

    return _same_float(x), emit


@intrinsic
def exponential_minus_one(typing_context: Any, x: Any) -> Any:
    """e^x - 1, with all its digits also near 0."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = _Scalar(builder, arguments[0])
        q, a, b = scalar.parts(arguments[0])
        power = builder.fmul(a, b)
        less_one = builder.fsub(power, power.type(1.0))
        return scalar.keep_nan(arguments[0], scalar.multiply_add(q, power, less_one))

    return _same_float(x), emit


@intrinsic
def normal_distribution(typing_context: Any, x: Any) -> Any:
    """(Phi(x), phi(x)): the share of a standard normal variable's values up to x, whose tails both keep their
    digits, and the density e^(-x^2 / 2) / sqrt(2 pi), its derivative.
    """
    if x not in (types.float32, types.float64):
        return None
    pair = types.UniTuple(x, 2)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = arguments[0]
        scalar = _Scalar(builder, x)
        constant = scalar.kind
        fold, far, coefficients = TAIL[scalar.bits]
        a = scalar.call("fabs", x)
        a = builder.select(builder.fcmp_ordered("<", a, constant(far)), a, constant(far))
        inverse = builder.fdiv(constant(1.0), builder.fadd(a, constant(fold)))
        q = builder.fmul(builder.fsub(a, constant(fold)), inverse)
        slow = builder.fmul(scalar.polynomial(coefficients, q), inverse)
        # The exponent is rounded, and far out its exponential feels it: what was lost is made good.
        half = builder.fmul(a, constant(-0.5))
        exponent = builder.fmul(a, half)
        lost = scalar.multiply_add(a, half, builder.fneg(exponent))
        less_one, first, second = scalar.reduced(exponent)
        power = scalar.multiply_add(less_one, first, first)
        power = builder.fmul(scalar.multiply_add(power, lost, power), second)
        tail = builder.fmul(power, slow)
        left = builder.fcmp_ordered("<", x, constant(0.0))
        share = builder.select(left, tail, builder.fsub(constant(1.0), tail))
        density = builder.fmul(power, constant(1 / math.sqrt(2 * math.pi)))
        both = [scalar.keep_nan(x, share), scalar.keep_nan(x, density)]
        return context.make_tuple(builder, pair, both)

    return pair(x), emit


def _same_float(x: Any) -> Any:
    """The signature of a function from a floating type to itself."""
    return x(x) if x in (types.float32, types.float64) else None


@intrinsic
def _largest_of_vectors(typing_context: Any, x: Any, count: Any) -> Any:
    """The largest of the elements in the first `count` vectors of x, at least one; NaN is passed over."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[0], arguments[0], INDEX(0))

        def step(k: Any, largest: Any) -> list[Any]:
            vector = simd.load(simd.after(first, builder.mul(k, INDEX(simd.lanes))))
            return [builder.select(builder.fcmp_ordered(">", vector, largest[0]), vector, largest[0])]

        (lanes,) = simd.loop(arguments[1], [simd.constant(float("-inf"))], step)
        largest = simd.scalar(float("-inf"))
        for lane in range(simd.lanes):
            value = builder.extract_element(lanes, ir.IntType(32)(lane))
            largest = builder.select(builder.fcmp_ordered(">", value, largest), value, largest)
        return largest

    return x.dtype(x, types.intp), emit


@compiled
def largest_of(x: Any) -> Any:
    """The largest element of a flat array, -inf if there is none; NaN is passed over.

    LLVM does not make vector code of this loop unless NaN may be ignored altogether.
    """
    lanes = vector_lanes(x)
    count = x.size // lanes
    largest = x.dtype.type(-np.inf)
    if count:
        largest = _largest_of_vectors(x, count)
    rest = x[count * lanes :]
    for i in range(rest.size):
        largest = rest[i] if rest[i] > largest else largest
    return largest


@compiled(summing=True, borrowing=True)
def sum_of(x: Any) -> float:
    """The sum of a flat array's elements, in float64."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i])
    return total


@compiled
def exponentials(y: Any, x: Any) -> tuple[Any, float]:
    """y = e^(x - m) with x's largest element m; return m, and the sum of y, in which NaN shows.

    The sum has a loop of its own: one that also writes is split over vector lanes only where y does not begin
    just behind x, and the sum's order would depend on where the arrays lie.
    """
    largest = largest_of(x)
    for i in range(x.size):
        y[i] = exponential(x[i] - largest)
    return largest, sum_of(y)
