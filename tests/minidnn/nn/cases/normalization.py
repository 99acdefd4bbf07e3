"""Cases of the normalisation layers."""

from __future__ import annotations

from typing import Any

from tests.minidnn.case import ModuleCase


def batch_norm(rank: int, label: str, *shape: int, training: bool = True, **keywords: Any) -> ModuleCase:
    """One batch norm on an input of this shape, in training unless said otherwise."""
    return ModuleCase(
        f"BatchNorm{rank}d",
        label,
        (shape[1],),
        keywords,
        lambda draw: (draw.normal(*shape),),
        training=training,
    )


CASES = [
    batch_norm(1, "rank-2", 6, 3),
    batch_norm(1, "rank-3", 4, 3, 5),
    batch_norm(2, "plane", 3, 4, 5, 2),
    batch_norm(3, "volume", 2, 3, 2, 4, 3),
    batch_norm(2, "evaluation", 3, 4, 5, 2, training=False),
    batch_norm(1, "evaluation-one-sample", 1, 4, training=False),
    batch_norm(3, "evaluation", 2, 3, 2, 1, 3, training=False),
    batch_norm(2, "plain-average", 3, 4, 5, 2, momentum=None),
    batch_norm(2, "momentum-eps", 3, 4, 5, 2, momentum=0.6, eps=0.01),
    batch_norm(2, "no-affine", 3, 4, 5, 2, affine=False),
    batch_norm(2, "no-bias", 3, 4, 5, 2, bias=False),
    batch_norm(2, "no-running-statistics", 3, 4, 5, 2, track_running_stats=False),
    batch_norm(2, "no-running-statistics-evaluation", 3, 4, 5, 2, track_running_stats=False, training=False),
    batch_norm(2, "nothing", 3, 4, 5, 2, affine=False, track_running_stats=False),
    batch_norm(2, "empty-batch", 0, 4, 5, 2),
    ModuleCase("LocalResponseNorm", "default", (5,), {}, lambda draw: (draw.normal(2, 7, 4, 3),)),
    ModuleCase(
        "LocalResponseNorm",
        "paper",
        (5,),
        {"alpha": 5e-4, "beta": 0.75, "k": 2.0},
        lambda draw: (draw.normal(2, 7, 4, 3),),
    ),
    ModuleCase("LocalResponseNorm", "even", (4, 2.0, 0.5), {}, lambda draw: (draw.normal(2, 7, 4),)),
]
