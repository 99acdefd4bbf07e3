"""Averages of a model's weights over the steps of training, with the names of `torch.optim.swa_utils`.

The average of many steps lies nearer to the middle of a valley than any single step does, and often
generalises better; it costs one copy of the weights and nothing at inference.

Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; Izmailov et al.,
"Averaging weights leads to wider optima and better generalization", UAI 2018 (the plain average);
Szegedy et al., "Rethinking the inception architecture for computer vision", CVPR 2016, section 8 (the
exponential one).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from kernels.array import check_flag, check_number
from minidnn.modes import no_grad
from minidnn.nn.module import Module
from minidnn.tensor import Tensor

AveragingFunction = Callable[[Tensor, Tensor, int], Tensor]


def get_ema_avg_fn(decay: float = 0.999) -> AveragingFunction:
    """Return the exponential moving average's step: decay * average + (1 - decay) * current.

    A step's weight has fallen to 1/e after about 1 / (1 - decay) further steps.

    Raises:
        ValueError: a decay outside [0, 1].
    """
    if check_number("decay", decay, minimum=0) > 1:
        raise ValueError(f"decay must be in [0, 1], got {decay}")

    def step(average: Tensor, current: Tensor, count: int) -> Tensor:
        return decay * average + (1 - decay) * current

    return step


def get_swa_avg_fn() -> AveragingFunction:
    """Return the plain average's step: average + (current - average) / (count + 1)."""

    def step(average: Tensor, current: Tensor, count: int) -> Tensor:
        return average + (current - average) / (count + 1)

    return step


class AveragedModel(Module):
    """A copy of a model whose weights are an average of those that the model has had.

        average = AveragedModel(model, get_ema_avg_fn(0.99), use_buffers=True)
        for ...:
            optimizer.step()
            average.update_parameters(model)
        evaluate(average, loader)

    The first update copies; later ones average. Its `state_dict` has PyTorch's names: "n_averaged" and
    "module.NAME" for each of the model's. Batch norm's running statistics are buffers: averaged too, or taken
    from the model as they are.

    Args:
        model: is copied; its own weights are left alone.
        avg_fn: the average's next value from (average, current, how many are averaged); `get_swa_avg_fn()`
            if None, `get_ema_avg_fn(decay)` for an exponential one.
        use_buffers: whether floating buffers are averaged like weights. Other buffers are always copied
            (PyTorch averages integers too, and rounds).

    Raises:
        TypeError: not a Module.
    """

    def __init__(
        self, model: Module, avg_fn: AveragingFunction | None = None, use_buffers: bool = False
    ) -> None:
        super().__init__()
        if not isinstance(model, Module):
            raise TypeError(f"model must be a Module, got {type(model).__name__}")
        self.module = copy.deepcopy(model)
        self.module.requires_grad_(False)
        self.register_buffer("n_averaged", Tensor(0))
        self.avg_fn = get_swa_avg_fn() if avg_fn is None else avg_fn
        self.use_buffers = check_flag("use_buffers", use_buffers)

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """Run the averaged model."""
        return self.module(*inputs, **keywords)

    def update_parameters(self, model: Module) -> None:
        """Take the weights that `model` has now into the average.

        Raises:
            ValueError: a model whose parameters or buffers have other names or shapes.
        """
        self._check_same(model)
        count = int(self.n_averaged.item())
        with no_grad():
            for average, current, averaged in self._pairs(model):
                average.copy_(self.avg_fn(average, current, count) if averaged and count else current)
            self.n_averaged.add_(1)

    def _pairs(self, model: Module) -> Iterator[tuple[Tensor, Tensor, bool]]:
        """Own and the model's tensors, and whether they are averaged."""
        for mine, theirs in zip(self.module.parameters(), model.parameters(), strict=True):
            yield mine, theirs, True
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            yield own, other, self.use_buffers and own.is_floating_point()

    def _check_same(self, model: Module) -> None:
        mine, theirs = (
            {
                name: tensor.shape
                for members in (owner.named_parameters(), owner.named_buffers())
                for name, tensor in members
            }
            for owner in (self.module, model)
        )
        if mine != theirs:
            name = next(name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name))
            raise ValueError(
                f"model must have the averaged model's weights, but {name} has shape {theirs.get(name)} "
                f"where {mine.get(name)} is needed"
            )
