"""What the AlexNets and ZFNet are compared with. None has batch normalisation: training computes the same."""

from __future__ import annotations

from typing import Any

from models.zfnet import pytorchcv_key
from tests.reference.catalogue import Reference, torchvision_models


def alexnet() -> Any:
    return torchvision_models().alexnet(weights=None)


def alexnet_paper() -> Any:
    from tests.reference.torch_references.alexnet import AlexNetPaper

    return AlexNetPaper()


def alexnet_d2l() -> Any:
    from tests.reference.torch_references.alexnet import alexnet_d2l

    return alexnet_d2l()


def zfnet() -> Any:
    from pytorchcv.models.zfnet import zfnet

    return zfnet()


D2L_LAYERS = {
    "0": "conv1",
    "3": "conv2",
    "6": "conv3",
    "8": "conv4",
    "10": "conv5",
    "14": "fc6",
    "16": "fc7",
    "18": "fc8",
}


def d2l_key(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    return f"{D2L_LAYERS[layer]}.{kind}"


REFERENCES = [
    Reference(
        "alexnet",
        alexnet,
        "torchvision 0.28.0 alexnet",
        parameters=61_100_840,
        shape=(1, 3, 64, 80),
        training_shape=None,
        slow=True,
        stages=("features", "avgpool", "features.2", "classifier.2", "classifier.5"),
    ),
    Reference(
        "alexnet_paper",
        alexnet_paper,
        "torch.nn from Krizhevsky et al. 2012, section 3 and figure 2",
        parameters=60_965_224,
        shape=(1, 3, 227, 235),
        training_shape=None,
        slow=True,
        fixed_size=True,
    ),
    Reference(
        "alexnet_d2l",
        alexnet_d2l,
        "torch.nn from Zhang et al., Dive into deep learning, section 8.1",
        # 11,712 + 614,656 + 885,120 + 1,327,488 + 884,992 of the convolutions, and
        # (6,400 + 1) 4,096 + (4,096 + 1) 4,096 + (4,096 + 1) 10 of the fully connected layers
        parameters=46_764_746,
        shape=(1, 1, 201, 224),
        training_shape=None,
        key=d2l_key,
        slow=True,
        stages=("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"),
        fixed_size=True,
    ),
    Reference(
        "zfnet",
        zfnet,
        "pytorchcv 0.0.74 zfnet",
        parameters=62_357_608,
        shape=(1, 3, 216, 224),
        training_shape=None,
        key=pytorchcv_key,
        slow=True,
        stages=("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"),
        fixed_size=True,
    ),
]
