"""What the VGGs are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.reference.catalogue import Reference, torchvision_models


def from_torchvision(name: str, **arguments: Any) -> Any:
    return getattr(torchvision_models(), name)(weights=None, **arguments)


def listed(rows: list[Any], kernels: dict[int, int]) -> Any:
    """The layers of a column that torchvision does not have: "M" pools, "N" normalises responses.

    `kernels` gives the kernel of those convolutions, counted from 0, whose kernel is not 3.
    """
    from torch import nn

    layers: list[nn.Module] = []
    channels, count = 3, 0
    for row in rows:
        if row == "M":
            layers.append(nn.MaxPool2d(2, 2))
        elif row == "N":
            layers.append(nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0))
        else:
            kernel = kernels.get(count, 3)
            layers += [nn.Conv2d(channels, row, kernel, padding=kernel // 2), nn.ReLU()]
            channels, count = row, count + 1
    return nn.Sequential(*layers)


def column_a_lrn() -> Any:
    return listed([64, "N", "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"], {})


def column_c() -> Any:
    thirds = [256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
    return listed([64, 64, "M", 128, 128, "M", *thirds], {6: 1, 9: 1, 12: 1})


def vgg11_lrn() -> Any:
    return torchvision_models().vgg.VGG(column_a_lrn(), init_weights=False)


def vgg16_conv1() -> Any:
    return torchvision_models().vgg.VGG(column_c(), init_weights=False)


def vgg11_d2l() -> Any:
    """The book's (convolutions, maps) by blocks, and its three fully connected layers."""
    from torch import nn

    features: list[nn.Module] = []
    channels = 1
    for convolutions, maps in ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)):
        for _ in range(convolutions):
            features += [nn.Conv2d(channels, maps, 3, padding=1), nn.ReLU()]
            channels = maps
        features.append(nn.MaxPool2d(2, 2))
    classifier = [
        *(nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(4096, 10),
    ]
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(*features))
    model.add_module("flatten", nn.Flatten())
    model.add_module("classifier", nn.Sequential(*classifier))
    return model


def reference(
    name: str,
    parameters: int,
    blocks: Sequence[int],
    build: Callable[[], Any] | None = None,
    source: str = "torchvision 0.28.0 VGG on the column of Simonyan and Zisserman's table 1",
) -> Reference:
    """A row; `blocks` counts their convolutions. Only batch normalisation makes training mode differ."""
    return Reference(
        name,
        build or partial(from_torchvision, name),
        source if build else f"torchvision 0.28.0 {name}",
        parameters=parameters,
        shape=(1, 3, 32, 48),
        training_shape=(4, 3, 32, 48) if name.endswith("_bn") else None,
        slow=True,
        stages=stages(blocks, 3 if name.endswith("_bn") else 2, 1 if name.endswith("_lrn") else 0),
    )


def stages(blocks: Sequence[int], modules: int = 2, normalisations: int = 0) -> tuple[str, ...]:
    """The first convolution, every block's pooling, and the classifier's hidden layers.

    A convolution comes as so many `modules`, and the first block ends with so many `normalisations`.
    """
    poolings, place = [], normalisations
    for convolutions in blocks:
        place += convolutions * modules
        poolings.append(f"features.{place}")
        place += 1
    return "features.0", *poolings, "classifier.0", "classifier.3"


# Convolutions of the blocks: columns A, B, C and D, E.
A, B, D, E = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)

REFERENCES = [
    reference("vgg11", 132_863_336, A),
    reference("vgg11_lrn", 132_863_336, A, vgg11_lrn),
    reference("vgg13", 133_047_848, B),
    reference("vgg16_conv1", 133_638_952, D, vgg16_conv1),
    reference("vgg16", 138_357_544, D),
    reference("vgg19", 143_667_240, E),
    # torchvision's published counts: two numbers more per map of the 2,752 (2,944; 4,224; 5,504) maps
    reference("vgg11_bn", 132_868_840, A),
    reference("vgg13_bn", 133_053_736, B),
    reference("vgg16_bn", 138_365_992, D),
    reference("vgg19_bn", 143_678_248, E),
    Reference(
        "vgg11_d2l",
        vgg11_d2l,
        "torch.nn from Zhang et al., Dive into deep learning, section 8.2",
        # vgg11's 132,863,336, less 2 * 64 * 9 of the first convolution and 990 (4,096 + 1) of the last layer
        parameters=128_806_154,
        shape=(1, 1, 224, 224),
        training_shape=None,
        slow=True,
        stages=stages(A),
        fixed_size=True,
    ),
]
