"""One update of one parameter by SGD, Adam, AdamW or RMSProp: the contracts. They write in place by name."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_number, check_shape
from kernels.registry import dispatch

__all__ = ["adam_step", "adamw_step", "rmsprop_step", "sgd_step"]


def sgd_step(
    parameter: Array,
    gradient: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
) -> None:
    """Write one step of stochastic gradient descent into `parameter` and `momentum_buffer`.

        g = gradient + weight_decay * parameter
        b = g                                       on the first step,
            momentum * b + (1 - dampening) * g      afterwards
        d = g (momentum 0),  b (classical)  or  g + momentum * b (nesterov)
        parameter -= lr * d

    Shapes: parameter, gradient and momentum_buffer are equal, of any rank.
    Dtypes: float32 or float64, the same for all.
    Edge contract: writes `parameter` and `momentum_buffer` in place, which must not share memory with each
        other or with `gradient`; momentum_buffer is None exactly when momentum is 0. What it holds before
        the first step is not read. Empty arrays are left empty.

    Raises:
        ValueError: shapes that differ, a read-only destination, a negative or infinite coefficient, a
            missing or needless momentum_buffer, or nesterov without momentum or with dampening.
        TypeError: another dtype, mixed dtypes, or a coefficient that is not a number.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964), and Sutskever
    et al., "On the importance of initialization and momentum in deep learning", ICML 2013, section 2, in the
    form where lr multiplies the whole buffer.
    """
    _check_arrays(parameter, gradient, momentum_buffer=momentum_buffer)
    check_number("lr", lr, minimum=0)
    check_number("dampening", dampening)
    check_number("weight_decay", weight_decay, minimum=0)
    _check_momentum(momentum, momentum_buffer)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"nesterov needs a momentum above 0 and a dampening of 0, got {momentum} and {dampening}"
        )
    dispatch(
        sgd_step,
        parameter,
        gradient,
        momentum_buffer,
        lr,
        momentum,
        dampening,
        weight_decay,
        nesterov,
        first,
    )


def adam_step(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Write one step of Adam into `parameter`, `exp_avg`, `exp_avg_sq` and `max_exp_avg_sq`.

        g = gradient + weight_decay * parameter
        m = beta1 * m + (1 - beta1) * g                      (exp_avg)
        v = beta2 * v + (1 - beta2) * g^2                    (exp_avg_sq)
        u = v,  or with max_exp_avg_sq (AMSGrad)  u = max(u, v)
        parameter -= lr / (1 - beta1^t) * m / (sqrt(u / (1 - beta2^t)) + eps),   t = step

    Shapes: all arrays are equal, of any rank.
    Dtypes: float32 or float64, the same for all.
    Edge contract: writes all arrays but `gradient` in place, which must not share memory; step counts from
        1, and before it the averages are zero. max_exp_avg_sq is None for Adam without AMSGrad. Empty
        arrays are left empty.

    Raises:
        ValueError: shapes that differ, a read-only destination, step below 1, a negative or infinite
            coefficient, or a beta outside [0, 1).
        TypeError: another dtype, mixed dtypes, a coefficient that is not a number, a step that is no integer.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; AMSGrad from
    Reddi et al., "On the convergence of Adam and beyond", ICLR 2018, algorithm 2.
    """
    _check_adam(parameter, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps)
    check_number("weight_decay", weight_decay, minimum=0)
    dispatch(
        adam_step,
        parameter,
        gradient,
        exp_avg,
        exp_avg_sq,
        max_exp_avg_sq,
        step,
        lr,
        beta1,
        beta2,
        eps,
        weight_decay,
    )


