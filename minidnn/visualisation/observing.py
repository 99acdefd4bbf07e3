"""What every method needs: images as a batch, a model that stays as it is, the outputs of named layers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array, check_integer, check_rank, check_shape
from kernels.device import to_host
from minidnn.nn import Module
from minidnn.tensor import Tensor, as_tensor


def as_batch(images: Any, name: str = "images") -> tuple[Tensor, bool]:
    """Return images (N, C, H, W) as a tensor without history, and whether one (C, H, W) was given.

    Raises:
        ValueError: another rank, or no image or pixel in it.
        TypeError: a dtype other than float32 and float64.
    """
    batch = as_tensor(images, name=name).detach()
    if batch.dtype not in FLOATING:
        raise TypeError(f"{name} must be float32 or float64, got {batch.dtype}")
    check_rank(name, batch.data, 3, 4)
    if 0 in batch.shape:
        raise ValueError(f"{name} must hold at least one pixel, got shape {batch.shape}")
    if batch.ndim == 3:
        return batch.reshape((1, *batch.shape)), True
    return batch, False


@contextmanager
def frozen(model: Module) -> Iterator[None]:
    """Put the model into inference mode with parameters that take no gradients; afterwards all is as it was.

    Raises:
        TypeError: not a Module.
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    modes = [(module, module.training) for module in model.modules()]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter in trained:
            parameter.requires_grad_(True)


def find_layer(model: Module, layer: str) -> Module:
    """Return the module of that dotted name.

    Raises:
        ValueError: there is none; the message offers the nearest names.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    if layer not in modules:
        near = difflib.get_close_matches(str(layer), modules, n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(modules)}"
        raise ValueError(f"layer must name a module of {type(model).__name__}, got {layer!r}; {hint}")
    return modules[layer]


@contextmanager
def watched(
    model: Module, layers: Iterable[str], see: Callable[[str, Tensor], Tensor | None]
) -> Iterator[None]:
    """While the model runs once, hand each named layer's output to `see`; what it returns takes its place.

    Raises:
        ValueError: an unknown layer; one that is not called exactly once; one whose output is no Tensor.
    """
    calls = dict.fromkeys(layers, 0)
    modules = {name: find_layer(model, name) for name in calls}

    def hook_for(name: str) -> Callable[[Module, tuple[Any, ...], Any], Tensor | None]:
        def hook(module: Module, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
            calls[name] += 1
            if not isinstance(output, Tensor):
                raise ValueError(f"layer {name!r} must return one Tensor, got {type(output).__name__}")
            return see(name, output)

        return hook

    handles = [module.register_forward_hook(hook_for(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for name, count in calls.items():
        if count != 1:
            raise ValueError(
                f"layer must name a module that is called once, {name!r} is called {count} times"
            )


def outputs_of(model: Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the outputs of the named layers, part of the graph where gradients are wanted.

    They are copies: a layer behind that writes over its input does not change them.

    Raises:
        ValueError: as `watched`.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        outputs[name] = output.clone()

    with watched(model, layers, keep):
        model(images.clone())  # a layer may write over its input
    return outputs


def maps_of(model: Module, images: Tensor, layer: str) -> Tensor:
    """Return the feature maps (N, C, h, w) of one layer.

    Raises:
        ValueError: as `watched`, or a layer that gives no maps.
    """
    return check_maps(layer, outputs_of(model, images, [layer])[layer])


def check_maps(layer: str, output: Tensor) -> Tensor:
    """Return a layer's output (ValueError unless it has the shape of maps)."""
    if output.ndim != 4:
        raise ValueError(f"layer must give maps (N, C, H, W), {layer!r} gives shape {output.shape}")
    return output


def check_channel(channel: int, count: int, layer: str) -> int:
    """Return `channel` as an int (ValueError unless the layer has it)."""
    channel = check_integer("channel", channel, minimum=0)
    if channel >= count:
        raise ValueError(f"channel must be below {count}, the channels of {layer!r}, got {channel}")
    return channel


def class_scores(model: Module, images: Tensor) -> Tensor:
    """Return the model's scores (N, K).

    Raises:
        ValueError: the model gives something else.
    """
    scores = model(images.clone())  # a layer may write over its input
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        got = f"shape {scores.shape}" if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"model must return scores (N, classes), got {got}")
    return scores


def chosen_classes(classes: int | Sequence[int] | None, scores: Tensor, name: str = "classes") -> Array:
    """Return a class per image, int64 (N,): the one given for all or each, or the one with the best score.

    Raises:
        ValueError: not one per image, or a class that the model does not have.
        TypeError: a class that is no integer.
    """
    count, known = scores.shape
    if classes is None:
        best: Array = to_host(scores.data).argmax(axis=1)
        return best
    numbers = np.asarray(classes)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got dtype {numbers.dtype}")
    chosen = np.full(count, numbers, np.int64) if numbers.ndim == 0 else numbers.astype(np.int64)
    check_shape(name, chosen, (count,))
    if chosen.min() < 0 or chosen.max() >= known:
        raise ValueError(f"{name} must lie between 0 and {known - 1}, got {chosen.tolist()}")
    return chosen


def total_score(scores: Tensor, classes: Array) -> Tensor:
    """Return the sum over the images of the score of each one's class; images do not see each other."""
    return scores[np.arange(len(classes)), classes].sum()
