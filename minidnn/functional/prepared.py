"""Weights made ready once and kept with their tensor, for as long as nothing changes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from kernels import PreparedWeight
from kernels.memory import owns_memory
from kernels.registry import Selection, choose, selection
from minidnn.autograd import VersionCounter
from minidnn.tensor import Tensor

# Under this name a tensor's own dictionary holds what was kept, so that it goes when the tensor does.
_KEPT = "_prepared_weights"
# Input shapes whose version is remembered; images of ever new sizes must not fill the memory.
_MOST_SHAPES = 64


@dataclass
class _Kept:
    """A weight's prepared forms, and what they depend on.

    Attributes:
        counter, version: the weight's version counter, and its value when they were made.
        fingerprint: of its elements; None while no form holds a copy of them.
        selection: which kernels were asked for.
        contract, settings: the operation, and its arguments besides the weight and the input's shape.
        by_version: the forms, by the name of the kernel version that made them.
        by_shape: the same, by the input shapes that they were wanted for.
    """

    counter: VersionCounter
    version: int
    selection: Selection
    contract: Callable[..., PreparedWeight]
    settings: tuple[Any, ...]
    fingerprint: int | None = None
    by_version: dict[str, PreparedWeight] = field(default_factory=dict)
    by_shape: dict[tuple[int, ...], PreparedWeight] = field(default_factory=dict)

    def is_good(self, weight: Tensor, contract: Callable[..., PreparedWeight], settings: Any) -> bool:
        """Whether the weight is unchanged and the question the same."""
        return (
            self.counter is weight._counter
            and self.version == weight._counter.value
            and self.contract is contract
            and self.settings == settings
            and (self.selection is selection() or self.selection == selection())
            and (self.fingerprint is None or self._sees_the_same_elements(weight))
        )

    def _sees_the_same_elements(self, weight: Tensor) -> bool:
        """Whether nobody has written into the weight's array past the version counter.

        To compare fingerprints is to read the weight, a tenth of the time of some networks. It is spared
        where nobody can have written: nobody else holds the array, nor was given it since that was last seen.
        """
        counter = weight._counter
        if not counter.handed_out and self._is_only_holder(weight):
            return True
        counter.handed_out = False  # before the elements are read: whoever is given them meanwhile says so
        same = self.fingerprint == _fingerprint(weight)
        if not self._is_only_holder(weight):
            counter.handed_out = True
        return same

    def _is_only_holder(self, weight: Tensor) -> bool:
        """Whether only the tensor and its forms hold its memory: no other array, no view, no library."""
        ours = sum([prepared.weight is weight._array for prepared in self.by_version.values()])
        return owns_memory(weight._array) and _holders(weight) == _ONE_HOLDER + ours


def prepared_weight(
    weight: Tensor, input_shape: tuple[int, ...], contract: Callable[..., PreparedWeight], *settings: Any
) -> PreparedWeight:
    """Return `contract(weight, input_shape, *settings)`, made anew only if something has changed.

    In-place changes are noticed by the version counter that a tensor shares with its views: those of
    optimisers, of `load_state_dict`, of assignments and of in-place operations. Who writes into the array
    itself, through `data`, `detach().numpy()` or memory shared with another library, does not move it; so
    where somebody could have, the elements' fingerprint is compared too, one pass over the weight's memory.

    Raises:
        ValueError, TypeError: as the contract.
    """
    kept: _Kept | None = vars(weight).get(_KEPT)
    if kept is None or not kept.is_good(weight, contract, settings):
        kept = _Kept(weight._counter, weight._counter.value, selection(), contract, settings)
        vars(weight)[_KEPT] = kept
    prepared = kept.by_shape.get(input_shape)
    if prepared is None:
        if len(kept.by_shape) == _MOST_SHAPES:
            kept.by_shape.clear()
        prepared = kept.by_shape[input_shape] = _prepared_for(kept, weight, input_shape)
    return prepared


def forget_prepared(weight: Tensor) -> None:
    """Give up what is kept, and its memory."""
    vars(weight).pop(_KEPT, None)


def _prepared_for(kept: _Kept, weight: Tensor, input_shape: tuple[int, ...]) -> PreparedWeight:
    """The form for an input shape; most shapes share one."""
    if kept.by_version:
        version = choose(kept.contract, weight._array, input_shape, *kept.settings).name
        if version in kept.by_version:
            return kept.by_version[version]
    prepared = kept.contract(weight._array, input_shape, *kept.settings)
    if prepared.packed and kept.fingerprint is None:
        kept.fingerprint = _fingerprint(weight)
    return kept.by_version.setdefault(prepared.version, prepared)


def _fingerprint(weight: Tensor) -> int:
    from kernels.cpu.fingerprint import (
        fingerprint,  # heavy, and only needed where kernels of the cpu backend ran
    )

    return fingerprint(weight._array)


def _holders(tensor: Any) -> int:
    """How many references to a tensor's array there are, as Python counts from here."""
    return sys.getrefcount(tensor._array)


# Pythons differ in which temporary references they count.
_ONE_HOLDER = _holders(SimpleNamespace(_array=object()))
