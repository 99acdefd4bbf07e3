"""What the CIFAR ResNets and their plain twins are compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.reference.architectures.resnet import plain_key
from tests.reference.catalogue import Reference

# n, and the parameters by hand: convolutions 3*16*9, then per stage of width w and 2n layers
# 2n * 9w^2 (9w^2 / 2 less for the layer that widens) and 2w per batch norm, at last 64*10 + 10:
#   stage 1: 2n*2,304 + 4n*16;  stage 2: 2n*9,216 - 4,608 + 4n*32;  stage 3: 2n*36,864 - 18,432 + 4n*64
#   in all 97,216n - 23,040 + 432 + 32 + 650 = 97,216n - 21,926
# which rounds to table 6's 0.27, 0.46, 0.66, 0.85 and 1.7 million.
PARAMETERS = {
    "resnet20": (3, 269_722),
    "resnet32": (5, 464_154),
    "resnet44": (7, 658_586),
    "resnet56": (9, 853_018),
    "resnet110": (18, 1_727_962),
    "plain20": (3, 269_722),
    "plain56": (9, 853_018),
}


def build(name: str, n: int) -> Any:
    from tests.reference.torch_references.resnet import CifarResNet, plain_cifar

    return plain_cifar(n) if name.startswith("plain") else CifarResNet(n)


REFERENCES = [
    Reference(
        name,
        partial(build, name, n),
        "torch.nn from He et al. 2015, section 4.2",
        parameters=parameters,
        shape=(2, 3, 9, 8),
        training_shape=(8, 3, 16, 17),
        key=plain_key,
        stages=("layer1", "layer2", "layer3"),
    )
    for name, (n, parameters) in PARAMETERS.items()
]