def adamw_step(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Write one step of AdamW, which decays the weights beside Adam's step instead of through the gradient.

        parameter -= lr * weight_decay * parameter
        then `adam_step` with weight_decay 0

    Shapes: all arrays are equal, of any rank.
    Dtypes: float32 or float64, the same for all.
    Edge contract: as `adam_step`.

    Raises:
        ValueError, TypeError: as `adam_step`.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """
    _check_adam(parameter, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps)
    check_number("weight_decay", weight_decay, minimum=0)
    dispatch(
        adamw_step,
        parameter,
        gradient,
        exp_avg,
        exp_avg_sq,
        max_exp_avg_sq,
        step,
        lr,
        beta1,
        beta2,
        eps,
        weight_decay,
    )


def rmsprop_step(
    parameter: Array,
    gradient: Array,
    square_avg: Array,
    grad_avg: Array | None,
    momentum_buffer: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """Write one step of RMSProp into `parameter` and the averages that are given.

        g = gradient + weight_decay * parameter
        v = alpha * v + (1 - alpha) * g^2                            (square_avg)
        a = alpha * a + (1 - alpha) * g                              (grad_avg, the centered form)
        d = g / (sqrt(v) + eps)   or centered   g / (sqrt(max(v - a^2, 0)) + eps)
        b = momentum * b + d                                         (momentum_buffer)
        parameter -= lr * d       or with momentum   lr * b

    Shapes: all arrays are equal, of any rank.
    Dtypes: float32 or float64, the same for all.
    Edge contract: writes all arrays but `gradient` in place, which must not share memory; before the first
        step the averages and the buffer are zero. grad_avg is None for the uncentered form, momentum_buffer
        exactly when momentum is 0. Where rounding makes v - a^2 negative it counts as 0 (PyTorch's update
        becomes NaN there). Empty arrays are left empty.

    Raises:
        ValueError: shapes that differ, a read-only destination, a negative or infinite coefficient, or a
            missing or needless momentum_buffer.
        TypeError: another dtype, mixed dtypes, or a coefficient that is not a number.

    Source: Hinton, "Neural networks for machine learning", lecture 6e (2012); the centered form from Graves,
    "Generating sequences with recurrent neural networks" (2013), equations 38-41.
    """
    _check_arrays(
        parameter, gradient, square_avg=square_avg, grad_avg=grad_avg, momentum_buffer=momentum_buffer
    )
    check_number("lr", lr, minimum=0)
    check_number("alpha", alpha, minimum=0)
    check_number("eps", eps, minimum=0)
    check_number("weight_decay", weight_decay, minimum=0)
    _check_momentum(momentum, momentum_buffer)
    dispatch(
        rmsprop_step,
        parameter,
        gradient,
        square_avg,
        grad_avg,
        momentum_buffer,
        lr,
        alpha,
        eps,
        weight_decay,
        momentum,
    )


def _check_arrays(parameter: Array, gradient: Array, **written: Array | None) -> None:
    check_floating(analytic=False, parameter=parameter, gradient=gradient, **written)
    check_shape("gradient", gradient, parameter.shape)
    for name, array in {"parameter": parameter, **written}.items():
        if array is not None:
            check_shape(name, array, parameter.shape)
            if not getattr(array.flags, "writeable", True):  # CuPy's flags know no read-only arrays
                raise ValueError(f"{name} must be writeable, it is written in place; got a read-only array")


def _check_momentum(momentum: float, momentum_buffer: Array | None) -> None:
    check_number("momentum", momentum, minimum=0)
    if (momentum_buffer is None) != (momentum == 0):
        given = "None" if momentum_buffer is None else "an array"
        raise ValueError(
            f"momentum_buffer must be None exactly when momentum is 0, got {given} with momentum {momentum}"
        )


def _check_adam(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    _check_arrays(parameter, gradient, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq, max_exp_avg_sq=max_exp_avg_sq)
    check_integer("step", step, minimum=1)
    check_number("lr", lr, minimum=0)
    check_number("beta1", beta1, minimum=0, below=1)
    check_number("beta2", beta2, minimum=0, below=1)
    check_number("eps", eps, minimum=0)
