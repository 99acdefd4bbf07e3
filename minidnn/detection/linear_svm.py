"""A linear support vector machine that tells one class from all else.

It is written out here, not taken from a library: the detector then needs NumPy alone to learn, what it keeps
is a vector and a number, and the method fits on a page. Tests hold it to scikit-learn's. One class against
all else and the plain hinge are what R-CNN's authors use; `minidnn.training.linear_svm` tells several classes
from each other by the squared one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_floating, check_integer, check_number
from minidnn.random import generator


class LinearSVM(NamedTuple):
    """What was learnt: a margin is features @ weight + bias.

    Attributes:
        weight: (D,).
        bias: a number.
    """

    weight: Array
    bias: float

    def margins(self, features: Array) -> Array:
        """Return the margin (N,) of features (N, D): positive for the class, negative for all else."""
        margins: Array = features @ self.weight + self.bias
        return margins


def fit_linear_svm(
    features: Array,
    positive: Array,
    cost: float = 1.0,
    positive_weight: float = 1.0,
    bias_scale: float = 1.0,
    tolerance: float = 1e-3,
    most_passes: int = 1000,
) -> LinearSVM:
    """Return the machine with the least

        1/2 |w|^2 + 1/2 (b / s)^2 + sum_n c_n max(0, 1 - y_n (w x_n + b))

    y_n is 1 for positives and -1 for the others, c_n is `cost`, for positives times `positive_weight`, and s
    is `bias_scale`: b / s is the weight of a further feature that is s everywhere.

    The dual problem has a number a_n in [0, c_n] for each example, w = sum a_n y_n x_n, and a condition for
    each that can be met exactly while the others stay. Passes over all examples, in a random order, do so,
    until the violations lie within `tolerance` of each other. The solution is unique, so the order decides
    only about what the tolerance leaves open.

    Args:
        features: (N, D).
        positive: bool (N,); both kinds must occur.
        cost, positive_weight, bias_scale, tolerance: as above, positive.
        most_passes: over the examples.

    Raises:
        ValueError: another shape, examples of one kind only, a number that is not positive.
        TypeError: features that are not floating, labels that are not bool.

    Source: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate descent method for large-scale linear
    SVM", ICML 2008, algorithm 1 and section 2.
    """
    _check_examples(features, positive)
    for name, value in (
        ("cost", cost),
        ("positive_weight", positive_weight),
        ("bias_scale", bias_scale),
        ("tolerance", tolerance),
    ):
        if check_number(name, value) <= 0:
            raise ValueError(f"{name} must be positive, got {value}")
    check_integer("most_passes", most_passes, minimum=1)
    signs = np.where(positive, 1.0, -1.0)
    rows = np.column_stack((features.astype(np.float64), np.full(len(features), bias_scale)))
    rows *= signs[:, None]  # y x
    limits = np.where(positive, cost * positive_weight, cost)
    weight = _descend(rows, limits, tolerance, most_passes)
    return LinearSVM(weight[:-1].astype(features.dtype), float(weight[-1] * bias_scale))


def _check_examples(features: Array, positive: Array) -> None:
    check_floating(features=features)
    if features.ndim != 2:
        raise ValueError(f"features must have shape (N, D), got {tuple(features.shape)}")
    if positive.dtype != bool:
        raise TypeError(f"positive must be a bool array, got {positive.dtype}")
    if positive.shape != features.shape[:1]:
        raise ValueError(f"positive must have shape ({len(features)},), got {tuple(positive.shape)}")
    if positive.all() or not positive.any():
        raise ValueError(f"positive must be true for some and false for some, got {int(positive.sum())} true")


def _descend(rows: Array, limits: Array, tolerance: float, most_passes: int) -> Array:
    """The weights (D + 1,) for rows y x (N, D + 1) and upper limits (N,) of the dual numbers."""
    dual = [0.0] * len(rows)
    curvature = np.einsum("nd,nd->n", rows, rows).tolist()  # positive, because of the bias's feature
    tops = limits.tolist()
    weight = np.zeros(rows.shape[1])
    for _ in range(most_passes):
        worst_low, worst_high = 0.0, 0.0
        for n in generator().permutation(len(rows)).tolist():
            slope = float(rows[n] @ weight) - 1.0
            # At a limit only the slope back into the interval violates the condition.
            violation = min(slope, 0.0) if dual[n] == 0 else max(slope, 0.0) if dual[n] == tops[n] else slope
            worst_low, worst_high = min(worst_low, violation), max(worst_high, violation)
            if violation != 0:
                moved = min(max(dual[n] - slope / curvature[n], 0.0), tops[n])
                weight += (moved - dual[n]) * rows[n]
                dual[n] = moved
        if worst_high - worst_low <= tolerance:
            break
    return weight
