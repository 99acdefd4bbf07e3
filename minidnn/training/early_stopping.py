"""Early stopping: a run ends when held-out samples no longer gain, and its best weights are kept.

Source: Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998; the criterion
here is the simplest of those in use, a number of epochs without an improvement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernels.array import check_integer, check_number
from minidnn.nn.module import Module
from minidnn.tensor import Tensor
from minidnn.training.evaluation import EpochMetrics

# Which way each metric gets better.
_SIGNS = {"train_loss": -1, "test_loss": -1, "train_accuracy": 1, "test_accuracy": 1}


@dataclass
class EarlyStopping:
    """Watches one metric, keeps the weights of its best epoch, and says when to stop.

    Args:
        patience: after so many epochs without an improvement the run stops, at least 1.
        monitor: "test_loss", "test_accuracy", "train_loss" or "train_accuracy"; losses are to fall,
            accuracies to rise.
        min_delta: what counts as an improvement: better than the best so far by more than this.

    Attributes:
        best_epoch: the number of the best epoch so far (from 1), 0 before any.
        best: its metric, None before any.

    Raises:
        ValueError: a patience below 1, an unknown metric or a negative min_delta.
        TypeError: a number is wanted and something else given.
    """

    patience: int = 5
    monitor: str = "test_loss"
    min_delta: float = 0.0
    best_epoch: int = field(default=0, init=False)
    best: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_integer("patience", self.patience, minimum=1)
        check_number("min_delta", self.min_delta, minimum=0)
        if self.monitor not in _SIGNS:
            raise ValueError(f"monitor must be one of {', '.join(_SIGNS)}, got {self.monitor!r}")
        self._last_epoch = 0
        self._weights: dict[str, Tensor] = {}

    def observe(self, metrics: EpochMetrics, model: Module) -> None:
        """Take note of an epoch; if it is the best, keep a copy of the model's weights and buffers."""
        value = float(getattr(metrics, self.monitor))
        self._last_epoch = metrics.epoch
        gain = None if self.best is None else _SIGNS[self.monitor] * (value - self.best)
        if gain is None or gain > self.min_delta:
            self.best, self.best_epoch = value, metrics.epoch
            self._weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        return self._last_epoch - self.best_epoch >= self.patience

    def restore(self, model: Module) -> None:
        """Give the model the best epoch's weights and buffers; without any epoch leave it as it is."""
        if self._weights:
            model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` goes on from."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "last_epoch": self._last_epoch,
            "weights": dict(self._weights),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.best, self.best_epoch = state_dict["best"], state_dict["best_epoch"]
        self._last_epoch = state_dict["last_epoch"]
        self._weights = {name: tensor.clone() for name, tensor in state_dict["weights"].items()}
