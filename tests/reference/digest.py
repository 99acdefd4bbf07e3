"""What is compared of a network: a few kilobytes that change when anything in it does.

A digest is a mapping of float64 arrays:

    evaluation/logits               (N, K)
    evaluation/gradient_norms       (1 + P,)  of the input and of every parameter, sorted by our names
    evaluation/gradient_products    (1 + P,)  their products with random numbers of variance 1
    evaluation/stages               (S, 4)    mean, root mean square, maximum magnitude, and the product with
                                              random numbers divided by the root of the element count
    training/output_norms           (O, N)    per output (logits, then auxiliary ones) and sample
    training/output_products        (O, N)
    training/gradient_norms, training/gradient_products

The gradients are those of the sum over the outputs of output * random upstream gradient. A difference d
between two gradients moves the product by about |d|, wherever in the gradient it is.

Training mode comes first: it leaves its batch's statistics in the batch normalisations (momentum 1), with
which evaluation mode is then computed. Nothing of them needs to be stored: ours calibrates itself, and a
running statistic that is wrong shows in the logits. Dropout and stochastic depth are random and stay off.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

import minidnn
import models
from tests.reference import filling
from tests.reference.catalogue import Reference

if TYPE_CHECKING:
    import torch

Digest = dict[str, np.ndarray]
Shape = tuple[int, int, int, int]
RANDOM_LAYERS = ("dropout", "stochasticdepth", "droppath")
CALIBRATION_BATCH = 8


class Network(ABC):
    """A model, ours or the reference, as the digest sees it: arrays in, arrays out."""

    @abstractmethod
    def modules(self) -> list[tuple[str, Any]]:
        """All modules with their paths."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The trained parameters by the names they have in our model."""

    @abstractmethod
    def values(self, parameter: Any) -> np.ndarray:
        """A parameter's values, for reading and writing."""

    @abstractmethod
    def gradient(self, parameter: Any) -> np.ndarray | None:
        """What backward has left in a parameter."""

    @abstractmethod
    def train(self, mode: bool) -> None:
        """Switch the mode."""

    @abstractmethod
    def forward(self, images: np.ndarray) -> tuple[list[np.ndarray], Any]:
        """The outputs (logits first), and what `backward` needs; with gradients."""

    @abstractmethod
    def forward_only(self, images: np.ndarray) -> np.ndarray:
        """The logits, without gradients."""

    @abstractmethod
    def backward(self, tape: Any, upstream: Sequence[np.ndarray]) -> np.ndarray:
        """Fill the parameters' gradients and return the input's."""

    @abstractmethod
    def watch(self, stage: str, see: Callable[[np.ndarray], None]) -> Callable[[], None]:
        """Show every output of a stage, a path in our model, to `see`; the result ends it."""

    def fill(self, reference: Reference) -> None:
        """Give every parameter the values of the rule."""
        for name, parameter in self.parameters().items():
            values = self.values(parameter)
            values[...] = filling.parameter(name, values.shape)
            if reference.damped and name.endswith(reference.damped):
                values *= filling.DAMPING

    def set_training(self, mode: bool) -> None:
        """Switch the mode, but leave what is random off; statistics are those of the last batch alone."""
        self.train(mode)
        for _, module in self.modules():
            if type(module).__name__.lower().startswith(RANDOM_LAYERS):
                module.training = False
            if getattr(module, "running_mean", None) is not None:
                module.momentum = 1.0

    def is_normalised(self) -> bool:
        """Whether there are running statistics."""
        return any(getattr(module, "running_mean", None) is not None for _, module in self.modules())

    def count(self) -> int:
        """How many trained numbers there are."""
        return sum(self.values(parameter).size for parameter in self.parameters().values())

    def names(self) -> list[str]:
        """The rows of the digest's gradients."""
        return ["the input", *sorted(self.parameters())]


