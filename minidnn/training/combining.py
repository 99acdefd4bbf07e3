"""Better answers from the same weights: several models asked, or one model asked about several crops.

Sources: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012,
section 4.1 (crops of the corners and the centre, averaged probabilities); Hansen and Salamon, "Neural network
ensembles", 1990.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import check_integer
from minidnn.functional.activation import softmax
from minidnn.functional.padding import pad
from minidnn.functional.shape import stack
from minidnn.nn.container import ModuleList
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class Ensemble(Module):
    """Models whose probabilities are averaged: scores = log(1/M sum_m softmax(model_m(x))).

    The scores' softmax is the mean of the models' probabilities, so that losses and accuracies are taken as
    of one model.

    Shapes: input what the models take; output (N, classes).

    Args:
        models: at least one.

    Raises:
        ValueError: no models.
    """

    def __init__(self, models: Sequence[Module]) -> None:
        super().__init__()
        if not models:
            raise ValueError("models must hold at least one model, got none")
        self.models = ModuleList(models)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithm of the mean probability of every class."""
        return _log_of_mean([model(x) for model in self.models])


class MultiCrop(Module):
    """One model's probabilities averaged over five crops: the corners' and the centre's.

        scores = log(1/5 sum_c softmax(model(crop_c(x))))

    Shapes: input (N, C, H, W); the model is given (N, C, size, size); output (N, classes).

    Args:
        model: takes images of `size`.
        size: height and width of the crops, at most the image's with its border.
        padding: width of a border of zeros that the image is given first.

    Raises:
        ValueError, TypeError: a size below 1 or a negative padding, or no integers; on call, images too
            small.
    """

    def __init__(self, model: Module, size: int, padding: int = 0) -> None:
        super().__init__()
        self.model = model
        self.size = check_integer("size", size, minimum=1)
        self.padding = check_integer("padding", padding, minimum=0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithm of the mean probability of every class."""
        if self.padding:
            x = pad(x, (self.padding,) * 4)  # (N, C, H + 2 padding, W + 2 padding)
        down, right = x.shape[2] - self.size, x.shape[3] - self.size
        if down < 0 or right < 0:
            raise ValueError(f"x must have at least {self.size}x{self.size} pixels, got shape {x.shape}")
        places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
        crops = [x[:, :, row : row + self.size, column : column + self.size] for row, column in places]
        return _log_of_mean([self.model(crop) for crop in crops])


def _log_of_mean(scores: Sequence[Tensor]) -> Tensor:
    return stack([softmax(each, dim=1) for each in scores]).mean(0).log()  # (N, classes)
