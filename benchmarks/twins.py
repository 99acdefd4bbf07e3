"""A network of ours and its independent twin in PyTorch, with equal weights and calibrated statistics.

The twins, and the rule that fills them, are those of the tests (tests/reference): they have been compared
layer by layer, logits and all gradients, in float64.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import minidnn
from kernels.array import Array
from minidnn import functional
from minidnn.optim import SGD
from tests.reference import digest
from tests.reference.catalogue import Reference, references

if TYPE_CHECKING:
    import torch

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 1e-3, 0.9, 1e-4


@dataclass(frozen=True)
class Twins:
    """Both networks, in float64 until `narrow`.

    Attributes:
        reference: the row of the tests' table.
        ours: our network.
        theirs: PyTorch's.
    """

    reference: Reference
    ours: digest.Ours
    theirs: digest.Theirs

    def images(self, batch: int, size: tuple[int, int, int]) -> Array:
        """A float32 batch of images (N, C, H, W)."""
        return digest.evaluation_images(self.reference, (batch, *size)).astype(np.float32)

    def narrow(self) -> None:
        """Go on in float32."""
        self.ours.model.float()
        self.theirs.model.float()


def build(network: str) -> Twins:
    """Build, fill and calibrate both (ValueError for a model without a reference)."""
    known = references()
    if network not in known:
        raise ValueError(f"network {network!r} has no reference in PyTorch; there are: {', '.join(known)}")
    reference = known[network]
    twins = Twins(reference, digest.ours(reference), digest.theirs(reference))
    for side in (twins.ours, twins.theirs):
        if reference.training_shape is not None and side.is_normalised():
            digest.calibrate(side, reference.training_shape)
        side.set_training(False)
    return twins


def channels_last(model: torch.nn.Module) -> torch.nn.Module:
    """A copy whose weights lie in memory as images with the channels innermost."""
    import torch

    return copy.deepcopy(model).to(memory_format=torch.channels_last)


class OurStep:
    """One training step of ours on a device: forward, loss, backward, SGD."""

    def __init__(self, network: digest.Ours, images: Array, device: str = "cpu") -> None:
        self.network = network
        self.model = network.model.to(device)
        self.images, self.labels = (
            minidnn.Tensor(array).to(device) for array in (images, labels(len(images)))
        )
        self.optimizer = SGD(
            self.model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )

    def backward(self) -> minidnn.Tensor:
        """Forward and backward, and the loss; the gradients of earlier steps are forgotten."""
        self.optimizer.zero_grad()
        outputs = digest.outputs_of(self.model(self.images))
        loss = functional.cross_entropy(outputs[0], self.labels)
        loss.backward()
        return loss

    def gradients(self) -> tuple[float, dict[str, Array]]:
        """The loss, and the parameters' gradients by name."""
        loss = self.backward()
        named = self.model.named_parameters()
        found = {name: p.grad.to("cpu").numpy().copy() for name, p in named if p.grad is not None}
        return float(loss.item()), found

    def state(self) -> Any:
        """All parameters and statistics as they are now."""
        return {name: value.to("cpu").numpy().copy() for name, value in self.model.state_dict().items()}

    def restore(self, state: Any) -> None:
        """Go back to an earlier state."""
        self.model.load_state_dict(state)

    def __call__(self) -> None:
        self.backward()
        self.optimizer.step()


class TheirStep:
    """The same in PyTorch eager."""

    def __init__(
        self, network: digest.Theirs, images: Array, layout: Any = None, device: str = "cpu"
    ) -> None:
        import torch

        self.network = network
        self.model = network.model.to(device)
        self.images, self.labels = (
            torch.from_numpy(array).to(device) for array in (images, labels(len(images)))
        )
        if layout is not None:
            self.images = self.images.to(memory_format=layout)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )

    def backward(self) -> torch.Tensor:
        """Forward and backward, and the loss; the gradients of earlier steps are forgotten."""
        import torch

        self.optimizer.zero_grad()
        outputs = digest.outputs_of(self.model(self.images))
        loss = torch.nn.functional.cross_entropy(outputs[0], self.labels)
        loss.backward()
        return loss

    def gradients(self) -> tuple[float, dict[str, Array]]:
        """The loss, and the parameters' gradients by our names."""
        loss = self.backward()
        named = self.network.parameters().items()
        found = {name: p.grad.cpu().numpy().copy() for name, p in named if p.grad is not None}
        return float(loss.item()), found

    def state(self) -> Any:
        """All parameters and statistics as they are now."""
        return copy.deepcopy(self.model.state_dict())

    def restore(self, state: Any) -> None:
        """Go back to an earlier state."""
        self.model.load_state_dict(state)

    def __call__(self) -> None:
        self.backward()
        self.optimizer.step()


Step = OurStep | TheirStep


def labels(batch: int) -> Array:
    """A class per image, among ten: every network has as many."""
    return np.random.default_rng(0).integers(0, 10, batch)
