"""Cases of Tensor's operators: one expression that tensors of PyTorch and of minidnn understand alike.

Each is compared with PyTorch, forward and all gradients for random upstream gradients, in both dtypes and on
reversed memory; without torch its gradients are still held against central differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minidnn
from tests.kernels.sample import Draw
from tests.minidnn.case import compare, leaves, map_arrays, run_ours, tolerance


@dataclass(frozen=True)
class OperatorCase:
    """One expression.

    Attributes:
        label: the test's id.
        call: the expression, in words that both libraries have.
        inputs: draws its tensors (floating ones are differentiated).
        smooth: whether central differences see its gradient (not at ties, nor where it is infinite).
        reduction_length, constants: as for `tests.minidnn.case.Case`.
    """

    label: str
    call: Callable[..., Any]
    inputs: Callable[[Draw], Sequence[Any]]
    smooth: bool = True
    reduction_length: int | None = None
    constants: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.label


def on(label: str, call: Callable[..., Any], *shapes: tuple[int, ...], **options: Any) -> OperatorCase:
    """A case whose tensors are normally distributed."""
    return OperatorCase(label, call, lambda draw: [draw.normal(*shape) for shape in shapes], **options)


def positive(label: str, call: Callable[..., Any], *shapes: tuple[int, ...], **options: Any) -> OperatorCase:
    """A case whose tensors lie in [0.25, 2]."""
    return OperatorCase(
        label, call, lambda draw: [draw.uniform(*shape, low=0.25, high=2.0) for shape in shapes], **options
    )


def few(label: str, call: Callable[..., Any], *shapes: tuple[int, ...], **options: Any) -> OperatorCase:
    """A case whose tensors hold few values, zeros and equals among them: ties."""

    def inputs(draw: Draw) -> list[np.ndarray]:
        return [np.asarray(draw.integers(-2, 3, *shape) / 2, draw.dtype) for shape in shapes]

    return OperatorCase(label, call, inputs, smooth=False, **options)


def reversed_in_memory(array: np.ndarray) -> np.ndarray:
    return np.array(array[::-1], order="F")[::-1] if array.ndim else array


def check_against_torch(case: OperatorCase) -> None:
    torch_answers = pytest.importorskip(
        "tests.minidnn.torch_answers", reason="torch is not installed", exc_type=ImportError
    )
    want = torch_answers.answer(case.call, case, case.inputs(Draw(5, np.float64)))
    for dtype in (np.float64, np.float32):
        inputs = list(case.inputs(Draw(5, dtype)))
        for layout in (np.asarray, reversed_in_memory):
            got = run_ours(case.call, case, map_arrays(layout, inputs))
            compare(got, want, tolerance(case, inputs, dtype))
            floating = [output for output in got.outputs if output.dtype.kind == "f"]
            assert all(output.dtype == dtype for output in floating)


def check_gradients(case: OperatorCase) -> None:
    """Central differences; cases without a differentiable output have nothing to check."""
    inputs = [
        minidnn.Tensor(value, requires_grad=value.dtype.kind == "f" and i not in case.constants)
        for i, value in enumerate(case.inputs(Draw(6, np.float64)))
    ]
    outputs = leaves(case.call(*inputs), minidnn.Tensor)
    if any(output.requires_grad for output in outputs) and any(value.numel() for value in inputs):
        assert minidnn.gradcheck(case.call, inputs, seeds=(0,))
