"""Normalisation as layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kernels.array import check_flag, check_integer, check_number
from kernels.creation import full
from minidnn import init
from minidnn.functional.normalization import batch_norm, local_response_norm
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import Tensor, as_tensor


class _BatchNorm(Module):
    """What the batch normalisations of different ranks share: everything but the ranks they take.

    Args:
        num_features: channels C of the input.
        eps: added to the variance under the root.
        momentum: weight of a batch in the running statistics; None keeps the plain average of all batches.
        affine: whether to learn a weight and a bias per channel.
        track_running_stats: whether to keep running statistics; without them every mode uses the batch's.
        bias: with affine: whether to learn a bias too.

    Attributes:
        weight, bias: (C,), at first ones and zeros, or None.
        running_mean, running_var: (C,) buffers, at first zeros and ones, or None.
        num_batches_tracked: int64 buffer of shape (), or None.

    Raises:
        ValueError: num_features below 1 or eps not above 0; on call, another rank or another C.
        TypeError: num_features is not an integer, or eps or momentum not a number.
    """

    ranks: ClassVar[tuple[int, ...]]

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = check_integer("num_features", num_features, minimum=1)
        if check_number("eps", eps) <= 0:
            raise ValueError(f"eps must be above 0, got {eps}")
        self.eps = eps
        self.momentum = None if momentum is None else check_number("momentum", momentum)
        self.affine = check_flag("affine", affine)
        self.track_running_stats = check_flag("track_running_stats", track_running_stats)
        self.register_parameter("weight", self._channels() if affine else None)
        self.register_parameter("bias", self._channels() if check_flag("bias", bias) and affine else None)
        self.register_buffer("running_mean", self._channels().detach() if track_running_stats else None)
        self.register_buffer("running_var", self._channels().detach() if track_running_stats else None)
        self.register_buffer(
            "num_batches_tracked", Tensor(full((), 0, np.int64)) if track_running_stats else None
        )
        self.reset_parameters()

    def _channels(self) -> Parameter:
        return Parameter(full((self.num_features,), 0, np.float32))

    def reset_running_stats(self) -> None:
        """Forget all batches: mean 0, variance 1, none counted."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                init.constant_(buffer, value)

    def reset_parameters(self) -> None:
        """Forget all batches and all training: weight 1, bias 0."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                init.constant_(parameter, value)

    def forward(self, x: Any) -> Tensor:
        """Normalise (N, C, *spatial); in training, also count the batch and move the running statistics."""
        x = as_tensor(x)
        self._check_input(x.shape)
        moves = self.training and self.track_running_stats
        reads = not self.training or self.track_running_stats
        y = batch_norm(
            x,
            self.running_mean if reads else None,
            self.running_var if reads else None,
            self.weight,
            self.bias,
            training=self.training or self.running_mean is None,
            momentum=self._averaging_weight() if moves else 0.0,
            eps=self.eps,
        )
        if moves and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return y

    def _names_added_after(self, version: Any) -> tuple[str, ...]:
        """Version 2 began to count batches."""
        counts = type(version) is int and version >= 2
        return () if counts else ("num_batches_tracked",)

    def _averaging_weight(self) -> float:
        """The momentum; for a plain average 1 / (batches seen with this one)."""
        if self.momentum is not None:
            return self.momentum
        seen = 0 if self.num_batches_tracked is None else int(self.num_batches_tracked.item())
        return 1 / (seen + 1)

    def _check_input(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in self.ranks:
            ranks = " or ".join(map(str, self.ranks))
            raise ValueError(f"x must have {ranks} dimensions for {type(self).__name__}, got shape {shape}")
        if shape[1] != self.num_features:
            raise ValueError(f"x must have num_features={self.num_features} channels, got shape {shape}")

    def extra_repr(self) -> str:
        """All arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see `minidnn.functional.batch_norm` for the formula.

    Arguments, attributes and errors: see `_BatchNorm`.
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W); see `minidnn.functional.batch_norm` for the formula.

    Arguments, attributes and errors: see `_BatchNorm`.
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see `minidnn.functional.batch_norm` for the formula.

    Arguments, attributes and errors: see `_BatchNorm`.
    """

    ranks = (5,)


class LocalResponseNorm(Module):
    """Local response normalisation across channels; see `minidnn.functional.local_response_norm`.

    Shapes: input (N, C, *spatial) of 3 or more dimensions; output the same.

    Args:
        size: width of the neighbourhood in channels.
        alpha: weight of the mean square.
        beta: exponent.
        k: additive constant.

    Raises:
        ValueError: size below 1.
        TypeError: a size that is not an integer, or another argument that is not a number.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = check_integer("size", size, minimum=1)
        self.alpha = check_number("alpha", alpha)
        self.beta = check_number("beta", beta)
        self.k = check_number("k", k)

    def forward(self, x: Any) -> Tensor:
        """Normalise (N, C, *spatial)."""
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """All arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
