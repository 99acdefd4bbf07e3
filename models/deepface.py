"""DeepFace (2014): a face's parts always lie in the same places, so every place gets filters of its own.

Paper: Taigman, Yang, Ranzato, Wolf, "DeepFace: closing the gap to human-level performance in face
verification", CVPR 2014, section 3 and figure 2, on faces aligned in three dimensions.

Deviations: the table's numbers give 118,923,774 parameters where the paper says "more than 120 million". The
alignment, the normalisation of F7's outputs and the comparison of two faces come before and after the network
and are not part of it.
"""

from __future__ import annotations

from typing import Any

from kernels.window import Window, pair
from minidnn.nn import Conv2d, Dropout, Linear, LocallyConnected2d, MaxPool2d, Module, ReLU
from minidnn.tensor import Tensor
from models.blocks import initialize_normal
from models.registry import register

# The windows of figure 2, kernel and stride, from the first layer to the last.
WINDOWS = {
    "c1": Window.of(11),
    "m2": Window.of(3, 2, ceil_mode=True),
    "c3": Window.of(9),
    "l4": Window.of(9),
    "l5": Window.of(7, 2),
    "l6": Window.of(5),
}


class DeepFace(Module):
    """DeepFace, layer by layer as in the paper's figure 2.

        layer                    maps or units   kernel   stride   size at 152   parameters
        C1   convolution         32              11x11    1        142x142       11,648
        M2   max pooling         32              3x3      2        71x71
        C3   convolution         16              9x9      1        63x63         41,488
        L4   locally connected   16              9x9      1        55x55         62,774,800
        L5   locally connected   16              7x7      2        25x25         7,850,000
        L6   locally connected   16              5x5      1        21x21         2,829,456
        F7   fully connected     4096                                            28,905,472
        F8   fully connected     4030                                            16,510,910
                                                                                 118,923,774 in all

    Args:
        num_classes: how many outputs, the persons of the training set.
        in_channels: channels of the images.
        dropout: probability that an output of F7 is dropped in training.
        image_size: the images' size, an integer or (H, W), at least 72. The locally connected layers' sizes
            hang on it.

    Shapes: x (N, in_channels, *image_size); result (N, num_classes).

    Raises:
        ValueError: images too small for a layer.
    """

    def __init__(
        self, num_classes: int = 4030, in_channels: int = 3, dropout: float = 0.5, image_size: Any = 152
    ) -> None:
        super().__init__()
        size = pair("image_size", image_size, minimum=1)
        sizes = {}  # of every layer's input
        for name, window in WINDOWS.items():
            sizes[name] = size
            size = window.output_size(size)
        self.c1 = Conv2d(in_channels, 32, 11)
        self.m2 = MaxPool2d(3, stride=2, ceil_mode=True)
        self.c3 = Conv2d(32, 16, 9)
        self.l4 = LocallyConnected2d(16, 16, sizes["l4"], 9)
        self.l5 = LocallyConnected2d(16, 16, sizes["l5"], 7, stride=2)
        self.l6 = LocallyConnected2d(16, 16, sizes["l6"], 5)
        self.f7 = Linear(16 * size[0] * size[1], 4096)
        self.f8 = Linear(4096, num_classes)
        self.relu = ReLU()
        self.dropout = Dropout(dropout)
        layers = (self.c1, self.c3, self.l4, self.l5, self.l6, self.f7, self.f8)
        initialize_normal(layers, std=0.01, bias=0.5)  # section 3.2

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per person."""
        x = self.m2(self.relu(self.c1(x)))  # (N, 32, 71, 71)
        x = self.relu(self.c3(x))  # (N, 16, 63, 63)
        x = self.relu(self.l4(x))  # (N, 16, 55, 55)
        x = self.relu(self.l5(x))  # (N, 16, 25, 25)
        x = self.relu(self.l6(x)).flatten(1)  # (N, 16 * 21 * 21)
        x = self.dropout(self.relu(self.f7(x)))  # (N, 4096)
        scores: Tensor = self.f8(x)  # (N, num_classes)
        return scores


@register(input_shape=(3, 152, 152))
def deepface(
    num_classes: int = 4030, in_channels: int = 3, dropout: float = 0.5, image_size: Any = 152
) -> DeepFace:
    """DeepFace (2014): locally connected layers, 118,923,774 parameters."""
    return DeepFace(num_classes, in_channels, dropout, image_size)
