"""Local response normalisation across channels: the contracts of its forward and backward pass."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_number, check_shape
from kernels.registry import dispatch

__all__ = ["local_response_norm_backward", "local_response_norm_forward"]


def local_response_norm_forward(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Divide each value by a power of the mean square of its neighbours in other channels.

        scale[n, c] = k + alpha / size * sum over c' in [c - size // 2, c + (size - 1) // 2] of x[n, c']^2
        y = x scale^-beta

    at every position of the plane by itself. Channels outside the input count as zeros, and the mean is
    always over `size` terms; so alpha is PyTorch's, `size` times the paper's.

    Shapes: x (N, C, *spatial) of 3 or more dimensions; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: an even size reaches one channel further down than up. The window may be wider than C. Any
        axis may be empty. A scale of 0 (k = 0 among zeros) gives NaN, a negative one NaN for most beta.

    Raises:
        ValueError: fewer than 3 dimensions, or size below 1.
        TypeError: another dtype, or a size that is not an integer.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks", NIPS 2012, section 3.3.
    """
    check_floating(analytic=True, x=x)
    _check(x, size, alpha, beta, k)
    return dispatch(local_response_norm_forward, x, size, alpha, beta, k)


def local_response_norm_backward(
    grad_output: Array, x: Array, size: int, alpha: float, beta: float, k: float
) -> Array:
    """Return the gradient with respect to x.

        dx[c] = dy[c] scale[c]^-beta
                - 2 alpha beta / size x[c] sum of dy[c'] x[c'] scale[c']^(-beta - 1)

    over the c' in [c - (size - 1) // 2, c + size // 2]: the channels whose window holds c.

    Shapes: grad_output as x (N, C, *spatial); result as x.
    Dtypes: as `local_response_norm_forward`, the same for both.
    Edge contract: as `local_response_norm_forward`.

    Raises:
        ValueError, TypeError: as `local_response_norm_forward`.
    """
    check_floating(analytic=True, grad_output=grad_output, x=x)
    _check(x, size, alpha, beta, k)
    check_shape("grad_output", grad_output, x.shape)
    return dispatch(local_response_norm_backward, grad_output, x, size, alpha, beta, k)


def _check(x: Array, size: int, alpha: float, beta: float, k: float) -> None:
    if x.ndim < 3:
        raise ValueError(f"x must have at least 3 dimensions (N, C, ...), got shape {x.shape}")
    check_integer("size", size, minimum=1)
    for name, value in (("alpha", alpha), ("beta", beta), ("k", k)):
        check_number(name, value)
