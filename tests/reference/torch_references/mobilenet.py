"""MobileNet once more, in torch.nn, from table 1 of Howard et al. 2017.

Padding, ReLU6 and batch norm's constant are those of the authors' TensorFlow code; test_mobilenet.py
compares this file's model with Keras's.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# Type / stride and filter shape, as printed; the last depthwise stride is printed as 2 but keeps 7x7.
TABLE_1 = """
    conv s2     3 x 3 x 3 x 32
    conv_dw s1  3 x 3 x 32
    conv s1     1 x 1 x 32 x 64
    conv_dw s2  3 x 3 x 64
    conv s1     1 x 1 x 64 x 128
    conv_dw s1  3 x 3 x 128
    conv s1     1 x 1 x 128 x 128
    conv_dw s2  3 x 3 x 128
    conv s1     1 x 1 x 128 x 256
    conv_dw s1  3 x 3 x 256
    conv s1     1 x 1 x 256 x 256
    conv_dw s2  3 x 3 x 256
    conv s1     1 x 1 x 256 x 512
    conv_dw s1  3 x 3 x 512
    conv s1     1 x 1 x 512 x 512
    conv_dw s1  3 x 3 x 512
    conv s1     1 x 1 x 512 x 512
    conv_dw s1  3 x 3 x 512
    conv s1     1 x 1 x 512 x 512
    conv_dw s1  3 x 3 x 512
    conv s1     1 x 1 x 512 x 512
    conv_dw s1  3 x 3 x 512
    conv s1     1 x 1 x 512 x 512
    conv_dw s2  3 x 3 x 512
    conv s1     1 x 1 x 512 x 1024
    conv_dw s1  3 x 3 x 1024
    conv s1     1 x 1 x 1024 x 1024
"""


class Same(nn.Module):
    """Zeros so that every stride-th pixel is the first of a window's own: more at the end than before."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = []
        for length in (x.shape[3], x.shape[2]):
            remainder = length % self.stride or self.stride
            missing = max(self.kernel - remainder, 0)
            sides += [missing // 2, missing - missing // 2]
        return functional.pad(x, sides)


class MobileNet(nn.Module):
    def __init__(self, alpha: float, classes: int = 1000) -> None:
        super().__init__()
        for number, line in enumerate(TABLE_1.strip().splitlines()):
            kind, stride, *sizes = line.replace(" x ", " ").split()
            kernel, step = int(sizes[0]), int(stride[1:])
            before = 3 if number == 0 else int(alpha * int(sizes[2]))
            after = before if kind == "conv_dw" else int(alpha * int(sizes[3]))
            groups = before if kind == "conv_dw" else 1
            convolution = nn.Conv2d(before, after, kernel, step, groups=groups, bias=False)
            self.add_module(f"pad{number}", Same(kernel, step))
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after, eps=1e-3))
        self.fc = nn.Linear(after, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number in range(27):
            x = self.get_submodule(f"conv{number}")(self.get_submodule(f"pad{number}")(x))
            x = self.get_submodule(f"bn{number}")(x).clamp(0, 6)
        return self.fc(x.mean((2, 3)))


def key(name: str) -> str:
    """From this file's state_dict keys to ours: layer 0, then pairs of a depthwise and a pointwise one."""
    layer, leaf = name.split(".")
    if layer == "fc":
        return f"classifier.1.{leaf}"
    kind, number = ("0", layer[4:]) if layer.startswith("conv") else ("1", layer[2:])
    if number == "0":
        return f"features.0.{kind}.{leaf}"
    block, part = divmod(int(number) + 1, 2)
    return f"features.{block}.{part}.{kind}.{leaf}"
