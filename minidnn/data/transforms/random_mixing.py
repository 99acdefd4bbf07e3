"""Cutout, of a picture, and mixup, of a batch (see `functional/mixing.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernels.array import Array, check_integer, check_number
from minidnn.data.transforms import functional
from minidnn.data.transforms.item import size_of
from minidnn.data.transforms.pixels import Fill
from minidnn.data.transforms.transform import RandomTransform
from minidnn.tensor import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Cutout(RandomTransform):
    """Fills a square around a random pixel, as far as it lies within the image.

    The square's rows are `length` from r - length // 2 on, its columns likewise; (r, c) is drawn evenly from
    all pixels, so part of the square may fall outside.

    Args:
        length: of a side, at least 1.
        fill: one number or one per channel. The paper fills with 0 after normalisation.

    Raises:
        TypeError, ValueError: a length below 1.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
        arXiv:1708.04552, section 3.2.
    """

    length: int
    fill: Fill = 0

    def __post_init__(self) -> None:
        check_integer("length", self.length, minimum=1)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the pixel, and fill."""
        top, left = (int(random.integers(0, size)) - self.length // 2 for size in size_of(picture))
        return functional.erase(picture, top, left, self.length, self.length, self.fill)


@dataclass(frozen=True)
class Mixup:
    """Blends every example of a batch with another one (see `functional.mixup`); for whole batches.

        loader = DataLoader(..., batch_transform=Mixup(num_classes=10))

    The share is drawn from Beta(alpha, alpha), one for the batch; the partners are a random permutation. A
    mixed example has no one right class: `Trainer` counts the one with the larger share.

    Args:
        num_classes: labels in [0, num_classes) become probabilities, which `cross_entropy` takes.
        alpha: above 0; small ones leave most batches nearly as they are.

    Raises:
        TypeError, ValueError: no classes, or alpha is not above 0.

    Source: Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, section 2.
    """

    num_classes: int
    alpha: float = 0.2

    def __post_init__(self) -> None:
        check_integer("num_classes", self.num_classes, minimum=1)
        if check_number("alpha", self.alpha, minimum=0) == 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")

    def __call__(self, batch: tuple[Tensor, Tensor], random: Generator) -> tuple[Tensor, Tensor]:
        """Return the mixed inputs (N, ...) and probabilities float32 (N, num_classes).

        Args:
            batch: inputs (N, ...), floating, and labels (N,).
            random: draws the share and the partners.

        Raises:
            TypeError, ValueError: as `functional.one_hot` and `functional.mixup`.
        """
        images, labels = batch
        share = float(random.beta(self.alpha, self.alpha))
        order: Array = random.permutation(len(labels.data))
        targets = functional.one_hot(labels.data, self.num_classes)
        mixed, probabilities = functional.mixup(images.data, targets, order, share)
        return Tensor(mixed), Tensor(probabilities)
