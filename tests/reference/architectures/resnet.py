"""What the ImageNet ResNets, their plain twins and the ResNeXts are compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.reference.catalogue import Reference, torchvision_models

# The last map is 2x2, out of sides that do not halve evenly.
SHAPE = (2, 3, 40, 33)
TRAINING_SHAPE = (3, 3, 33, 64)
# More values: statistics of few make a network without shortcuts amplify rounding errors in evaluation mode.
PLAIN_TRAINING_SHAPE = (6, 3, 64, 65)
STAGES = ("layer1", "layer2", "layer3", "layer4")

PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
}
SLOW = ("resnet101", "resnet152", "resnext101_32x8d", "resnext101_64x4d")


def torchvision(name: str) -> Any:
    return getattr(torchvision_models(), name)(weights=None)


def plain(pairs: tuple[int, int, int, int]) -> Any:
    from tests.reference.torch_references.resnet import plain_imagenet

    return plain_imagenet(pairs)


def plain_key(name: str) -> str:
    """The reference has a stage's layers in one sequence, a block's number before a hyphen."""
    return name.replace("-", ".")


# The plain networks lack ResNet-18's and 34's three projections with their batch norms:
# 64*128 + 2*128 + 128*256 + 2*256 + 256*512 + 2*512 = 173,824 parameters less.
PLAIN = {"plain18": ((2, 2, 2, 2), 11_515_688), "plain34": ((3, 4, 6, 3), 21_623_848)}

REFERENCES = [
    Reference(
        name,
        partial(torchvision, name),
        f"torchvision 0.28.0 {name}",
        parameters=parameters,
        shape=SHAPE,
        training_shape=TRAINING_SHAPE,
        slow=name in SLOW,
        damped="bn3.weight",
        stages=STAGES,
    )
    for name, parameters in PARAMETERS.items()
] + [
    Reference(
        name,
        partial(plain, pairs),
        "torch.nn from He et al. 2015, table 1 and figure 3",
        parameters=parameters,
        shape=SHAPE,
        training_shape=PLAIN_TRAINING_SHAPE,
        key=plain_key,
        stages=STAGES,
    )
    for name, (pairs, parameters) in PLAIN.items()
]
