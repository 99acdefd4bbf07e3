"""What network in network is compared with. Without batch normalisation training mode computes the same."""

from __future__ import annotations

from typing import Any

from models.nin import pytorchcv_key
from tests.reference.catalogue import Reference


def nin() -> Any:
    from tests.reference.torch_references.nin import nin

    return nin()


def nin_cifar10() -> Any:
    from pytorchcv.models.nin_cifar import nin_cifar10

    return nin_cifar10()


def nin_key(name: str) -> str:
    """The reference counts layers through: seven per mlpconv, the pooling included."""
    index, _, kind = name.partition(".")
    stage, layer = divmod(int(index), 7)
    return f"features.{2 * stage + (stage == 3)}.{layer}.{kind}"


REFERENCES = [
    Reference(
        "nin",
        nin,
        "torch.nn from the network released with Lin et al. 2013",
        # (363 + 1) 96 + 2 (96 + 1) 96 + (2,400 + 1) 256 + 2 (256 + 1) 256 + (2,304 + 1) 384
        # + 2 (384 + 1) 384 + (3,456 + 1) 1,024 + (1,024 + 1) 1,024 + (1,024 + 1) 1,000
        parameters=7_595_176,
        shape=(2, 3, 64, 80),
        training_shape=None,
        key=nin_key,
    ),
    Reference(
        "nin_cifar10",
        nin_cifar10,
        "pytorchcv 0.0.74 nin_cifar10",
        parameters=966_986,
        shape=(2, 3, 32, 32),
        training_shape=None,
        key=pytorchcv_key,
        stages=("features.0.0", "features.3.0", "features.6.0"),
        fixed_size=True,
    ),
]
