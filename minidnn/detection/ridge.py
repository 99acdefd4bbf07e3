"""Linear regression with a penalty on large weights."""

from __future__ import annotations

import numpy as np

from kernels.array import Array, check_floating, check_number
from kernels.threads import matrix_product, solve


def ridge_regression(features: Array, targets: Array, penalty: float) -> Array:
    """Return the weights W (D, T) with the least |features W - targets|^2 + penalty |W|^2.

        W = (X^T X + penalty I)^-1 X^T Y = X^T (X X^T + penalty I)^-1 Y

    Of the two equations, of size D and N, the smaller is solved, in float64.

    Args:
        features: X (N, D).
        targets: Y (N, T).
        penalty: positive.

    Raises:
        ValueError: another shape, or a penalty that is not positive.
        TypeError: another dtype than float32 or float64, or mixed dtypes.

    Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic
    segmentation", 2014, appendix C, equation 5.
    """
    check_floating(features=features, targets=targets)
    if features.ndim != 2 or targets.ndim != 2 or len(features) != len(targets):
        raise ValueError(
            "features and targets must have shapes (N, D) and (N, T), "
            f"got {tuple(features.shape)} and {tuple(targets.shape)}"
        )
    if check_number("penalty", penalty) <= 0:
        raise ValueError(f"penalty must be positive, got {penalty}")
    x, y = features.astype(np.float64), targets.astype(np.float64)
    count, numbers = x.shape
    if numbers <= count:
        weights = solve(matrix_product(x.T, x) + penalty * np.eye(numbers), matrix_product(x.T, y))
    else:
        weights = matrix_product(x.T, solve(matrix_product(x, x.T) + penalty * np.eye(count), y))
    return weights.astype(features.dtype)
