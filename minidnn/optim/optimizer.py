"""Optimizer, the base of all: groups of parameters with their options, and a state per parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from kernels.array import Array, shown
from kernels.creation import full
from kernels.device import to_device, to_host
from minidnn.modes import enable_grad
from minidnn.tensor import Tensor, as_tensor


class Optimizer:
    """Base of the optimisers: `step()` updates every parameter that has a gradient.

    A subclass checks a group's options in `_check_group` and updates one parameter in `_update`.

    Args:
        params: tensors, or mappings {"params": tensors, option: value, ...} that make groups of their own.
        defaults: the options of groups that do not say otherwise.

    Attributes:
        param_groups: one dictionary per group: "params" and the options; changing an option takes effect
            at the next step.
        state: what is remembered per parameter, such as momentum.

    Raises:
        TypeError: `params` is a single tensor or holds something else than tensors and mappings.
        ValueError: no parameters, one given twice, one that is computed, or an option out of range.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor | Mapping | np.ndarray) or not isinstance(params, Iterable):
            raise TypeError(f"params must be an iterable of tensors or groups, got {type(params).__name__}")
        given = list(params)
        if not given:
            raise ValueError("params must hold at least one parameter, got none")
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group {"params": tensors, option: value, ...}; options left out take their defaults."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(f"param_group must be a mapping with the key 'params', got {shown(param_group)}")
        params = param_group["params"]
        if not isinstance(params, Iterable) or isinstance(params, np.ndarray):
            raise TypeError(f"params must be a tensor or an iterable of tensors, got {shown(params)}")
        tensors = [params] if isinstance(params, Tensor) else list(params)
        unknown = [name for name in param_group if name not in {"params", "initial_lr", *self.defaults}]
        if unknown:
            raise ValueError(
                f"param_group has unknown options {', '.join(unknown)}; "
                f"{type(self).__name__} knows {', '.join(self.defaults)}"
            )
        group = {**self.defaults, **param_group, "params": tensors}
        self._check_params(tensors)
        self._check_group(group)
        self.param_groups.append(group)

    def _check_params(self, tensors: list[Any]) -> None:
        taken = {parameter for group in self.param_groups for parameter in group["params"]}
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"params must hold tensors, got {type(tensor).__name__}")
            if not tensor.is_leaf:
                raise ValueError("params must be leaves, got a tensor that was computed")
            if tensor in taken:
                raise ValueError(f"params must differ, one of shape {tensor.shape} was given twice")
            taken.add(tensor)

    def _check_group(self, group: dict[str, Any]) -> None:
        """Raise ValueError or TypeError if an option is out of range."""

    def _update(
        self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        """Write one step into `parameter` and its `state`."""
        raise TypeError(f"{type(self).__name__} must define _update")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; called first, its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state.setdefault(parameter, {})
                    _follow(parameter, state)
                    self._update(parameter.data, parameter.grad.data, state, group)
                    parameter.mark_changed()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad = zeros_like(parameter.data)

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": {index: ...}, "param_groups": [...]}; parameters are numbered in group order."""
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers[parameter] = len(numbers)
            indices = [numbers[parameter] for parameter in group["params"]]
            groups.append({**group, "params": indices})
        state = {numbers[parameter]: dict(values) for parameter, values in self.state.items()}
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned for an optimiser over parameters of the same shapes.

        Arrays are copied and cast to their parameter's dtype. Nothing is changed unless everything fits.

        Raises:
            TypeError: `state_dict` is not a mapping of that form.
            ValueError: another number or size of groups, an unknown parameter's state, or another shape.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            raise TypeError("state_dict must be a mapping with the keys 'state' and 'param_groups'")
        groups = [dict(group) for group in state_dict["param_groups"]]
        given = [len(group["params"]) for group in groups]
        needed = [len(group["params"]) for group in self.param_groups]
        if given != needed:
            raise ValueError(
                f"state_dict has groups of {given} parameters, this optimiser has groups of {needed}"
            )
        by_number = {
            number: parameter
            for saved, own in zip(groups, self.param_groups, strict=True)
            for number, parameter in zip(saved["params"], own["params"], strict=True)
        }
        unknown = [number for number in state_dict["state"] if number not in by_number]
        if unknown:
            raise ValueError(f"state_dict has a state for parameter {unknown[0]}, which no group holds")
        merged = [
            {**own, **saved, "params": own["params"]}
            for saved, own in zip(groups, self.param_groups, strict=True)
        ]
        for group in merged:
            self._check_group(group)
        state = {
            by_number[number]: {
                name: _own_copy(name, value, by_number[number]) for name, value in values.items()
            }
            for number, values in state_dict["state"].items()
        }
        self.param_groups, self.state = merged, state

    def __repr__(self) -> str:
        lines = [
            ", ".join(
                [f"{len(group['params'])} parameters"]
                + [f"{name}={value!r}" for name, value in group.items() if name != "params"]
            )
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(lines)})"


def zeros_like(array: Array) -> Tensor:
    """Return zeros of the same shape and dtype: a fresh average or buffer."""
    return Tensor(full(array.shape, 0, array.dtype, array))


def _follow(parameter: Tensor, state: dict[str, Any]) -> None:
    """Move the state of a parameter that was moved to another device."""
    for name, value in state.items():
        if isinstance(value, Tensor) and type(value._array) is not type(parameter._array):
            state[name] = value.to(parameter.device)


def _own_copy(name: str, value: Any, parameter: Tensor) -> Any:
    """A loaded state's value: arrays become tensors of the parameter's dtype, numbers stay."""
    if not isinstance(value, Tensor) and not hasattr(value, "shape"):
        return value
    array = as_tensor(value).data
    if array.ndim == 0 and name == "step":
        return int(to_host(array))
    if array.shape != parameter.shape:
        raise ValueError(
            f"state_dict's {name} has shape {array.shape}, its parameter has shape {parameter.shape}"
        )
    return Tensor(to_device(to_host(array).astype(parameter.dtype, copy=True), parameter.device))
