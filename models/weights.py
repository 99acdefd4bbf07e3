"""Models from files of weights: official ones, checkpoints of training, other programs' state dicts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from kernels.array import Array
from minidnn.nn import Module
from minidnn.serialization import is_checkpoint, load
from minidnn.tensor import Tensor
from models.conversion import convert_state_dict, sources
from models.registry import bound_arguments, create

# Where programs put the state dict in a checkpoint, and what data-parallel training puts before its names.
PLACES = ("state_dict", "model_state_dict", "model")
PARALLEL_PREFIX = "module."
# A small file can hold a tensor that repeats its elements: no network is built for any number of classes.
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Loaded:
    """A model with its weights.

    Attributes:
        network: in evaluation mode.
        trained_here: whether the file is a checkpoint of `minidnn train`.
    """

    network: Module
    trained_here: bool


def load_model(name: str, path: str | os.PathLike[str], **arguments: Any) -> Loaded:
    """Build a model by its name with as many classes as the weights in `path` have, and load them.

    Weights of the packages in models/conversion.py are recognised by their names and converted.

    Args:
        name: the model.
        path: the file.
        arguments: for `models.create`; a checkpoint of training brings its own.

    Raises:
        OSError: the file cannot be read.
        ValueError: an unknown name, a file that `minidnn.load` refuses, that holds no state dict or a
            checkpoint of another model, another package's weights that fit for several values of an argument
            of which none is given, or weights that do not fit: the first differing names or shapes are told.
        TypeError: an argument that the model does not have.
    """
    accepted = bound_arguments(name, **arguments)  # refuse wrong names before the file is read
    state = load(path)
    trained_here = is_checkpoint(state)
    if trained_here:
        trained = state["arguments"]
        if trained.get("model") != name:
            raise ValueError(f"{path} is a checkpoint of {trained.get('model')}, not of {name}")
        arguments = {key: value for key, value in trained.items() if key in accepted} | arguments
    network = create(name, **arguments)
    weights = _in_our_names(name, _find_state_dict(state, path), set(network.state_dict()), arguments, path)
    classes = bound_arguments(name, **arguments).get("num_classes")
    if classes is not None and "num_classes" not in arguments and _differing(network, weights):
        wider = create(name, **arguments, num_classes=classes + 1)
        classes = _count_classes(classes, network, wider, weights)
        network = network if classes is None else create(name, **arguments, num_classes=classes)
    _fill(network, weights, name, path)
    return Loaded(network.eval(), trained_here)


def _find_state_dict(state: Any, path: str | os.PathLike[str]) -> Mapping[str, Tensor]:
    """The state dict in what was loaded."""
    candidates = [state]
    if isinstance(state, dict):
        candidates += [state.get(place) for place in PLACES]
    for candidate in candidates:
        if isinstance(candidate, dict) and candidate and all(map(_is_entry, candidate.items())):
            return _without_prefix(candidate)
    raise ValueError(
        f"{path} holds no state dict: no dictionary of tensors, nor one under {', '.join(PLACES)}"
    )


def _is_entry(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _without_prefix(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if all(key.startswith(PARALLEL_PREFIX) for key in state):
        return {key.removeprefix(PARALLEL_PREFIX): value for key, value in state.items()}
    return state


def _in_our_names(
    name: str,
    weights: Mapping[str, Tensor],
    names: set[str],
    arguments: Mapping[str, Any],
    path: str | os.PathLike[str],
) -> Mapping[str, Tensor | Array]:
    """The weights as they are, or converted from the package whose names leave more of them in `names`."""
    best: Mapping[str, Tensor | Array] = weights
    for package, source in sources(name).items():
        try:
            converted = convert_state_dict(name, weights, package)
        except ValueError:
            continue  # not this package's
        if len(converted.keys() & names) <= len(best.keys() & names):
            continue
        best = converted
        for argument in set(source.undecided) - set(arguments):
            raise ValueError(
                f"{path} has the names of {package}, which do not tell {argument}: "
                f"give {name}'s {argument} too (to predict by --argument {argument}=...)"
            )
    return best


def _differing(network: Module, weights: Mapping[str, Tensor | Array]) -> dict[str, tuple[int, ...]]:
    """The shapes in `weights` of what has another shape in the network, by name."""
    return {
        key: tuple(weights[key].shape)
        for key, value in network.state_dict().items()
        if key in weights and weights[key].shape != value.shape
    }


def _count_classes(
    classes: int, network: Module, wider: Module, weights: Mapping[str, Tensor | Array]
) -> int | None:
    """The number of classes of `weights`, if it is the only difference from the network of `classes`.

    The first axis of what differs grows with each class by a number of places (four for a box's codes, one in
    each cell of YOLO's grid), which a network of one class more, `wider`, shows.
    """
    ours, grown = network.state_dict(), wider.state_dict()
    counts: set[Fraction | None] = set()
    for key, shape in _differing(network, weights).items():
        own = ours[key].shape
        if not own or not shape or own[1:] != shape[1:]:
            return None
        growth = grown[key].shape[0] - own[0]
        counts.add(classes + Fraction(shape[0] - own[0], growth) if growth else None)
    count = counts.pop() if len(counts) == 1 else None
    if count is None or count.denominator != 1 or not 0 < count <= MOST_CLASSES:
        return None
    return int(count)


def _fill(
    network: Module, weights: Mapping[str, Tensor | Array], name: str, path: str | os.PathLike[str]
) -> None:
    try:
        missing, unexpected = network.load_state_dict(weights, strict=False)
    except ValueError as error:
        raise ValueError(f"{path} does not fit {name}: {error}") from None
    parts = [
        f"{verb} {keys[0]}{f' and {len(keys) - 1} more' if len(keys) > 1 else ''}"
        for verb, keys in (("it lacks", missing), ("has unknown", unexpected))
        if keys
    ]
    if parts:
        packages = " and ".join(sources(name))
        known = f" (names of {packages} are understood too)" if packages and unexpected else ""
        raise ValueError(f"{path} does not fit {name}: {', '.join(parts)}{known}")
