"""Cases of batch normalisation and local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.kernels.sample import Draw
from tests.minidnn.case import Case


def batch_norm(
    label: str,
    *shape: int,
    running: bool = True,
    affine: Sequence[bool] = (True, True),
    **keywords: Any,
) -> Case:
    """x (shifted and scaled by channel), running statistics, weight, bias."""
    channels = shape[1]

    def inputs(draw: Draw) -> Sequence[Any]:
        x = draw.normal(*shape)
        mean = draw.normal(channels) if running else None
        var = draw.uniform(channels, low=0.5, high=2.0) if running else None
        weight, bias = (draw.normal(channels) if present else None for present in affine)
        return x, mean, var, weight, bias

    return Case("batch_norm", label, inputs, keywords, constants=(1, 2))


CASES = [
    batch_norm("training-rank-2", 6, 3, training=True),
    batch_norm("training-rank-3", 4, 3, 5, training=True),
    batch_norm("training-rank-4", 3, 4, 5, 2, training=True),
    batch_norm("training-rank-5", 2, 3, 2, 4, 3, training=True),
    batch_norm("training-no-running", 3, 4, 5, 2, training=True, running=False),
    batch_norm("training-no-affine", 3, 4, 5, training=True, affine=(False, False)),
    batch_norm("training-weight-only", 3, 4, 5, training=True, affine=(True, False)),
    batch_norm("training-bias-only", 3, 4, 5, training=True, affine=(False, True)),
    batch_norm("training-momentum-eps", 3, 2, 5, 4, training=True, momentum=0.7, eps=0.1),
    batch_norm("training-one-sample", 1, 3, 4, 5, training=True),
    batch_norm("training-one-channel", 5, 1, 4, training=True),
    batch_norm("training-empty-batch", 0, 3, 4, training=True),
    batch_norm("inference-rank-2", 6, 3),
    batch_norm("inference-rank-3", 4, 3, 5, training=False),
    batch_norm("inference-rank-4", 3, 4, 5, 2, eps=0.01),
    batch_norm("inference-rank-5", 2, 3, 2, 4, 3),
    batch_norm("inference-one-value", 1, 3, 1, 1),
    batch_norm("inference-no-affine", 3, 4, 5, affine=(False, False)),
    batch_norm("inference-bias-only", 3, 4, 5, affine=(False, True)),
    batch_norm("inference-empty-batch", 0, 3, 4),
    Case("local_response_norm", "default", lambda draw: (draw.normal(2, 7, 4, 3), 5)),
    Case(
        "local_response_norm",
        "paper",
        lambda draw: (draw.normal(2, 7, 4, 3), 5),
        {"alpha": 5e-4, "beta": 0.75, "k": 2.0},
    ),
    Case("local_response_norm", "even", lambda draw: (draw.normal(2, 5, 6), 4), {"alpha": 2.0, "beta": 0.5}),
    Case("local_response_norm", "wide", lambda draw: (draw.normal(2, 3, 2, 4), 9), {"alpha": 1.5, "k": 0.5}),
    Case("local_response_norm", "size-1", lambda draw: (draw.normal(2, 3, 4), 1), {"alpha": 1.0}),
    Case(
        "local_response_norm", "rank-5", lambda draw: (draw.normal(1, 4, 2, 3, 2),), {"size": 3, "alpha": 1}
    ),
    Case("local_response_norm", "rank-6", lambda draw: (draw.normal(1, 4, 2, 1, 2, 3), 3), {"alpha": 1}),
    Case("local_response_norm", "one-channel", lambda draw: (draw.normal(2, 1, 3), 3), {"alpha": 1.0}),
    Case("local_response_norm", "empty-batch", lambda draw: (draw.normal(0, 4, 3), 3)),
]
