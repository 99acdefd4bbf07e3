"""What a transform is, and several in a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kernels.array import shown

if TYPE_CHECKING:
    from numpy.random import Generator


class Transform(ABC):
    """Makes a picture of a picture; random numbers come from the generator that it is handed.

    A picture is an image (C, H, W) of uint8 or floating values, a Pillow image, an `Item`, or a data set's
    tuple (image, label or target). The result is of the same kind, its image an array.
    """

    @abstractmethod
    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return the new picture."""


class RandomTransform(Transform):
    """A transform that draws its arguments, and so needs a generator."""

    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return the new picture.

        Raises:
            TypeError: no generator, or what is given is no picture.
            ValueError: the picture does not suit the transform.
        """
        if random is None:
            name = type(self).__name__
            raise TypeError(
                f"random must be a generator for {name} to draw from: call {name}(...)(picture, random), "
                "or give the transform to DataLoader(transform=...)"
            )
        return self.drawn(picture, random)

    @abstractmethod
    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the arguments and return the new picture."""


class Compose(Transform):
    """Transforms one after the other; the generator is handed from each to the next.

    Args:
        transforms: each is called with (picture, random).

    Raises:
        TypeError: one of them cannot be called.
    """

    def __init__(self, transforms: Sequence[Callable[[Any, Any], Any]]) -> None:
        self.transforms = tuple(transforms)
        for transform in self.transforms:
            if not callable(transform):
                raise TypeError(f"transforms must be callable, got {shown(transform)}")

    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return what the last transform gives."""
        for transform in self.transforms:
            picture = transform(picture, random)
        return picture
