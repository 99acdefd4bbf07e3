"""Vectors of the processor's width for Numba kernels, written as LLVM vector operations.

Numba has no vector types. An `@intrinsic` writes LLVM's intermediate code itself, and LLVM makes it AVX-512,
AVX2 or NEON instructions. This file knows the machine (how wide a register is, how many there are) and holds
the few building blocks of which intrinsics are made; `gemm.py` builds the matrix product's register tile.

All offsets are counted in elements from an array's first one; arrays are row-major, and unaligned access
is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.cpu.compilation import require_compiler

require_compiler()

INDEX = ir.IntType(64)


def _machine() -> tuple[int, int]:
    """Return the width of a vector register in bytes, and how many there are."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 32
    if features.get("avx2") and features.get("fma"):
        return 32, 16
    return 16, 32 if llvm.get_process_triple().startswith(("aarch64", "arm64")) else 16


VECTOR_BYTES, REGISTERS = _machine()


def lanes_of(dtype: npt.DTypeLike) -> int:
    """Return how many elements of a NumPy dtype one vector holds."""
    return VECTOR_BYTES // int(np.dtype(dtype).itemsize)


def element_lanes(array_type: types.Array) -> int:
    """Return how many elements of a Numba array type one vector holds."""
    return VECTOR_BYTES // int(array_type.dtype.bitwidth // 8)


