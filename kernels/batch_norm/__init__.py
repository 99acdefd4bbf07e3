"""Batch normalisation: the contracts of training (statistics of the batch) and of inference (running ones).

Per channel c, over its m = N * (product of the spatial sizes) values:

    mean[c] = sum x / m          var[c] = sum (x - mean[c])^2 / m        (biased)
    inverse_std[c] = 1 / sqrt(var[c] + eps)
    normalised = (x - mean[c]) inverse_std[c]
    y = normalised weight[c] + bias[c]

Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015: algorithm 1 and the gradients after it (training), algorithm 2 (inference).
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_number, check_rank, check_shape
from kernels.prepared import check_activation
from kernels.registry import dispatch

__all__ = [
    "batch_norm_backward_inference",
    "batch_norm_backward_training",
    "batch_norm_forward_inference",
    "batch_norm_forward_inference_activated",
    "batch_norm_forward_training",
]


def batch_norm_forward_training(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Normalise each channel by the statistics of this batch; return (y, mean, inverse_std).

    `running_mean` and `running_var` are written in place:

        running_mean <- (1 - momentum) running_mean + momentum mean
        running_var  <- (1 - momentum) running_var  + momentum var m / (m - 1)        (unbiased)

    Shapes: x (N, C, *spatial) of 2 to 5 dimensions; weight (None: ones), bias (None: zeros), running_mean and
        running_var (both or neither) (C,); results x's shape, (C,), (C,).
    Dtypes: float32, float64 or complex128, the same for all and the results; sums are accumulated in float64.
    Edge contract: two passes, the mean before the variance, so a large mean costs no digits. One value per
        channel has no variance and is refused; with none (an empty batch or plane) y is empty, mean is 0,
        inverse_std is 1 / sqrt(eps), and the running statistics stay as they are. C = 0 is refused.

    Raises:
        ValueError: a rank or shape other than above, m = 1, eps not above 0, or one running statistic alone.
        TypeError: another dtype, or mixed dtypes.
    """
    check_floating(
        analytic=True, x=x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var
    )
    _check_channels(x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    if (running_mean is None) != (running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ValueError(f"running_mean and running_var must be given together, got {missing} None")
    if x.size == x.shape[1]:
        raise ValueError(f"x must have more than one value per channel in training, got shape {x.shape}")
    check_number("momentum", momentum)
    _check_eps(eps)
    return dispatch(batch_norm_forward_training, x, weight, bias, running_mean, running_var, momentum, eps)


def batch_norm_backward_training(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """Return (grad_x, grad_weight, grad_bias); mean and variance depend on x too.

        grad_bias[c] = sum dy           grad_weight[c] = sum dy normalised
        grad_x = weight inverse_std (dy - grad_bias / m - normalised grad_weight / m)

    Shapes: grad_output as x (N, C, *spatial); weight (or None), mean and inverse_std (C,), as the forward
        returned them; results x's shape, (C,), (C,).
    Dtypes: as `batch_norm_forward_training`.
    Edge contract: with no values the gradients of weight and bias are zero.

    Raises:
        ValueError, TypeError: as `batch_norm_forward_training`.
    """
    check_floating(
        analytic=True, grad_output=grad_output, x=x, weight=weight, mean=mean, inverse_std=inverse_std
    )
    _check_channels(x, weight=weight, mean=mean, inverse_std=inverse_std)
    check_shape("grad_output", grad_output, x.shape)
    return dispatch(batch_norm_backward_training, grad_output, x, weight, mean, inverse_std)


def batch_norm_forward_inference(
    x: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, eps: float
) -> Array:
    """Normalise each channel by its running statistics.

        y = (x - running_mean[c]) / sqrt(running_var[c] + eps) weight[c] + bias[c]

    Shapes: x (N, C, *spatial) of 2 to 5 dimensions; weight (None: ones), bias (None: zeros), running_mean and
        running_var (C,); result as x.
    Dtypes: float32, float64 or complex128, the same for all; the result's too.
    Edge contract: any number of values per channel, none included. C = 0 is refused.

    Raises:
        ValueError: a rank or shape other than above, or eps not above 0.
        TypeError: another dtype, or mixed dtypes.
    """
    check_floating(
        analytic=True, x=x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var
    )
    _check_channels(x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    _check_eps(eps)
    return dispatch(batch_norm_forward_inference, x, weight, bias, running_mean, running_var, eps)


def batch_norm_forward_inference_activated(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    eps: float,
    activation: str,
) -> Array:
    """Return the activation of each channel normalised by its running statistics.

        y = f(batch_norm_forward_inference(x, weight, bias, running_mean, running_var, eps)), f the activation

    Shapes: as `batch_norm_forward_inference`.
    Dtypes: float32 or float64, the same for all; the result's too.
    Edge contract: as `batch_norm_forward_inference` and the activation, a name out of
        `kernels.prepared.ACTIVATIONS`.

    Raises:
        ValueError, TypeError: as `batch_norm_forward_inference`; an unknown activation, or None.
    """
    check_floating(x=x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    _check_channels(x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    _check_eps(eps)
    check_activation(activation)
    if activation is None:
        raise ValueError("activation must be a name, got None; batch_norm_forward_inference does without")
    return dispatch(
        batch_norm_forward_inference_activated,
        *(x, weight, bias, running_mean, running_var, eps, activation),
    )


def batch_norm_backward_inference(
    grad_output: Array, x: Array, weight: Array | None, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return (grad_x, grad_weight, grad_bias); the running statistics are constants.

        grad_x = dy weight[c] inverse_std[c]     grad_weight[c] = sum dy normalised     grad_bias[c] = sum dy

    Shapes: grad_output as x (N, C, *spatial); weight (or None) and the statistics (C,); results x's shape,
        (C,), (C,).
    Dtypes: as `batch_norm_forward_inference`. Sums are accumulated in float64.
    Edge contract: with no values the gradients of weight and bias are zero.

    Raises:
        ValueError, TypeError: as `batch_norm_forward_inference`.
    """
    check_floating(
        analytic=True,
        grad_output=grad_output,
        x=x,
        weight=weight,
        running_mean=running_mean,
        running_var=running_var,
    )
    _check_channels(x, weight=weight, running_mean=running_mean, running_var=running_var)
    check_shape("grad_output", grad_output, x.shape)
    _check_eps(eps)
    return dispatch(batch_norm_backward_inference, grad_output, x, weight, running_mean, running_var, eps)


def _check_channels(x: Array, **per_channel: Array | None) -> None:
    """Require x (N, C >= 1, *spatial) and one value per channel in every other array."""
    check_rank("x", x, 2, 3, 4, 5)
    if x.shape[1] == 0:
        raise ValueError(f"x must have at least one channel, got shape {x.shape}")
    channels = x.shape[1:2]
    for name, array in per_channel.items():
        if array is not None and array.shape != channels:
            check_shape(name, array, channels)


def _check_eps(eps: float) -> None:
    if check_number("eps", eps) <= 0:
        raise ValueError(f"eps must be above 0, got {eps}")
