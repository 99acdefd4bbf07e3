"""Normalisation as functions: batch normalisation and local response normalisation."""

from __future__ import annotations

from typing import Any

from kernels.array import Array, check_flag, check_number
from kernels.batch_norm import (
    batch_norm_backward_inference,
    batch_norm_backward_training,
    batch_norm_forward_inference,
    batch_norm_forward_training,
)
from kernels.local_response_norm import local_response_norm_backward, local_response_norm_forward
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class BatchNormTraining(Function):
    """y = (x - mean) / sqrt(var + eps) weight + bias with the statistics of the batch, which depend on x.

    dx = weight / std (dy - sum(dy) / m - normalised sum(dy normalised) / m).
    """

    mean: Array
    inverse_std: Array

    def __init__(
        self, running_mean: Array | None, running_var: Array | None, momentum: float, eps: float
    ) -> None:
        self.running_mean = running_mean
        self.running_var = running_var
        self.momentum = momentum
        self.eps = eps

    def forward(self, x: Array, weight: Array | None, bias: Array | None) -> Array:
        """Normalise (N, C, *spatial), and move the running statistics."""
        self.save(x, weight)
        y, self.mean, self.inverse_std = batch_norm_forward_training(
            x, weight, bias, self.running_mean, self.running_var, self.momentum, self.eps
        )
        return y

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Both sums of the formula are the parameters' gradients."""
        x, weight = self.saved
        return _wanted(
            self, batch_norm_backward_training(grad_output, x, weight, self.mean, self.inverse_std)
        )


class BatchNormInference(Function):
    """y = (x - running_mean) / sqrt(running_var + eps) weight + bias; the statistics are constants."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(
        self,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        running_mean: Array,
        running_var: Array,
    ) -> Array:
        """Normalise (N, C, *spatial)."""
        self.save(x, weight, running_mean, running_var)
        return batch_norm_forward_inference(x, weight, bias, running_mean, running_var, self.eps)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """An affine map's gradients; none for the statistics."""
        x, weight, running_mean, running_var = self.saved
        gradients = batch_norm_backward_inference(grad_output, x, weight, running_mean, running_var, self.eps)
        return (*_wanted(self, gradients), None, None)


def _wanted(function: Function, gradients: tuple[Array, ...]) -> tuple[Array | None, ...]:
    """The gradients of x, weight and bias that are needed."""
    pairs = zip(gradients, function.needs, strict=False)
    return tuple(gradient if needed else None for gradient, needed in pairs)


class LocalResponseNorm(Function):
    """y = x (k + alpha * mean of neighbouring squares)^-beta; dx adds what passes through the neighbours."""

    def __init__(self, size: int, alpha: float, beta: float, k: float) -> None:
        self.numbers = (size, alpha, beta, k)

    def forward(self, x: Array) -> Array:
        """Normalise (N, C, *spatial) across C."""
        self.save(x)
        return local_response_norm_forward(x, *self.numbers)

    def backward(self, grad_output: Array) -> Array:
        """The direct path less the one through the scales."""
        (x,) = self.saved
        return local_response_norm_backward(grad_output, x, *self.numbers)


def _given(name: str, value: Any) -> Tensor | None:
    return value if value is None or isinstance(value, Tensor) else as_tensor(value, name=name)


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel to mean 0 and variance 1, then scale and shift it.

        y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]

    In training, mean and (biased) variance are the batch's, gradients flow through them, and the running
    statistics are written in place: running <- (1 - momentum) running + momentum statistic, with the
    unbiased variance. Otherwise the running statistics take their place.

    Shapes: x (N, C, *spatial) of 2 to 5 dimensions; the others (C,), each may be None; output as x.
    Dtypes: float32 or float64, the same for all.

    Raises:
        ValueError: another rank or shape, no running statistics outside training, only one of them in
            training, a single value per channel in training, or eps not above 0.
        TypeError: another dtype, or mixed dtypes.

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2.
    """
    x = as_tensor(x)
    mean, var = _given("running_mean", running_mean), _given("running_var", running_var)
    weight, bias = _given("weight", weight), _given("bias", bias)
    check_number("momentum", momentum)
    if not check_flag("training", training):
        for name, value in (("running_mean", mean), ("running_var", var)):
            if value is None:
                raise ValueError(f"{name} must be given unless training=True, got None")
        return apply(BatchNormInference(eps), x, weight, bias, mean, var)
    stored = [None if value is None else value.data for value in (mean, var)]
    y = apply(BatchNormTraining(stored[0], stored[1], momentum, eps), x, weight, bias)
    for value in (mean, var):
        if value is not None:
            value.mark_changed()
    return y


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide each value by a power of the mean square of its neighbours in `size` channels around it.

        y[c] = x[c] (k + alpha / size * sum of x[c']^2)^-beta,    c' in [c - size // 2, c + (size - 1) // 2]

    Shapes: x (N, C, *spatial) of 3 or more dimensions; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        size: width of the neighbourhood; channels that do not exist count as zeros.
        alpha: weight of the mean square (the paper's alpha times `size`).
        beta: exponent.
        k: additive constant.

    Raises:
        ValueError: fewer than 3 dimensions, or size below 1.
        TypeError: another dtype, or a size that is not an integer.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks", NIPS 2012, section 3.3.
    """
    return apply(LocalResponseNorm(size, alpha, beta, k), as_tensor(x))
