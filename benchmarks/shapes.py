"""The kernel calls that the networks make: recorded from the models, kept in shapes.csv.

    python -m benchmarks shapes      # run every model once and write shapes.csv anew

A model runs once on one image, and a listener of the registry notes every call. Spatial sizes do not
depend on the batch, so one image is enough; `Layer.arguments_for` scales the batch axis.

Calls with equal arguments are one row, with how often the network makes them and the path of the first module
that does. Rows of mode "training" are calls that only training makes, such as dropout's.
"""

from __future__ import annotations

import csv
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import minidnn
import models
from benchmarks.arguments import ArraySpec, decode, describe, encode, label
from benchmarks.listening import listening
from kernels import registry
from kernels.registry import Version
from models.registry import entry

TABLE = Path(__file__).parent / "shapes.csv"
COLUMNS = ("network", "mode", "layer", "operation", "arguments", "multiplicity")

NETWORKS = (
    "alexnet",
    "vgg16",
    "googlenet_bn",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenet_v1",
    "mobilenet_v2",
    "efficientnet_b0",
    "squeezenet1_1",
)
# Of these only the operations named are kept: the networks above have none of them.
ALSO = {
    "alexnet_paper": ("local_response_norm_forward",),
    "googlenet": ("local_response_norm_forward",),
}
TRAINING_ONLY = ("batch_norm_forward_training", "dropout_forward")
# Under which name the table has a call on a prepared weight.
PLAIN = {"conv2d_forward_prepared": "conv2d_forward"}
# Parameters of the contracts whose first axis is the batch.
BATCHED = frozenset({"x", "a", "b", "arrays", "target"})


@dataclass(frozen=True)
class Layer:
    """One row of the table.

    Attributes:
        network: the model's name.
        mode: "inference" or "training": which pass makes the call.
        layer: path of the first module that makes it.
        operation: the contract's name.
        arguments: the arguments for a batch of one, arrays as ArraySpec.
        multiplicity: how many such calls one pass makes.
    """

    network: str
    mode: str
    layer: str
    operation: str
    arguments: tuple[Any, ...]
    multiplicity: int = 1

    @property
    def key(self) -> str:
        """What distinguishes the call, whoever makes it."""
        return f"{self.operation} {encode(self.arguments)}"

    def arguments_for(self, batch: int) -> tuple[Any, ...]:
        """The arguments for another batch size."""
        names = inspect.signature(registry.contract(self.operation)).parameters
        return tuple(
            _with_batch(argument, batch) if name in BATCHED else argument
            for name, argument in zip(names, self.arguments, strict=True)
        )

    def __str__(self) -> str:
        return f"{self.operation} {label(self.arguments)}"


def _with_batch(argument: Any, batch: int) -> Any:
    if isinstance(argument, tuple):
        return tuple(_with_batch(item, batch) for item in argument)
    # A scalar operand has no batch axis.
    batched = isinstance(argument, ArraySpec) and len(argument.shape) > 1
    return argument.with_batch(batch) if batched else argument


class Recorder:
    """Notes kernel calls, and which module makes them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, tuple[Any, ...]]] = []  # (path, operation, arguments)
        self.paths: list[str] = [""]

    def note(self, version: Version, *arguments: Any) -> Any:
        """Note a call and answer it."""
        noted = _cold(version.operation, arguments)
        if noted is not None:
            operation, given = noted
            self.calls.append((self.paths[-1], operation, describe(given)))
        return version.function(*arguments)

    def enter(self, path: str, module: minidnn.nn.Module, inputs: tuple[Any, ...]) -> None:
        self.paths.append(path)

    def leave(self, module: minidnn.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.paths.pop()


def _cold(operation: str, arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]] | None:
    """A call on a prepared weight as the call on the weight itself; the preparation is no call of its own.

    Whether a layer has its weight prepared depends on the backend, what it computes does not.
    """
    if operation == "conv2d_prepare_weight":
        return None
    if operation in PLAIN:
        x, prepared, bias, window, groups, _ = arguments
        return PLAIN[operation], (x, prepared.weight, bias, window, groups)
    return operation, arguments


@contextmanager
def noting() -> Iterator[Recorder]:
    """Note every kernel call while the context lasts."""
    recorder = Recorder()
    with listening(recorder.note):
        yield recorder


@contextmanager
def recording(model: minidnn.nn.Module) -> Iterator[Recorder]:
    """Note every kernel call, and which of the model's modules makes it."""
    with noting() as recorder:
        handles = []
        for path, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(partial(recorder.enter, path)))
            handles.append(module.register_forward_hook(recorder.leave))
        try:
            yield recorder
        finally:
            for handle in handles:
                handle.remove()


def record(network: str) -> list[Layer]:
    """Run a model on one image, for inference and for training, and return its calls."""
    model = build(network)
    image = minidnn.Tensor(np.zeros((1, *entry(network).input_shape), np.float32))
    layers = []
    for mode in ("inference", "training"):
        model.train(mode == "training")
        with recording(model) as recorder, minidnn.no_grad():
            model(image)
        layers += _rows(network, mode, recorder)
    return layers


def build(network: str) -> minidnn.nn.Module:
    """The model as it is benchmarked: without auxiliary heads, which inference does not run."""
    has_heads = "aux_logits" in inspect.signature(entry(network).builder).parameters
    return models.create(network, **({"aux_logits": False} if has_heads else {}))


def _rows(network: str, mode: str, recorder: Recorder) -> list[Layer]:
    """One row for calls with equal arguments, in the order in which they are first made."""
    rows: dict[str, Layer] = {}
    for path, operation, arguments in recorder.calls:
        if not _is_kept(network, mode, operation):
            continue
        # A mask's seed is drawn anew every time and changes no cost.
        arguments = (*arguments[:-1], 0) if operation == "dropout_forward" else arguments
        layer = Layer(network, mode, path, operation, arguments)
        seen = rows.get(layer.key)
        rows[layer.key] = replace(seen, multiplicity=seen.multiplicity + 1) if seen else layer
    return list(rows.values())


def _is_kept(network: str, mode: str, operation: str) -> bool:
    if network in ALSO:
        return mode == "inference" and operation in ALSO[network]
    return mode == "inference" or operation in TRAINING_ONLY


def write(layers: Sequence[Layer], path: Path = TABLE) -> None:
    """Write the table."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for layer in layers:
            text = encode(layer.arguments)
            writer.writerow(
                (layer.network, layer.mode, layer.layer, layer.operation, text, layer.multiplicity)
            )


def read(path: Path = TABLE) -> list[Layer]:
    """Read the table."""
    with path.open(newline="") as file:
        return [
            Layer(
                row["network"],
                row["mode"],
                row["layer"],
                row["operation"],
                decode(row["arguments"]),
                int(row["multiplicity"]),
            )
            for row in csv.DictReader(file)
        ]


@cache
def layers() -> tuple[Layer, ...]:
    """The committed table."""
    return tuple(read())


def of_network(network: str) -> list[Layer]:
    """A network's rows (ValueError for one that was not recorded)."""
    rows = [layer for layer in layers() if layer.network == network]
    if not rows:
        known = ", ".join(dict.fromkeys(layer.network for layer in layers()))
        raise ValueError(f"network {network!r} is not in the table of shapes; it has: {known}")
    return rows
