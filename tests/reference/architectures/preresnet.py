"""What the pre-activation ResNets are compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from models.preresnet import pytorchcv_key
from tests.reference.architectures.resnet import SHAPE, STAGES, TRAINING_SHAPE
from tests.reference.catalogue import Reference

# preresnet200 is preresnet152 with 16 more units of 512 channels at 28x28, by hand each
# 2*512 + 512*128 + 2*128 + 9*128*128 + 2*128 + 128*512 = 280,064 parameters.
IMAGENET = {
    "preresnet18": 11_687_848,
    "preresnet50": 25_549_480,
    "preresnet101": 44_541_608,
    "preresnet152": 60_185_256,
    "preresnet200": 60_185_256 + 16 * 280_064,
}
DEEP = ("preresnet101", "preresnet152", "preresnet200")

# Basic units have the parameters of the first paper's ResNet-110: a batch norm before the convolution that
# follows it costs what it cost behind the one before. Bottlenecks of widths w and 4w, n in each stage:
#   a unit that keeps its shape   2*4w + 4w*w + 2w + 9w^2 + 2w + 4w*w = 17w^2 + 12w: 4,544, 17,792, 70,400
#   the first of each stage       4,704 (16 channels in), 23,808 (64), 94,720 (128), with their projections
#   beside the stages             432 + 2*256 + 2,570
# in all (n - 1) 92,736 + 126,746; table 4 rounds it to 1.7 and 10.2 million.
CIFAR = {
    "preresnet110": (18, False, 1_727_962),
    "preresnet164": (18, True, 1_703_258),
    "preresnet1001": (111, True, 10_327_706),
}


def pytorchcv(name: str) -> Any:
    """pytorchcv's network; its last pooling, fixed to 7x7, averages over maps of any size here."""
    from pytorchcv.models import preresnet
    from torch import nn

    model = getattr(preresnet, name)()
    model.features.final_pool = nn.AdaptiveAvgPool2d(1)
    return model


def cifar(n: int, bottleneck: bool, design: str = "full_preactivation") -> Any:
    from tests.reference.torch_references.preresnet import CifarPreResNet

    return CifarPreResNet(n, bottleneck, design)


REFERENCES = [
    Reference(
        name,
        partial(pytorchcv, name),
        f"pytorchcv 0.0.74 {name}",
        parameters=parameters,
        shape=SHAPE,
        training_shape=TRAINING_SHAPE,
        key=pytorchcv_key,
        slow=name in DEEP,
        damped="branch.conv3.weight",
        stages=STAGES,
    )
    for name, parameters in IMAGENET.items()
] + [
    Reference(
        name,
        partial(cifar, n, bottleneck),
        "torch.nn from He et al. 2016, figure 4 and appendix",
        parameters=parameters,
        shape=(2, 3, 9, 8),
        training_shape=(2, 3, 8, 9),
        slow=name == "preresnet1001",
        damped="branch.conv3.weight" if bottleneck else "",
        stages=STAGES[:3],
    )
    for name, (n, bottleneck, parameters) in CIFAR.items()
]

# The paper's other orders of the same layers: table 2 and figure 4.
VARIANTS = [
    Reference(
        f"preresnet110_{design}",
        partial(cifar, 18, False, design),
        "torch.nn from He et al. 2016, figure 4 and appendix",
        parameters=CIFAR["preresnet110"][2],
        shape=(2, 3, 9, 8),
        training_shape=(2, 3, 8, 9),
        arguments={"unit": design},
        slow=True,
        # A batch norm on the shortcut, 54 times over, makes small errors large where the branches are.
        damped="branch.conv2.weight" if design == "bn_after_addition" else "",
        stages=STAGES[:3],
        variant_of="preresnet110",
    )
    for design in ("original", "bn_after_addition", "relu_before_addition", "relu_only_preactivation")
]
