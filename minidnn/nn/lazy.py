"""Parameters and layers that take their input size from the first batch they see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kernels.creation import full
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import as_tensor


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; it is empty until `materialize`."""

    def __init__(self, requires_grad: bool = True) -> None:
        super().__init__(full((0,), 0, np.float32), requires_grad)

    def materialize(self, shape: Sequence[int]) -> None:
        """Take a shape, in place: optimisers and modules that hold this object now hold a Parameter."""
        requires_grad, values = self.requires_grad, full(shape, 0, self.dtype, like=self._array)
        self.__class__ = Parameter  # type: ignore[assignment]
        Parameter.__init__(self, values, requires_grad)


class LazyModule(Module, ABC):
    """Mixed into a layer: its parameters wait for the input's size, then the object is the plain layer.

    Attributes:
        becomes: the plain layer's class.
    """

    becomes: ClassVar[type[Module]]

    @abstractmethod
    def size_from_input(self, x: Any) -> int:
        """Return the input size that a first batch implies."""

    @abstractmethod
    def size_from_weight(self, shape: Sequence[int]) -> int | None:
        """Return the input size that a stored weight of this shape implies; None if it cannot be one."""

    @abstractmethod
    def take_size(self, size: int) -> None:
        """Set the layer's input size and give the parameters their shapes."""

    def reset_parameters(self) -> None:
        """Draw nothing: that has to wait for the size."""

    def forward(self, x: Any) -> Any:
        """Take the size of the first batch, then run as the plain layer."""
        self.become_plain(self.size_from_input(x))
        return self.forward(x)

    def become_plain(self, size: int) -> None:
        """Become the plain layer for inputs of this size, with freshly drawn parameters."""
        self.take_size(size)
        self.__class__ = self.becomes  # type: ignore[assignment]
        self.reset_parameters()

    def _prepare_to_load(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        """A stored weight knows the size."""
        weight = state_dict.get(f"{prefix}weight")
        size = None if weight is None else self.size_from_weight(as_tensor(weight).shape)
        if size is not None:
            self.become_plain(size)


def materialize(parameter: Parameter | None, shape: Sequence[int]) -> None:
    """Give an uninitialised parameter its shape; None stays None."""
    if isinstance(parameter, UninitializedParameter):
        parameter.materialize(shape)
