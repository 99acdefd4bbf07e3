"""The complementary error function on arrays: erfc(x) = 2 / sqrt(pi) integral of e^-t^2 from x to infinity.

No polynomial fits all of it, so the axis is cut in three, and in each piece a quotient of two polynomials is
fitted to what is left of the function once its known shape is divided out:

    |x| <= 0.46875:      erf(x)  = x A(x^2)                                      erfc = 1 - erf
    |x| <= 4:            erfc(x) = e^-x^2 B(x)
    above:               erfc(x) = e^-x^2 / x (1 / sqrt(pi) - C(1 / x^2) / x^2)

and erfc(-x) = 2 - erfc(x). The quotients are exact to about 1e-16; e^-x^2 adds x^2 roundings, so the tail's
relative error is x^2 eps.

Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23
(1969), 631-637: tables II and III, the entries of highest degree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kernels.array import Array

# Numerator and denominator of each quotient, the constant term first.
_A = (
    (
        3.20937758913846947e3,
        3.77485237685302021e2,
        1.13864154151050156e2,
        3.16112374387056560,
        1.85777706184603153e-1,
    ),
    (2.84423683343917062e3, 1.28261652607737228e3, 2.44024637934444173e2, 2.36012909523441209e1, 1.0),
)
_B = (
    (
        1.23033935479799725e3,
        2.05107837782607147e3,
        1.71204761263407058e3,
        8.81952221241769090e2,
        2.98635138197400131e2,
        6.61191906371416295e1,
        8.88314979438837594,
        5.64188496988670089e-1,
        2.15311535474403846e-8,
    ),
    (
        1.23033935480374942e3,
        3.43936767414372164e3,
        4.36261909014324716e3,
        3.29079923573345963e3,
        1.62138957456669019e3,
        5.37181101862009858e2,
        1.17693950891312499e2,
        1.57449261107098347e1,
        1.0,
    ),
)
_C = (
    (
        6.58749161529837803e-4,
        1.60837851487422766e-2,
        1.25781726111229246e-1,
        3.60344899949804439e-1,
        3.05326634961232344e-1,
        1.63153871373020978e-2,
    ),
    (
        2.33520497626869185e-3,
        6.05183413124413191e-2,
        5.27905102951428412e-1,
        1.87295284992346725,
        2.56852019228982242,
        1.0,
    ),
)


def erfc(x: Array) -> Array:
    """Return erfc(x) for a floating array of any shape; NaN stays NaN."""
    size = np.abs(x)
    near, far = size <= 0.46875, size > 4
    middle = ~(near | far)  # NaN too
    result = np.empty_like(size)
    result[near] = 1 - size[near] * _quotient(_A, size[near] ** 2)
    result[middle] = np.exp(-(size[middle] ** 2)) * _quotient(_B, size[middle])
    result[far] = _tail(size[far])
    return np.where(x < 0, 2 - result, result)


def _tail(x: Array) -> Array:
    inverse_square = 1 / x**2
    series = 1 / math.sqrt(math.pi) - inverse_square * _quotient(_C, inverse_square)
    tail: Array = np.exp(-(x**2)) / x * series
    return tail


def _quotient(coefficients: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    """P(x) / Q(x), each evaluated from its highest coefficient down (Horner)."""
    values = []
    for polynomial in coefficients:
        value = np.full_like(x, polynomial[-1])
        for coefficient in reversed(polynomial[:-1]):
            value = value * x + coefficient
        values.append(value)
    quotient: Array = values[0] / values[1]
    return quotient
