"""`fuse`: a copy of a model for inference, in which batch norms and activations are part of the convolutions.

record       watch the model run once, and note its operations     recording.py
rewrite      fold batch norms, prepare weights, fuse activations   rewriting.py
run          the steps that are left, on arrays                    program.py
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Self

import numpy.typing as npt

from kernels.array import Array, check_floating
from minidnn.functional.prepared import forget_prepared
from minidnn.fusion.program import Program, Runner
from minidnn.fusion.recording import record
from minidnn.fusion.rewriting import fold_batch_norms, fuse_activations
from minidnn.modes import is_grad_enabled
from minidnn.nn import Module
from minidnn.nn.module import IncompatibleKeys
from minidnn.tensor import Tensor, as_tensor

# Prepared weights take memory, and each shape of inputs has its own: of the last ones they are kept.
SHAPES_KEPT = 4


class Fused(Module):
    """What `fuse` returns: runs a model's copy in inference mode as a program without its batch norms.

    The first call for a shape records and rewrites the model; the next ones only run.

    Attributes:
        model: the copy.
    """

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model
        self._runners: OrderedDict[tuple[Any, ...], Runner] = OrderedDict()
        super().train(False)

    def forward(self, x: Any) -> Tensor:
        """Return the model's output for a batch.

        Raises:
            ValueError: gradients are wanted; or the model computes with more than operations on Tensors.
            TypeError: another dtype than float32 and float64, or an output that is not a Tensor.
        """
        x = as_tensor(x)
        if x.requires_grad and is_grad_enabled():
            raise ValueError("x must not require gradients: a fused model has none; use the model itself")
        array = x.data
        runner = self._runners.get((array.shape, array.dtype))
        return Tensor((runner or self._new_runner(array))(array))

    def program(self, x: Array) -> Program:
        """Return the steps that are left for inputs of x's shape and dtype."""
        check_floating(x=x)
        return fuse_activations(fold_batch_norms(record(self.model, x)))

    def _new_runner(self, x: Array) -> Runner:
        runner = self._runners[x.shape, x.dtype] = Runner(self.program(x))
        for parameter in self.model.parameters():
            forget_prepared(parameter)  # the recorded runs left there what the runner has in its own form
        if len(self._runners) > SHAPES_KEPT:
            self._runners.popitem(last=False)
        return runner

    def train(self, mode: bool = True) -> Self:
        """Stay in inference mode (ValueError for any other)."""
        if mode:
            raise ValueError(
                "mode must be False: a fused model is for inference; train the model it was made of"
            )
        return super().train(mode)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Stay frozen (ValueError otherwise)."""
        if requires_grad:
            raise ValueError("requires_grad must be False: a fused model has no gradients")
        return super().requires_grad_(requires_grad)

    def to(self, *targets: Any, dtype: npt.DTypeLike | None = None, device: Any = None) -> Self:
        """Convert or move the copy; it is then recorded again."""
        self._runners.clear()
        return super().to(*targets, dtype=dtype, device=device)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Load into the copy; it is then recorded again."""
        self._runners.clear()
        return super().load_state_dict(state_dict, strict)


def fuse(model: Module) -> Fused:
    """Return a copy of the model for inference only, faster and equal within rounding.

        y = relu(batch_norm(conv(x, w) + b))   becomes one kernel:   y = relu(conv(x, s w) + (s (b - m) + t))

    with s = weight / sqrt(running_var + eps), m = running_mean and t the batch norm's bias. Which batch norms
    and activations follow a layer is seen when the copy first runs on inputs of a shape: every model that
    computes with operations on Tensors can be fused. Weights are then prepared once.

    Args:
        model: any module of one input and one output; it is left as it is.

    Returns:
        The copy; its output is the model's after `eval()`. It refuses to be trained or differentiated.
        Changes to the model afterwards do not reach it.

    Raises:
        TypeError: not a Module.
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    frozen = copy.deepcopy(model).requires_grad_(False)
    frozen.zero_grad()
    return Fused(frozen)
