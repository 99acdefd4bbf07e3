"""Winograd's matrices for one dimension, and vectors multiplied by them.

A convolution of m + r - 1 numbers with r taps is a product of polynomials. Evaluated at m + r - 1 points it
is one multiplication per point; a linear transform before (of the data, of the taps) and one after (of the
products) are all that is left:

    y = A^T [(G g) (B^T d)],    in two dimensions    Y = A^T [(G g G^T) (B^T d B)] A

The points are 0, infinity and pairs +p, -p. A pair's two rows differ only in the signs of the odd powers, so
each transform is a sparse matrix and the sums and differences of pairs (`_butterflies`).

Points: for F(2x2, 3x3) 0, +-1, infinity; for F(4x4, 3x3) 0, +-5/8, +-3/2, infinity, whose rounding errors
are 2.3 times smaller than those of the usual 0, +-1, +-2, infinity. All coefficients of A and B are exact in
float32.

Sources: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4; Barabasz,
Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy of Winograd convolution for deep
neural networks", ACM TOMS 46 (2020), for the construction and for how the points decide the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d.winograd import TAPS
from kernels.cpu.simd import VectorBuilder

# The pairs' positive points by the output tile's width m.
PAIRS: dict[int, tuple[float, ...]] = {2: (1.0,), 4: (5 / 8, 3 / 2)}


def data_matrix(m: int) -> Array:
    """Return B^T (m + 2, m + 2): point p's row has the coefficients of the product of x - q over all q != p;
    infinity's row that of all points.
    """
    points = _points(m)
    rows = [np.poly([q for q in points if q != p])[::-1] for p in points]
    size = len(points) + 1
    return np.array([np.append(row, np.zeros(size - row.size)) for row in [*rows, np.poly(points)[::-1]]])


def filter_matrix(m: int, taps: int = TAPS) -> Array:
    """Return G (m + 2, taps): the powers of every point, over the product of its distances to the others."""
    points = _points(m)
    rows = [[p**k / np.prod([p - q for q in points if q != p]) for k in range(taps)] for p in points]
    return np.array([*rows, [0.0] * (taps - 1) + [1.0]])


def output_matrix(m: int, outputs: int | None = None) -> Array:
    """Return A^T (outputs, m + 2): row k holds the k-th powers of the points."""
    outputs = outputs or m
    return np.array([[*(p**k for p in _points(m)), float(k == outputs - 1)] for k in range(outputs)])


def _points(m: int) -> list[float]:
    """The finite points, in the order of the transforms' rows."""
    return [0.0, *(sign * p for p in PAIRS[m] for sign in (1, -1))]


# --- vectors in place of numbers


def transformed_data(simd: VectorBuilder, m: int, d: Sequence[Any]) -> list[Any]:
    """B^T d."""
    return _butterflies(simd, _combine(simd, _parted(data_matrix(m)), d))


def transformed_filter(simd: VectorBuilder, m: int, g: Sequence[Any]) -> list[Any]:
    """G g."""
    return _butterflies(simd, _combine(simd, _parted(filter_matrix(m, len(g))), g))


def transformed_products(simd: VectorBuilder, m: int, products: Sequence[Any], outputs: int) -> list[Any]:
    """A^T products: the powers of +p and -p are equal or opposite."""
    parted = _parted(output_matrix(m, outputs).T).T
    return _combine(simd, parted, _butterflies(simd, products))


def _combine(simd: VectorBuilder, matrix: Array, vectors: Sequence[Any]) -> list[Any]:
    """The matrix times the vectors; zeros cost nothing."""
    return [_weighted_sum(simd, row, vectors) for row in matrix]


def _weighted_sum(simd: VectorBuilder, weights: Array, vectors: Sequence[Any]) -> Any:
    terms = [(float(w), v) for w, v in zip(weights, vectors, strict=True) if w]
    # A vector that comes as it is starts the sum; the others then are multiply-adds.
    terms.sort(key=lambda term: term[0] != 1)
    (weight, vector), *others = terms
    total = vector if weight == 1 else simd.builder.fmul(simd.constant(weight), vector)
    for weight, vector in others:
        total = (
            simd.builder.fadd(total, vector)
            if weight == 1
            else simd.multiply_add(simd.constant(weight), vector, total)
        )
    return total


def _butterflies(simd: VectorBuilder, vectors: Sequence[Any]) -> list[Any]:
    """Every pair's two vectors give way to their sum and their difference; the first and last stay."""
    new = list(vectors)
    for i in range(1, len(vectors) - 1, 2):
        new[i] = simd.builder.fadd(vectors[i], vectors[i + 1])
        new[i + 1] = simd.builder.fsub(vectors[i], vectors[i + 1])
    return new


def _parted(rows: Array) -> Array:
    """Each pair's rows +p, -p as the even and the odd part of the row of +p."""
    parted = rows.copy()
    for i in range(1, len(rows) - 1, 2):
        parted[i, 1::2] = 0
        parted[i + 1] = rows[i] - parted[i]
    return parted