class VectorBuilder:
    """Writes vector operations on the elements of one floating type.

    Attributes:
        lanes: elements per vector.
        vector: the LLVM type of a vector.
        scalar: the LLVM type of an element.
    """

    def __init__(self, context: Any, builder: Any, array_type: types.Array, lanes: int | None = None) -> None:
        self.context = context
        self.builder = builder
        self.lanes = lanes or element_lanes(array_type)
        self.scalar = context.get_value_type(array_type.dtype)
        self.bytes = array_type.dtype.bitwidth // 8
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def address(self, array_type: types.Array, array: Any, offset: Any) -> Any:
        """Return the address of an array's element."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [offset])

    def after(self, address: Any, steps: Any) -> Any:
        """Return the address `steps` elements (a number or a value) further on."""
        return self.builder.gep(address, [INDEX(steps) if isinstance(steps, int) else steps])

    def load(self, address: Any) -> Any:
        """Return the vector that begins at an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.bytes)

    def store(self, vector: Any, address: Any) -> None:
        """Write a vector to an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        self.builder.store(vector, pointer, align=self.bytes)

    def first_lanes(self, count: Any) -> Any:
        """Return the mask of a vector's first `count` elements; `count` may be below 0 or too large."""
        index = ir.IntType(32)
        numbers = ir.VectorType(index, self.lanes)
        undefined, everywhere = ir.Constant(numbers, ir.Undefined), ir.Constant(numbers, [0] * self.lanes)
        first = self.builder.insert_element(undefined, self.builder.trunc(count, index), index(0))
        counts = self.builder.shuffle_vector(first, undefined, everywhere)
        return self.builder.icmp_signed("<", ir.Constant(numbers, list(range(self.lanes))), counts)

    def load_partial(self, address: Any, count: Any, otherwise: Any) -> Any:
        """Return a vector whose first `count` elements begin at an address; the rest is from `otherwise`."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        mask = self.first_lanes(count)
        alignment = ir.IntType(32)(self.bytes)
        return self._masked("load", self.vector, [pointer, alignment, mask, otherwise])

    def lanes_within(self, first: Any, count: Any) -> Any:
        """Return the mask of the lanes i with 0 <= first + i < count; `first` may be below 0."""
        index = ir.IntType(32)
        numbers = ir.VectorType(index, self.lanes)
        undefined, everywhere = ir.Constant(numbers, ir.Undefined), ir.Constant(numbers, [0] * self.lanes)

        def spread(value: Any) -> Any:
            lane = self.builder.insert_element(undefined, self.builder.trunc(value, index), index(0))
            return self.builder.shuffle_vector(lane, undefined, everywhere)

        places = self.builder.add(spread(first), ir.Constant(numbers, list(range(self.lanes))))
        return self.builder.icmp_unsigned("<", places, spread(count))

    def mask_if(self, condition: Any, mask: Any) -> Any:
        """Return the mask, or the one of no lanes where the condition does not hold."""
        return self.builder.select(condition, mask, ir.Constant(mask.type, [0] * self.lanes))

    def load_where(self, address: Any, mask: Any) -> Any:
        """Return the elements from an address on where a mask is set, else 0; nothing else is read."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        alignment = ir.IntType(32)(self.bytes)
        return self._masked("load", self.vector, [pointer, alignment, mask, self.constant(0.0)])

    def load_masked(self, address: Any, bits: Any) -> Any:
        """Return the elements from an address on whose bit (in an integer of `lanes` bits) is set, else 0."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        mask = self.builder.bitcast(bits, ir.VectorType(ir.IntType(1), self.lanes))
        alignment = ir.IntType(32)(self.bytes)
        return self._masked("load", self.vector, [pointer, alignment, mask, self.constant(0.0)])

    def store_partial(self, vector: Any, address: Any, count: Any) -> None:
        """Write a vector's first `count` elements to an address."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        self._masked(
            "store", ir.VoidType(), [vector, pointer, ir.IntType(32)(self.bytes), self.first_lanes(count)]
        )

    def _masked(self, direction: str, result: Any, arguments: Sequence[Any]) -> Any:
        """Call LLVM's masked load or store."""
        kind = {4: "f32", 8: "f64"}[self.bytes]
        signature = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.masked.{direction}.v{self.lanes}{kind}.p0"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, signature, name), arguments
        )

    def prefetch(self, address: Any) -> None:
        """Bring the cache line of an address into the second-level cache, to be read later."""
        self._prefetch(address, writing=0, locality=2)

    def prefetch_for_writing(self, address: Any) -> None:
        """Bring the cache line of an address near, before it is written."""
        self._prefetch(address, writing=1, locality=3)

    def _prefetch(self, address: Any, writing: int, locality: int) -> None:
        """Call LLVM's prefetch of data."""
        number = ir.IntType(32)
        pointer = self.builder.bitcast(address, ir.IntType(8).as_pointer())
        signature = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(self.builder.module, signature, "llvm.prefetch.p0")
        self.builder.call(function, [pointer, number(writing), number(locality), number(1)])

    def broadcast(self, value: Any) -> Any:
        """Return the vector whose elements all are `value`."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.IntType(32)(0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def constant(self, value: float) -> Any:
        """Return the vector whose elements all are a number known now."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def shuffle(self, first: Any, second: Any, order: Sequence[int]) -> Any:
        """Return elements of two vectors in a new order; the second's are counted from `lanes` on."""
        return self.builder.shuffle_vector(
            first, second, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        )

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a b + c, rounded once."""
        kind = {4: "f32", 8: "f64"}[self.bytes]
        signature = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self.lanes}{kind}"
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, [a, b, c])

    def at_least(self, x: Any, low: Any) -> Any:
        """Return max(x, low); NaN stays NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, low), low, x)

    def at_most(self, x: Any, high: Any) -> Any:
        """Return min(x, high); NaN stays NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, high), high, x)

    def loop(self, count: Any, initial: Sequence[Any], body: Any) -> list[Any]:
        """Write `for i in range(count)` carrying values; count must be at least 1.

        Args:
            count: how often.
            initial: the carried values before the first turn.
            body: body(i, values) writes one turn and returns the new values.
        """
        builder = self.builder
        before = builder.block
        turn, done = builder.append_basic_block("turn"), builder.append_basic_block("done")
        builder.branch(turn)
        builder.position_at_end(turn)
        i = builder.phi(INDEX)
        i.add_incoming(INDEX(0), before)
        carried = [builder.phi(value.type) for value in initial]
        new = body(i, carried)
        following = builder.add(i, INDEX(1))
        i.add_incoming(following, builder.block)
        for phi, first, value in zip(carried, initial, new, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, count), turn, done)
        builder.position_at_end(done)
        return list(new)

    def loop_if_any(self, count: Any, initial: Sequence[Any], body: Any) -> list[Any]:
        """Write a `loop` whose count may be 0: the initial values then stay."""
        builder = self.builder
        before = builder.block
        some, after = builder.append_basic_block("some"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed(">", count, INDEX(0)), some, after)
        builder.position_at_end(some)
        new = self.loop(count, initial, body)
        end = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        results = []
        for first, value in zip(initial, new, strict=True):
            result = builder.phi(value.type)
            result.add_incoming(first, before)
            result.add_incoming(value, end)
            results.append(result)
        return results


@intrinsic
def vector_lanes(typing_context: Any, array: Any) -> Any:
    """vector_lanes(array): how many of its elements one vector holds, as a constant of the compiled code."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return INDEX(element_lanes(signature.args[0]))

    return types.intp(array), emit


