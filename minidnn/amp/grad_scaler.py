"""Dynamic loss scaling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import HALF, check_flag, check_integer, check_number
from minidnn.nn.utils.clip_grad import get_total_norm
from minidnn.optim.optimizer import Optimizer
from minidnn.tensor import Tensor

# Losses are float32: a scale beyond it would make every gradient infinite.
_LARGEST_SCALE = float(np.finfo(np.float32).max)
# Its reciprocal, by which gradients are unscaled, is still finite.
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


@dataclass
class _Progress:
    """How far an optimiser has come since the last update.

    Attributes:
        finite: whether all its gradients were when they were divided by the scale.
        has_stepped: whether `step` was called.
    """

    finite: bool
    has_stepped: bool = False


class GradScaler:
    """Scales the loss, so that gradients are no zeros in float16, and finds the scale by trying.

        scaled loss = scale * loss;   before the step   gradient /= scale

    A step whose gradients hold an infinity or NaN is left out, and the scale becomes smaller; after
    `growth_interval` steps in a row without such a thing it becomes larger:

        scale *= backoff_factor   after a step that was left out
        scale *= growth_factor    after growth_interval whole ones, as long as it stays within float32

    Several optimisers may share one: call `step` for each, then `update` once.

    Args:
        init_scale: the scale at the beginning, above 0.
        growth_factor: above 1.
        backoff_factor: in (0, 1).
        growth_interval: at least 1.
        enabled: False makes every method pass its argument on: the same program in float32.

    Raises:
        ValueError, TypeError: a number out of its range, or no number.

    Source: PyTorch's definition, torch.amp.GradScaler (which takes a device as well; here the gradients say
        where they lie); Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2.
    """

    def __init__(
        self,
        *,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = check_flag("enabled", enabled)
        self._scale = _positive("init_scale", init_scale)
        self._growth_factor = check_number("growth_factor", growth_factor)
        if growth_factor <= 1:
            raise ValueError(f"growth_factor must be above 1, got {growth_factor}")
        self._backoff_factor = check_number("backoff_factor", _positive("backoff_factor", backoff_factor))
        if backoff_factor >= 1:
            raise ValueError(f"backoff_factor must be below 1, got {backoff_factor}")
        self._growth_interval = check_integer("growth_interval", growth_interval, minimum=1)
        self._growth_tracker = 0  # steps in a row with finite gradients
        self._progress: dict[Optimizer, _Progress] = {}

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def get_scale(self) -> float:
        """Return the scale, 1 if it is not enabled."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Tensor) -> Tensor:
        """Return the loss multiplied by the scale; call its `backward`."""
        return outputs * self._scale if self._enabled else outputs

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimiser's parameters by the scale, in place.

        `step` does so itself; call it before to clip them or to look at them.

        Raises:
            ValueError: it was called already since the last `update`, or `step` was; no gradients.
            TypeError: gradients in float16: parameters stay float32.
        """
        if not self._enabled:
            return
        if optimizer in self._progress:
            raise ValueError("unscale_ was already called for this optimizer since the last update")
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if not gradients:
            raise ValueError("optimizer must have parameters with gradients, got none; call backward first")
        if any(gradient.dtype == HALF for gradient in gradients):
            raise TypeError("gradients must be float32 or float64, got float16; keep parameters in float32")
        # One number for all, so that one value is fetched from the device.
        largest = get_total_norm(gradients, math.inf).item()
        for gradient in gradients:
            gradient.mul_(1 / self._scale)
        self._progress[optimizer] = _Progress(finite=math.isfinite(largest))

    def step(self, optimizer: Optimizer) -> Any:
        """Let the optimiser take its step if all gradients are finite; its result, None if it was left out.

        Raises:
            ValueError: it was called already since the last `update`; no gradients.
            TypeError: as `unscale_`.
        """
        if not self._enabled:
            return optimizer.step()
        if optimizer not in self._progress:
            self.unscale_(optimizer)
        progress = self._progress[optimizer]
        if progress.has_stepped:
            raise ValueError("step was already called for this optimizer since the last update")
        progress.has_stepped = True
        return optimizer.step() if progress.finite else None

    def update(self, new_scale: float | None = None) -> None:
        """Make the scale larger or smaller, as the steps since the last call ask for.

        Args:
            new_scale: take this one instead.

        Raises:
            ValueError: no optimiser has come here since the last call, or a scale that is not above 0.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = _positive("new_scale", new_scale)
        elif not self._progress:
            raise ValueError("update needs a step (or unscale_) of an optimizer since the last update")
        else:
            self._adjust(all(progress.finite for progress in self._progress.values()))
        self._progress.clear()

    def _adjust(self, finite: bool) -> None:
        if not finite:
            self._scale = max(self._scale * self._backoff_factor, _SMALLEST_SCALE)
            self._growth_tracker = 0
            return
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            grown = self._scale * self._growth_factor
            self._scale = grown if grown <= _LARGEST_SCALE else self._scale
            self._growth_tracker = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and how it changes, {} if it is not enabled; call it after `update`."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Raises:
            ValueError: an entry is missing.
        """
        if not self._enabled:
            return
        missing = [name for name in self.state_dict() if name not in state_dict]
        if missing:
            raise ValueError(f"state_dict must have {', '.join(missing)}; was it saved by a disabled scaler?")
        self._scale = float(state_dict["scale"])
        self._growth_factor = float(state_dict["growth_factor"])
        self._backoff_factor = float(state_dict["backoff_factor"])
        self._growth_interval = int(state_dict["growth_interval"])
        self._growth_tracker = int(state_dict["_growth_tracker"])


def _positive(name: str, value: float) -> float:
    if check_number(name, value) <= 0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return float(value)
