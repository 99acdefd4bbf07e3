"""The architectures' references: what each model is compared with, and where it is found.

tests/reference/architectures/FAMILY.py exports `REFERENCES`, a list of `Reference`, one for each model of the
family, and perhaps `VARIANTS`, others for models that options change. To compare models with
their references live, and see how far apart they are:

    python -m tests.reference.compare NAME...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import tests.reference.architectures

if TYPE_CHECKING:
    import torch


def identity(name: str) -> str:
    return name


@dataclass(frozen=True)
class Reference:
    """An independent implementation of one of our models, and how to compare the two.

    Attributes:
        name: the model, as `models.create` takes it, or what a variant of it is called here.
        build: builds the reference; heavy packages are imported inside.
        source: what it is, e.g. "torchvision 0.28.0 resnet50" or "torch.nn from He et al. 2015, table 1".
        parameters: the published count of trainable parameters.
        shape: the input (N, C, H, W) in evaluation mode.
        training_shape: the input in training mode, also used to calibrate running statistics: such that the
            last batch norm sees at least 8 values per channel. None: training mode computes nothing else.
        arguments: for `models.create`.
        key: from the reference's state_dict keys to ours.
        slow: takes more than about 5 seconds.
        stages: paths of our modules whose activations are compared too.
        fixed_size: the architecture takes images of one size only.
        damped: the ending of the parameters that filling.py damps, for very deep networks.
        contrast: factor of the images in evaluation mode: with more than those of the calibration have, ReLU6
            meets values above 6.
        variant_of: the model that `arguments` make this variant of.
    """

    name: str
    build: Callable[[], torch.nn.Module]
    source: str
    parameters: int
    shape: tuple[int, int, int, int]
    training_shape: tuple[int, int, int, int] | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    key: Callable[[str], str] = identity
    slow: bool = False
    stages: tuple[str, ...] = ()
    fixed_size: bool = False
    damped: str = ""
    contrast: float = 1.0
    variant_of: str = ""

    @property
    def model(self) -> str:
        """As `models.create` takes it."""
        return self.variant_of or self.name

    def __str__(self) -> str:
        return self.name


@cache
def references() -> dict[str, Reference]:
    """All models' references by the model's name."""
    return _collect("REFERENCES")


@cache
def variants() -> dict[str, Reference]:
    """The references of models with other options, by the variant's name."""
    return _collect("VARIANTS")


def _collect(table: str) -> dict[str, Reference]:
    package = tests.reference.architectures
    found: dict[str, Reference] = {}
    for module in pkgutil.iter_modules(package.__path__):
        family = importlib.import_module(f"{package.__name__}.{module.name}")
        for reference in getattr(family, table, ()):
            if reference.name in found:
                raise ValueError(f"{reference.name} has two references")
            found[reference.name] = reference
    return dict(sorted(found.items()))


def torchvision_models() -> Any:
    """Return `torchvision.models`, also beside a CPU build of PyTorch (ImportError where it is missing)."""
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()
    return importlib.import_module("torchvision.models")
