"""What SqueezeNet is compared with. Without batch normalisation training mode computes the same."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.reference.catalogue import Reference, torchvision_models


def squeezenet(name: str) -> Any:
    return getattr(torchvision_models(), name)(weights=None)


REFERENCES = [
    Reference(
        "squeezenet1_0",
        partial(squeezenet, "squeezenet1_0"),
        "torchvision 0.28.0 squeezenet1_0",
        parameters=1_248_424,
        shape=(2, 3, 48, 64),
        training_shape=None,
        stages=("features.0", "features.5", "features.10", "features.12", "classifier"),
    ),
    Reference(
        "squeezenet1_1",
        partial(squeezenet, "squeezenet1_1"),
        "torchvision 0.28.0 squeezenet1_1",
        parameters=1_235_496,
        shape=(2, 3, 48, 64),
        training_shape=None,
        stages=("features.0", "features.4", "features.7", "features.12", "classifier"),
    ),
]
