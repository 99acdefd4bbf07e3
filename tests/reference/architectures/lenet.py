"""What the LeNets are compared with."""

from __future__ import annotations

from typing import Any

from tests.reference.catalogue import Reference


def lenet5() -> Any:
    from tests.reference.torch_references.lenet import lenet5

    return lenet5()


def lenet5_paper() -> Any:
    from tests.reference.torch_references.lenet import LeNet5Paper

    return LeNet5Paper()


def lenet_dlib() -> Any:
    from torch import nn

    from tests.reference.torch_references.lenet import lenet28

    return lenet28(2, nn.MaxPool2d(2))


def lenet_d2l() -> Any:
    from torch import nn

    from tests.reference.torch_references.lenet import lenet28

    return lenet28(0, nn.AvgPool2d(2))


# None has a normalisation or dropout: training mode computes the same.
REFERENCES = [
    Reference(
        "lenet5",
        lenet5,
        "torch.nn from LeCun et al. 1998, figure 2",
        parameters=61_706,
        shape=(2, 1, 32, 32),
        training_shape=None,
        stages=("c1", "s2", "c3", "s4", "c5", "f6"),
        fixed_size=True,
    ),
    Reference(
        "lenet5_paper",
        lenet5_paper,
        "torch.nn from LeCun et al. 1998, figure 2 and table I",
        # The paper's layers: 156 + 12 + 1,516 + 32 + 48,120 + 10,164 = 60,000, and 850 of the linear output.
        parameters=60_850,
        shape=(2, 1, 32, 32),
        training_shape=None,
        stages=("c1", "c5", "f6"),
        fixed_size=True,
    ),
    Reference(
        "lenet_dlib",
        lenet_dlib,
        "torch.nn from dlib's introduction to deep learning",
        # 156 + 2,416 + (784 + 1) 120 + 10,164 + 850
        parameters=107_786,
        shape=(2, 1, 28, 28),
        training_shape=None,
        stages=("conv1", "conv2", "fc1", "fc2"),
        fixed_size=True,
    ),
    Reference(
        "lenet_d2l",
        lenet_d2l,
        "torch.nn from Zhang et al., Dive into deep learning, section 7.6",
        # LeNet-5's layers: 156 + 2,416 + 48,120 + 10,164 + 850
        parameters=61_706,
        shape=(2, 1, 28, 28),
        training_shape=None,
        stages=("conv1", "conv2", "fc1", "fc2"),
        fixed_size=True,
    ),
]