@intrinsic
def copy_vector(typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any) -> Any:
    """copy_vector(target, i, source, j): one vector from source[j:] to target[i:]."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, source_at = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        vector = simd.load(simd.address(signature.args[2], source, source_at))
        simd.store(vector, simd.address(signature.args[0], target, target_at))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp), emit


@intrinsic
def fill_vector(typing_context: Any, target: Any, target_at: Any, value: Any) -> Any:
    """fill_vector(target, i, value): one vector of equal elements to target[i:]."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, value = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        simd.store(simd.broadcast(value), simd.address(signature.args[0], target, target_at))
        return context.get_dummy_value()

    return types.void(target, types.intp, target.dtype), emit


@intrinsic
def copy_partial(
    typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any, count: Any, fill: Any
) -> Any:
    """copy_partial(target, i, source, j, count, fill): one vector to target[i:], of which the first `count`
    elements come from source[j:] and the rest are `fill`; nothing of the source is read beyond them.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, source_at, count, fill = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[2], source, source_at)
        vector = simd.load_partial(first, count, simd.broadcast(fill))
        simd.store(vector, simd.address(signature.args[0], target, target_at))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp, target.dtype), emit


@intrinsic
def copy_even(typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any) -> Any:
    """copy_even(target, i, source, j): one vector to target[i:], of source[j], source[j + 2] and so on."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, source_at = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[2], source, source_at)
        # The second vector ends on the last element wanted: beyond it nothing may be read.
        halves = simd.load(first), simd.load(simd.after(first, simd.lanes - 1))
        order = [2 * i if 2 * i < simd.lanes else 2 * i + 1 for i in range(simd.lanes)]
        simd.store(
            simd.shuffle(halves[0], halves[1], order), simd.address(signature.args[0], target, target_at)
        )
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp), emit


@intrinsic
def copy_partial_even(
    typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any, count: Any, fill: Any
) -> Any:
    """copy_partial_even(target, i, source, j, count, fill): like `copy_partial`, of source[j], source[j + 2],
    source[j + 4] and so on.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, source_at, count, fill = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[2], source, source_at)
        readable = builder.sub(builder.add(count, count), INDEX(1))
        halves = [
            simd.load_partial(
                simd.after(first, start), builder.sub(readable, INDEX(start)), simd.broadcast(fill)
            )
            for start in (0, simd.lanes)
        ]
        evens = simd.shuffle(halves[0], halves[1], range(0, 2 * simd.lanes, 2))
        simd.store(evens, simd.address(signature.args[0], target, target_at))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp, target.dtype), emit


@intrinsic
def store_partial(
    typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any, count: Any
) -> Any:
    """store_partial(target, i, source, j, count): the first `count` elements of source[j:] to target[i:]; a
    whole vector is read.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, source_at, count = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        vector = simd.load(simd.address(signature.args[2], source, source_at))
        simd.store_partial(vector, simd.address(signature.args[0], target, target_at), count)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), emit


@intrinsic
def store_interleaved(
    typing_context: Any, target: Any, target_at: Any, source: Any, even: Any, odd: Any, count: Any
) -> Any:
    """store_interleaved(target, i, source, j, k, count): the first `count` of the elements source[j],
    source[k], source[j + 1], source[k + 1] and so on, at most two vectors, to target[i:]; two whole vectors
    are read.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, source, even, odd, count = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        vectors = [simd.load(simd.address(signature.args[2], source, at)) for at in (even, odd)]
        place = simd.address(signature.args[0], target, target_at)
        for start in (0, simd.lanes):
            order = [start // 2 + i // 2 + i % 2 * simd.lanes for i in range(simd.lanes)]
            left = builder.sub(count, INDEX(start))
            simd.store_partial(simd.shuffle(vectors[0], vectors[1], order), simd.after(place, start), left)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp, types.intp), emit
