"""Module, the base of every layer and model, and Parameter, a tensor that a module trains."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kernels.array import Array
from kernels.creation import full
from kernels.device import Device, load_into, to_device
from kernels.elementwise import cast
from minidnn.modes import is_grad_enabled
from minidnn.nn.boundary import Gradients, pass_boundary
from minidnn.tensor import HookHandle, Tensor, as_tensor
from minidnn.tensor_methods import describe, read_targets

ForwardHook = Callable[["Module", tuple[Any, ...], Any], Any]
ForwardPreHook = Callable[["Module", tuple[Any, ...]], Any]
BackwardHook = Callable[["Module", Gradients, Gradients], Any]


class Parameter(Tensor):
    """A tensor that is trained: assigned to a module's attribute it appears in `parameters()`.

    Args:
        array: the initial value (arrays share memory).
        requires_grad: whether it is trained; False freezes it.
    """

    def __init__(self, array: Any, requires_grad: bool = True) -> None:
        super().__init__(array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{describe(self, 'tensor')}"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of layers and models: owns parameters, buffers and other modules, by attribute name.

    A subclass assigns Parameters and Modules in `__init__` (after `super().__init__()`) and computes in
    `forward`. Calling the module runs `forward` between its hooks.
    """

    training: bool
    frozen: bool = False  # a frozen module stays in inference mode; see minidnn.training.train_only

    def __init__(self) -> None:
        self._parameters: dict[str, Parameter | None] = {}
        self._modules: dict[str, Module | None] = {}
        self._buffers: dict[str, Tensor | None] = {}
        self._temporary_buffers: set[str] = set()
        self._forward_hooks: dict[int, ForwardHook] = {}
        self._forward_pre_hooks: dict[int, ForwardPreHook] = {}
        self._backward_hooks: dict[int, BackwardHook] = {}
        self.training = True

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """Compute the output; every module defines its own."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Run `forward`, with the hooks around it."""
        if self._forward_pre_hooks:
            inputs = self._run_forward_pre_hooks(inputs)
        if self._backward_hooks and is_grad_enabled():
            return self._call_between_boundaries(inputs, keywords)
        output = self.forward(*inputs, **keywords)
        return self._run_forward_hooks(inputs, output) if self._forward_hooks else output

    def _run_forward_pre_hooks(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        for pre_hook in tuple(self._forward_pre_hooks.values()):
            changed = pre_hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        return inputs

    def _run_forward_hooks(self, inputs: tuple[Any, ...], output: Any) -> Any:
        for hook in tuple(self._forward_hooks.values()):
            replacement = hook(self, inputs, output)
            output = output if replacement is None else replacement
        return output

    # ---- attributes ----------------------------------------------------------------------------

    def _keep(self, store: dict[str, Any], name: str, member: Any) -> None:
        """Put a member into its store, which keeps the order of its kind, and among the plain attributes.

        There every pass looks for it; to ask the stores from `__getattr__` takes thirty times as long.
        """
        store[name] = member
        vars(self)[name] = member

    def __setattr__(self, name: str, value: Any) -> None:
        # `__init__` makes the stores in this order; until the last is there nothing can be registered.
        stores = [vars(self).get(store) for store in ("_parameters", "_modules", "_buffers")]
        if stores[-1] is None:
            if isinstance(value, Parameter | Module):
                raise TypeError(
                    f"{type(self).__name__} must call super().__init__() before assigning {name!r}"
                )
            object.__setattr__(self, name, value)
            return
        parameters, modules, buffers = stores
        home = next((store for store in stores if store is not None and name in store), None)
        if isinstance(value, Parameter):
            home = parameters
        elif isinstance(value, Module):
            home = modules
        elif home is parameters and value is not None:
            raise TypeError(f"{name} must be a Parameter or None, got {type(value).__name__}")
        elif home is modules and value is not None:
            raise TypeError(f"{name} must be a Module or None, got {type(value).__name__}")
        elif home is buffers and home is not None and value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a Tensor or None, got {type(value).__name__}")
        if home is None:
            object.__setattr__(self, name, value)
            return
        for store in stores:
            if store is not home and store is not None:
                store.pop(name, None)
        self._keep(home, name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for store in (self._parameters, self._buffers, self._modules):
            if name in store:
                del store[name]
                self._temporary_buffers.discard(name)
                del vars(self)[name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the place (a layer without bias)."""
        self._check_name(name)
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"parameter must be a Parameter or None, got {type(parameter).__name__}")
        self._keep(self._parameters, name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained; `persistent` puts it in `state_dict`."""
        self._check_name(name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"tensor must be a Tensor or None, got {type(tensor).__name__}")
        self._keep(self._buffers, name, tensor)
        if persistent:
            self._temporary_buffers.discard(name)
        else:
            self._temporary_buffers.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under `name`."""
        self._check_name(name)
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"module must be a Module or None, got {type(module).__name__}")
        self._keep(self._modules, name, module)

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"name must be a non-empty string without a dot, got {name!r}")
        held = any(name in store for store in (self._parameters, self._modules, self._buffers))
        if (name in vars(self) and not held) or hasattr(type(self), name):
            raise ValueError(f"name must be free, but {type(self).__name__} has an attribute {name!r}")

    # ---- walking -------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct children with their names."""
        for name, module in self._modules.items():
            if module is not None:
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the direct children."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, parents first, each once, with dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        for _, module in self.named_modules():
            yield module

    def _named_members(
        self, store: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in owners:
            for name, member in getattr(module, store).items():
                if member is None or (remove_duplicate and id(member) in seen):
                    continue
                seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with dotted names; a shared one appears once."""
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield all parameters; a shared one appears once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all buffers with dotted names."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield all buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """Return the module at a dotted path ("" is this one; ValueError if there is none)."""
        module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                raise ValueError(
                    f"target {target!r} leads to no module: {type(module).__name__} has no {name!r}"
                )
            module = child
        return module

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on every module, children first, and return self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ---- modes ---------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch what is not frozen to training (or inference): dropout, batch norm and the like."""
        if not isinstance(mode, bool):
            raise TypeError(f"mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode and not module.frozen
        return self

    def eval(self) -> Self:
        """Switch to inference behaviour."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                gradient = parameter.grad.data
                parameter.grad = Tensor(full(gradient.shape, 0, gradient.dtype, gradient))

    def to(self, *targets: Any, dtype: npt.DTypeLike | None = None, device: Any = None) -> Self:
        """Move all parameters and buffers to a device, convert the floating ones to a dtype; return self.

        They stay the objects they are: optimisers go on with them, and take their own state along at the next
        step.

        Args:
            targets: dtypes, devices, or tensors whose dtype and device to take, in any order.
            dtype: the dtype by name.
            device: the device by name, see `minidnn.device`.

        Raises:
            ValueError: an unknown device, or one that this machine does not have.
            TypeError: neither a dtype, a tensor nor a device; or a dtype that is not floating.
        """
        wanted, place = read_targets(targets, dtype, device)
        if wanted is not None and wanted.kind != "f":
            raise TypeError(f"dtype must be floating, got {wanted}")
        for tensor in (*self.parameters(), *self.buffers()):
            moved = _moved(tensor.data, wanted, place)
            if moved is not tensor.data:
                tensor.data = moved
            if tensor.grad is not None:
                tensor.grad = Tensor(_moved(tensor.grad.data, wanted, place))
        return self

    def double(self) -> Self:
        """Convert floating parameters and buffers to float64."""
        return self.to(np.float64)

    def float(self) -> Self:
        """Convert floating parameters and buffers to float32."""
        return self.to(np.float32)

    # ---- state ---------------------------------------------------------------------------------

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """Return all parameters and persistent buffers by dotted name, sharing memory, without history."""
        state: OrderedDict[str, Tensor] = OrderedDict()
        for path, module in self.named_modules(remove_duplicate=False):
            for name, member in module._own_state():
                state[f"{path}.{name}" if path else name] = member.detach()
        return state

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        for name, member in (*self._parameters.items(), *self._buffers.items()):
            if member is not None and name not in self._temporary_buffers:
                yield name, member

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values (arrays or Tensors) into the parameters and buffers of the same names.

        Values are cast to the type of what they fill. Nothing is changed unless everything fits. As in
        PyTorch a state dict without `_metadata`, or of an old version by it, may lack what its version did
        not have.

        Args:
            state_dict: values by dotted name.
            strict: require exactly this module's names; otherwise return what was missing or unknown.

        Raises:
            TypeError: `state_dict` is not a mapping, or a value is not an array of numbers.
            ValueError: names missing or unknown (strict), or a value of another shape.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        for path, module in self.named_modules():
            module._prepare_to_load(state_dict, f"{path}." if path else "")
        own = self.state_dict()
        optional = self._optional_names(state_dict)
        missing = [name for name in own if name not in state_dict and name not in optional]
        unexpected = [name for name in state_dict if name not in own]
        if strict and (missing or unexpected):
            raise ValueError(_key_message(type(self).__name__, missing, unexpected))
        values = {name: as_tensor(state_dict[name]).data for name in own if name in state_dict}
        for name, value in values.items():
            if value.shape != own[name].shape:
                raise ValueError(
                    f"state_dict[{name!r}] has shape {value.shape}, this module needs {own[name].shape}"
                )
        for name, value in values.items():
            load_into(own[name].data, value)
            own[name].mark_changed()
        return IncompatibleKeys(missing, unexpected)

    def _optional_names(self, state_dict: Mapping[str, Any]) -> set[str]:
        """The names that `state_dict` may lack, by the versions of the layers that wrote it."""
        metadata = getattr(state_dict, "_metadata", {})
        return {
            f"{path}.{name}" if path else name
            for path, module in self.named_modules(remove_duplicate=False)
            for name in module._names_added_after(metadata.get(path, {}).get("version"))
        }

    def _names_added_after(self, version: Any) -> tuple[str, ...]:
        """The members that this layer did not have in `version` (None: unknown) of PyTorch's layer."""
        return ()

    def _prepare_to_load(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        """Called on every module before loading; lazy layers take their sizes here."""

    # ---- hooks ---------------------------------------------------------------------------------

    def register_forward_hook(self, hook: ForwardHook) -> HookHandle:
        """Call `hook(module, inputs, output)` after forward; what it returns (if not None) is the output."""
        return _register(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: ForwardPreHook) -> HookHandle:
        """Call `hook(module, inputs)` before forward; what it returns (if not None) are the inputs."""
        return _register(self._forward_pre_hooks, hook)

    def register_full_backward_hook(self, hook: BackwardHook) -> HookHandle:
        """Call `hook(module, grad_inputs, grad_outputs)` in backward, when the inputs' gradients are known.

        What it returns (if not None) replaces the gradients of the inputs.
        """
        return _register(self._backward_hooks, hook)

    def _call_between_boundaries(self, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Run forward between two identity nodes: the outer sees grad_outputs, the inner grad_inputs."""
        seen: dict[str, Gradients] = {"outputs": ()}

        def leave(gradients: Gradients) -> Gradients:
            for hook in tuple(self._backward_hooks.values()):
                replacement = hook(self, gradients, seen["outputs"])
                if replacement is not None:
                    gradients = replacement if isinstance(replacement, tuple) else (replacement,)
            return gradients

        def enter(gradients: Gradients) -> Gradients:
            seen["outputs"] = gradients
            return gradients

        marked = pass_boundary(leave, inputs)
        output = self._run_forward_hooks(inputs, self.forward(*marked, **keywords))
        if isinstance(output, tuple):
            return (
                type(output)(*pass_boundary(enter, output))
                if hasattr(output, "_fields")
                else (pass_boundary(enter, output))
            )
        return pass_boundary(enter, (output,))[0]

    # ---- printing ------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows in the parentheses."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        arguments = self.extra_repr()
        if not children:
            return f"{type(self).__name__}({arguments})"
        lines = "".join(f"\n  {line}" for line in ([arguments] if arguments else []) + children)
        return f"{type(self).__name__}({lines}\n)"

    def _repr_html_(self) -> str:
        """What Jupyter shows: a row for each module, with the parameters that it holds itself."""
        from minidnn.html import html_table

        rows = [
            (path, one_line(module), f"{_count(module.parameters(recurse=False)):,}")
            for path, module in self.named_modules()
        ]
        return html_table(("path", "module", "parameters"), rows, ("", "", f"{_count(self.parameters()):,}"))


def _count(parameters: Iterable[Parameter]) -> int:
    """How many numbers these are."""
    return sum(parameter._array.size for parameter in parameters)


def one_line(module: Module) -> str:
    """Return a module's class and arguments, without its children: "Dropout(p=0.5, inplace=False)"."""
    return f"{type(module).__name__}({module.extra_repr()})"


def _moved(array: Array, dtype: np.dtype[Any] | None, place: Device | None) -> Array:
    """An array in another dtype, if it is floating, on another device; itself if that changes nothing."""
    if dtype is not None and array.dtype.kind == "f" and array.dtype != dtype:
        array = cast(array, dtype)
    moved: Array = array if place is None else to_device(array, place)
    return moved


def _register(hooks: dict[int, Any], hook: Any) -> HookHandle:
    key = max(hooks, default=-1) + 1
    hooks[key] = hook
    return HookHandle(lambda: hooks.pop(key, None))


def _key_message(owner: str, missing: list[str], unexpected: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {', '.join(missing)}")
    if unexpected:
        parts.append(f"has unknown {', '.join(unexpected)}")
    return f"state_dict {' and '.join(parts)}; {owner} needs exactly its own names (or strict=False)"
