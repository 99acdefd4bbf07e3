"""What the MobileNets are compared with."""

from __future__ import annotations

from typing import Any

from tests.reference.catalogue import Reference, torchvision_models

# Both sides become odd on the way (72, 36, 18, 9, 5, 3 and 56, 28, 14, 7, 4, 2), so that both conventions of
# padding at stride 2 meet even and odd maps; the last batch norm sees 2 * 3 * 2 = 12 values per channel.
SHAPE = (2, 3, 72, 56)


def mobilenet_v1() -> Any:
    from tests.reference.torch_references.mobilenet import MobileNet

    return MobileNet(1.0)


def mobilenet_v1_key(name: str) -> str:
    from tests.reference.torch_references.mobilenet import key

    return key(name)


def mobilenet_v3(size: str) -> Any:
    """torchvision's, but for the hard sigmoid, of which PyTorch's backward has a slope of only float32."""
    from torch import nn

    from tests.torch_bridge import Hardsigmoid

    model = getattr(torchvision_models(), f"mobilenet_v3_{size}")()
    for module in model.modules():
        if isinstance(getattr(module, "scale_activation", None), nn.Hardsigmoid):
            module.scale_activation = Hardsigmoid()
    return model


REFERENCES = [
    Reference(
        "mobilenet_v1",
        mobilenet_v1,
        "torch.nn from Howard et al. 2017, table 1, itself compared with Keras 3.15.1 MobileNet",
        parameters=4_231_976,
        shape=SHAPE,
        training_shape=SHAPE,
        key=mobilenet_v1_key,
        stages=("features.0.1", "features.1.0.1", "features.2.1.1", "features.7.1.1", "features.13.1.1"),
        contrast=4.0,
    ),
    Reference(
        "mobilenet_v2",
        lambda: torchvision_models().mobilenet_v2(),
        "torchvision 0.28.0 mobilenet_v2",
        parameters=3_504_872,
        shape=SHAPE,
        training_shape=SHAPE,
        stages=("features.0", "features.1", "features.3", "features.6", "features.13", "features.18"),
        contrast=4.0,
    ),
    Reference(
        "mobilenet_v3_large",
        lambda: mobilenet_v3("large"),
        "torchvision 0.28.0 mobilenet_v3_large",
        parameters=5_483_032,
        shape=SHAPE,
        training_shape=SHAPE,
        stages=("features.0", "features.1", "features.4", "features.7", "features.12", "features.16"),
    ),
    Reference(
        "mobilenet_v3_small",
        lambda: mobilenet_v3("small"),
        "torchvision 0.28.0 mobilenet_v3_small",
        parameters=2_542_856,
        shape=SHAPE,
        training_shape=SHAPE,
        stages=("features.0", "features.1", "features.4", "features.8", "features.12"),
    ),
]
