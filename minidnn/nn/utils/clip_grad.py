"""Gradient clipping: a step that one batch made too long is shortened before the optimiser takes it.

Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
section 3.2, for the norm; names and the small number under the fraction are PyTorch's (`torch.nn.utils`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from kernels.array import check_flag, check_number
from minidnn.functional.shape import stack
from minidnn.modes import no_grad
from minidnn.tensor import Tensor

_SMALL = 1e-6  # keeps the fraction finite where all gradients are 0


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of all tensors' elements, taken as one long vector.

        norm = (sum over tensors and elements of |x|^p)^(1/p),   p = norm_type

    Shapes: any; the result is (), 0 where there are no tensors.

    Args:
        tensors: one or several, floating.
        norm_type: p: 1, 2 or infinity.
        error_if_nonfinite: refuse a norm that is infinite or NaN.

    Raises:
        ValueError: another p, or a norm that is refused.
        TypeError: something that is no floating tensor.
    """
    members = _tensors("tensors", tensors)
    power = _norm_type(norm_type)
    with no_grad():
        norms = [tensor.norm(power) for tensor in members]
        total = stack(norms).norm(power) if norms else Tensor(0.0)
    if check_flag("error_if_nonfinite", error_if_nonfinite) and not math.isfinite(total.item()):
        raise ValueError(
            f"the total norm of order {norm_type} must be finite, got {total.item()}; "
            "clip without error_if_nonfinite, or look for the layer with anomaly_mode"
        )
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients in place by one factor, so that their total norm is at most `max_norm`.

        grad *= min(1, max_norm / (norm + 1e-6)),   norm = get_total_norm of the gradients

    Args:
        parameters: one or several; those without a gradient are passed over.
        max_norm: the largest norm that is left, at least 0.
        norm_type, error_if_nonfinite: see `get_total_norm`.

    Returns:
        The norm before clipping, shape ().

    Raises:
        ValueError, TypeError: as `get_total_norm`, or a negative `max_norm`.
    """
    gradients = _gradients(parameters)
    check_number("max_norm", max_norm, minimum=0)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    factor = max_norm / (total.item() + _SMALL)
    if not factor >= 1:  # a norm of NaN spreads, as it would in the product
        for gradient in gradients:
            gradient.mul_(factor)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip every element of every gradient to [-clip_value, clip_value], in place.

    Raises:
        ValueError: a negative `clip_value`.
        TypeError: something that is no tensor.
    """
    gradients = _gradients(parameters)
    limit = check_number("clip_value", clip_value, minimum=0)
    for gradient in gradients:
        gradient.clamp_(-limit, limit)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensor.grad for tensor in _tensors("parameters", parameters) if tensor.grad is not None]


def _tensors(name: str, given: Tensor | Iterable[Tensor]) -> list[Tensor]:
    tensors = [given] if isinstance(given, Tensor) else list(given)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must hold tensors, got {type(tensor).__name__}")
    return tensors


def _norm_type(value: float) -> float:
    if value not in (1, 2, math.inf):
        raise ValueError(f"norm_type must be 1, 2 or infinity, got {value!r}")
    return float(value)
