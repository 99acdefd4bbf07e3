"""Exponentials for Numba kernels, without a branch or a call, so that loops over them become vector code.

The C library's functions take one number at a time. Here x is split as n ln 2 + r with |r| <= ln(2) / 2, the
exponential of r is a short polynomial, and 2^n is written into an exponent field:

    e^x - 1 = 2^n (e^r - 1) + (2^n - 1)

Both functions are for compiled code, take float32 or float64, and are right to about two units in the last
place; NaN stays NaN, and what is too small or too large for the type becomes 0 or infinity.

Source: Cody and Waite, "Software manual for the elementary functions" (1980), chapter 6.
"""

from __future__ import annotations

import math
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
        builder, constant = self.builder, self.kind
        high, low, lowest, highest, terms = CONSTANTS[self.bits]
        x = self.clamp(x, lowest, highest)  # NaN, which has no integer part, becomes the lowest
        n = self.call("rint", builder.fmul(x, constant(1 / math.log(2))))
        r = self.multiply_add(n, constant(-low), self.multiply_add(n, constant(-high), x))
        series = constant(1 / math.factorial(terms))
        for k in range(terms - 1, 1, -1):
            series = self.multiply_add(series, r, constant(1 / math.factorial(k)))
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