class Ours(Network):
    """A model of the project."""

    def __init__(self, model: minidnn.nn.Module) -> None:
        self.model = model

    def modules(self) -> list[tuple[str, Any]]:
        return list(self.model.named_modules())

    def parameters(self) -> dict[str, Any]:
        return dict(self.model.named_parameters())

    def values(self, parameter: Any) -> np.ndarray:
        return parameter.data

    def gradient(self, parameter: Any) -> np.ndarray | None:
        return None if parameter.grad is None else parameter.grad.data

    def train(self, mode: bool) -> None:
        self.model.train(mode)

    def forward(self, images: np.ndarray) -> tuple[list[np.ndarray], Any]:
        self.model.zero_grad()
        x = minidnn.Tensor(images, requires_grad=True)
        outputs = outputs_of(self.model(x))
        return [output.data for output in outputs], (x, outputs)

    def forward_only(self, images: np.ndarray) -> np.ndarray:
        with minidnn.no_grad():
            return outputs_of(self.model(minidnn.Tensor(images)))[0].data

    def backward(self, tape: Any, upstream: Sequence[np.ndarray]) -> np.ndarray:
        x, outputs = tape
        weighted = [
            (output * minidnn.Tensor(grad)).sum() for output, grad in zip(outputs, upstream, strict=True)
        ]
        sum(weighted[1:], weighted[0]).backward()
        return x.grad.data

    def watch(self, stage: str, see: Callable[[np.ndarray], None]) -> Callable[[], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            see(output.data)

        return self.model.get_submodule(stage).register_forward_hook(hook).remove


class Theirs(Network):
    """A reference, a `torch.nn.Module`."""

    def __init__(self, model: torch.nn.Module, key: Callable[[str], str]) -> None:
        self.model = model
        self.key = key

    def modules(self) -> list[tuple[str, Any]]:
        return list(self.model.named_modules())

    def parameters(self) -> dict[str, Any]:
        return {self.key(name): parameter for name, parameter in self.model.named_parameters()}

    def values(self, parameter: Any) -> np.ndarray:
        return parameter.detach().numpy()

    def gradient(self, parameter: Any) -> np.ndarray | None:
        return None if parameter.grad is None else parameter.grad.numpy()

    def train(self, mode: bool) -> None:
        self.model.train(mode)

    def forward(self, images: np.ndarray) -> tuple[list[np.ndarray], Any]:
        import torch

        self.model.zero_grad()
        x = torch.from_numpy(images.copy()).requires_grad_()
        # A first layer that works in place may not write into a leaf; the copy is free of that.
        outputs = outputs_of(self.model(x.clone()))
        return [output.detach().numpy() for output in outputs], (x, outputs)

    def forward_only(self, images: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            return outputs_of(self.model(torch.from_numpy(images.copy())))[0].numpy()

    def backward(self, tape: Any, upstream: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        x, outputs = tape
        torch.autograd.backward(outputs, [torch.from_numpy(grad) for grad in upstream])
        return x.grad.numpy()

    def watch(self, stage: str, see: Callable[[np.ndarray], None]) -> Callable[[], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            see(output.detach().numpy())

        return self.model.get_submodule(self.path_of(stage)).register_forward_hook(hook).remove

    def path_of(self, stage: str) -> str:
        """The path of our module `stage` in the reference: named so by `key`, or holding its parameters."""
        for path, _ in self.modules():
            try:
                if path and self.key(path) == stage:
                    return path
            except (KeyError, ValueError, IndexError):
                continue  # a key made for the names of parameters only
        held = [
            name.split(".")
            for name, _ in self.model.named_parameters()
            if self.key(name).startswith(f"{stage}.")
        ]
        if not held:
            raise ValueError(f"the reference has no module for stage {stage!r}")
        alike = takewhile(lambda parts: len(set(parts)) == 1, zip(*held, strict=False))
        common = [parts[0] for parts in alike]
        depth = min(len(common), min(map(len, held)) - 1)
        return ".".join(common[:depth])


def outputs_of(result: Any) -> list[Any]:
    """The logits, followed by what auxiliary heads give."""
    return [output for output in result if output is not None] if isinstance(result, tuple) else [result]


def ours(reference: Reference, **arguments: Any) -> Ours:
    """Our model in float64, filled."""
    network = Ours(models.create(reference.model, **{**reference.arguments, **arguments}).double())
    network.fill(reference)
    return network


def theirs(reference: Reference) -> Theirs:
    """The reference in float64, filled."""
    network = Theirs(reference.build().double(), reference.key)
    network.fill(reference)
    return network


def digest(network: Network, reference: Reference, shape: Shape, training_shape: Shape | None) -> Digest:
    """Calibrate the network and take its digest."""
    result: Digest = {}
    if training_shape is not None:
        network.set_training(True)
        outputs, gradients = both_ways(network, "training", filling.normal("training images", training_shape))
        result["training/output_norms"] = np.array(
            [np.linalg.norm(rows(output), axis=1) for output in outputs]
        )
        result["training/output_products"] = np.array(
            [
                (rows(output) * rows(filling.normal(f"training/output {i}", output.shape))).sum(axis=1)
                for i, output in enumerate(outputs)
            ]
        )
        result |= {f"training/{name}": values for name, values in gradients.items()}
    elif network.is_normalised():
        calibrate(network, (CALIBRATION_BATCH, *shape[1:]))
    network.set_training(False)
    stages: dict[str, np.ndarray] = {}
    endings = [network.watch(name, recorder(stages, name)) for name in reference.stages]
    outputs, gradients = both_ways(network, "evaluation", evaluation_images(reference, shape))
    for end in endings:
        end()
    if len(outputs) != 1:
        raise AssertionError(f"{reference.name} has {len(outputs)} outputs in evaluation mode")
    result["evaluation/logits"] = outputs[0].copy()
    result["evaluation/stages"] = np.array([stages[name] for name in reference.stages]).reshape(-1, 4)
    result |= {f"evaluation/{name}": values for name, values in gradients.items()}
    return result


def rows(output: np.ndarray) -> np.ndarray:
    return output.reshape(len(output), -1)


def calibrate(network: Network, shape: Shape) -> None:
    """Leave the fixed batch's mean and unbiased variance in the running statistics."""
    network.set_training(True)
    network.forward_only(filling.normal("training images", shape))


def evaluation_images(reference: Reference, shape: Shape) -> np.ndarray:
    """The input in evaluation mode."""
    return reference.contrast * filling.normal("evaluation images", shape)


def both_ways(network: Network, mode: str, images: np.ndarray) -> tuple[list[np.ndarray], Digest]:
    """The outputs for the images, and the norms and products of all gradients."""
    outputs, tape = network.forward(images)
    upstream = [filling.normal(f"{mode} upstream {i}", output.shape) for i, output in enumerate(outputs)]
    kept = [output.copy() for output in outputs]
    gradients: dict[str, np.ndarray | None] = {"the input": network.backward(tape, upstream)}
    parameters = network.parameters()
    gradients |= {name: network.gradient(parameters[name]) for name in sorted(parameters)}
    norms, products = [], []
    for name, gradient in gradients.items():
        if gradient is None:  # heads that take no part in this mode
            norms.append(0.0)
            products.append(0.0)
            continue
        norms.append(float(np.linalg.norm(gradient)))
        products.append(float((gradient * filling.normal(f"direction of {name}", gradient.shape)).sum()))
    return kept, {"gradient_norms": np.array(norms), "gradient_products": np.array(products)}


def recorder(stages: dict[str, np.ndarray], name: str) -> Callable[[np.ndarray], None]:
    """A function that notes the statistics of an activation."""

    def see(activation: np.ndarray) -> None:
        direction = filling.normal(f"direction of {name}", activation.shape)
        stages[name] = np.array(
            [
                activation.mean(),
                np.sqrt(np.square(activation).mean()),
                np.abs(activation).max(),
                (activation * direction).sum() / np.sqrt(activation.size),
            ]
        )

    return see
