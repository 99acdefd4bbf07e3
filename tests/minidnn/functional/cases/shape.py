"""Cases of joining, splitting, choosing and reshaping."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.minidnn.case import Case


def joined(function: str, label: str, *shapes: tuple[int, ...], **keywords: Any) -> Case:
    """A function of a list of tensors."""
    return Case(
        function,
        label,
        lambda draw: ([draw.normal(*s) for s in shapes],),
        keywords,
        torch=f"torch.{function}",
    )


def on(
    function: str, label: str, *shapes: tuple[int, ...], extra: tuple[Any, ...] = (), **keywords: Any
) -> Case:
    """A function of tensors and further plain arguments."""
    return Case(
        function,
        label,
        lambda draw: (*(draw.normal(*s) for s in shapes), *extra),
        keywords,
        torch=f"torch.{function}",
    )


MASK = np.arange(6).reshape(2, 3) % 3 == 0

CASES = [
    joined("cat", "first", (2, 3), (1, 3), (4, 3)),
    joined("cat", "channels", (2, 1, 3, 2), (2, 3, 3, 2), dim=1),
    joined("cat", "last", (2, 3), (2, 0), (2, 2), dim=-1),
    joined("cat", "one", (2, 3), dim=1),
    joined("cat", "empty-vectors", (0,), (2, 3), (0,), (2, 1), dim=-1),
    joined("cat", "empty-batch", (0, 2, 3), (0, 4, 3), dim=1),
    joined("stack", "first", (2, 3), (2, 3)),
    joined("stack", "between", (2, 3), (2, 3), (2, 3), dim=1),
    joined("stack", "last", (2, 3), (2, 3), dim=-1),
    joined("stack", "scalars", (), (), ()),
    on("split", "size", (5, 2), extra=(2,)),
    on("split", "sizes", (2, 6), extra=([1, 3, 2],), dim=-1),
    on("chunk", "uneven", (7, 2), extra=(3,)),
    on("chunk", "axis", (2, 5), extra=(2,), dim=1),
    Case("where", "same", lambda draw: (MASK, draw.normal(2, 3), draw.normal(2, 3)), torch="torch.where"),
    Case("where", "stretched", lambda draw: (MASK, draw.normal(2, 1), draw.normal(3)), torch="torch.where"),
    Case("where", "number", lambda draw: (MASK, draw.normal(2, 3), 2.5), torch="torch.where"),
    Case("where", "number-first", lambda draw: (MASK, -1, draw.normal(3)), torch="torch.where"),
    on("clamp", "both", (3, 4), min=-0.5, max=0.75),
    on("clamp", "positional", (3, 4), extra=(-0.25,)),
    on("clip", "high", (3, 4), max=0.25),
    on("flatten", "all", (2, 3, 2)),
    on("flatten", "from", (2, 3, 2, 2), start_dim=1),
    on("flatten", "between", (2, 3, 2, 2), extra=(1, 2)),
    on("matmul", "matrices", (3, 4), (4, 2)),
    on("matmul", "stacks", (5, 1, 3, 4), (2, 4, 2)),
    on("matmul", "vector", (5, 3, 4), (4,)),
    on("maximum", "stretched", (3, 4), (4,)),
    on("minimum", "stretched", (3, 1), (3, 4)),
]
