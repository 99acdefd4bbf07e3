"""Modules made of modules: in sequence, in a list, and side by side (Concat)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from minidnn.functional.shape import cat
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class _Indexed(Module):
    """Children named "0", "1", ..., with a list's access."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            part = type(self).__new__(type(self))
            Module.__init__(part)
            for name, module in list(self.named_children())[index]:
                part.add_module(name if isinstance(self, Sequential) else str(len(part)), module)
            return part
        return self.get_submodule(self._name_at(index))

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name_at(index), _checked(module))

    def __delitem__(self, index: int | slice) -> None:
        kept = list(self._modules.items())
        del kept[index]
        self._clear()
        for position, (name, module) in enumerate(kept):
            self.add_module(str(position) if name.isdigit() else name, module)

    def append(self, module: Module) -> Self:
        """Add a module at the end and return self."""
        self.add_module(str(len(self)), _checked(module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end and return self."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before position `index` and return self; those behind it are renumbered."""
        modules = list(self.children())
        modules.insert(index, _checked(module))
        self._clear()
        return self.extend(modules)

    def _clear(self) -> None:
        for name in tuple(self._modules):
            delattr(self, name)

    def _name_at(self, index: int) -> str:
        names = list(self._modules)
        if not -len(names) <= index < len(names):
            # IndexError, not ValueError: the protocol of indexing and iteration asks for it.
            raise IndexError(f"index {index} is out of range for {len(names)} modules")
        return names[index]


class Sequential(_Indexed):
    """Modules applied one after the other: y = f_n(... f_2(f_1(x))).

    Args:
        modules: the modules in order, or one mapping of names to modules.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Iterable[tuple[str, Any]] = modules[0].items()
        else:
            named = ((str(position), module) for position, module in enumerate(modules))
        for name, module in named:
            self.add_module(name, _checked(module))

    def forward(self, x: Any) -> Any:
        """Pass x through all modules."""
        for module in self.children():
            x = module(x)
        return x


class ModuleList(_Indexed):
    """A list of modules that the owner's `parameters()` sees; it has no forward of its own.

    Args:
        modules: the initial members.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)


class Concat(_Indexed):
    """Branches applied to one input, their outputs joined along an axis: y = [f_1(x), ..., f_n(x)].

    The inception module's last step (Szegedy et al., "Going deeper with convolutions", 2015, figure 2):
    four branches of 64, 128, 32 and 32 channels become 256.

    Args:
        branches: the modules, at least one.
        dim: the axis to join along; 1 is the channels' of (N, C, H, W).
    """

    def __init__(self, *branches: Module, dim: int = 1) -> None:
        super().__init__()
        if not branches:
            raise ValueError("branches must hold at least one module, got none")
        self.dim = dim
        self.extend(branches)

    def forward(self, x: Any) -> Tensor:
        """Apply every branch to x and join the results."""
        return cat([branch(x) for branch in self.children()], dim=self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


def _checked(module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"a member must be a Module, got {type(module).__name__}")
    return module
