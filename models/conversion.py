"""Weights of other packages, of which the parameters have other names or layouts than ours.

    state = minidnn.load("tf_efficientnet_b0.safetensors")
    model = models.efficientnet_b0(padding="tensorflow")
    model.load_state_dict(models.convert_state_dict("efficientnet_b0", state, "timm"))

Where torchvision has the model our names are its own and its files need no conversion, except for those of
detectors, which keep names that torchvision itself has given up since. `SOURCES` lists what is converted: the
packages that the models were compared with (tests/reference/architectures), each with the function of the
family's file that says how the names relate. `minidnn predict` recognises all of them.

Keras keeps weights in HDF5 files, which `minidnn.load` does not read. Where Keras is, this writes a file of
them that is read:

    arrays = {f"{layer.name}/{v.name}": v.numpy() for layer in keras_model.layers for v in layer.weights}
    minidnn.save(arrays, "mobilenet.safetensors")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernels.array import Array
from minidnn.tensor import as_tensor
from models import (
    efficientnet,
    generalized_rcnn,
    inception_resnet,
    mixnet,
    mobilenet_v1,
    nin,
    preresnet,
    zfnet,
)
from models.registry import entry

Entry = tuple[str, Array]


@dataclass(frozen=True)
class Source:
    """Another package's form of a model.

    Attributes:
        convert: from the package's name and array to ours; ValueError for a name that its model lacks.
        undecided: arguments of our builder in which the package's models of this form differ, so that a file
            does not tell their values.
    """

    convert: Callable[[str, Array], Entry]
    undecided: tuple[str, ...] = ()


def _renamed(key: Callable[[str], str]) -> Callable[[str, Array], Entry]:
    return lambda name, array: (key(name), array)


def _unchanged(name: str, array: Array) -> Entry:
    return name, array


# timm's tf_efficientnet_* and efficientnet_* have the same names and shapes, but pad otherwise.
_TIMM_EFFICIENTNET = Source(_renamed(efficientnet.timm_key), undecided=("padding",))
_PYTORCHCV_PRERESNET = Source(_renamed(preresnet.pytorchcv_key))
_TIMM_MIXNET = Source(_renamed(mixnet.timm_key))
# The published files of detectors have torchvision's names of 2019.
_TORCHVISION_RCNN = Source(_renamed(generalized_rcnn.current_key))

SOURCES: dict[str, dict[str, Source]] = {
    **{f"efficientnet_b{index}": {"timm": _TIMM_EFFICIENTNET} for index in range(8)},
    **{f"mixnet_{size}": {"timm": _TIMM_MIXNET} for size in "sml"},
    **{f"preresnet{depth}": {"pytorchcv": _PYTORCHCV_PRERESNET} for depth in (18, 50, 101, 152, 200)},
    "faster_rcnn_resnet50_fpn": {"torchvision": _TORCHVISION_RCNN},
    "mask_rcnn_resnet50_fpn": {"torchvision": _TORCHVISION_RCNN},
    "inception_resnet_v1": {"pytorchcv": Source(_renamed(inception_resnet.pytorchcv_key))},
    "inception_resnet_v2": {"timm": Source(_unchanged)},
    "inception_v4": {"timm": Source(_unchanged)},
    "mobilenet_v1": {"Keras": Source(mobilenet_v1.from_keras)},
    "nin_cifar10": {"pytorchcv": Source(_renamed(nin.pytorchcv_key))},
    "xception": {"timm": Source(_unchanged)},  # timm's legacy_xception
    "zfnet": {"pytorchcv": Source(_renamed(zfnet.pytorchcv_key))},
}


def sources(name: str) -> Mapping[str, Source]:
    """Return the packages whose weights can be converted for a model (ValueError for an unknown model)."""
    return SOURCES.get(entry(name).name, {})


def convert_state_dict(name: str, state: Mapping[str, Any], source: str) -> dict[str, Array]:
    """Return another package's weights as `load_state_dict` of our model takes them.

    Args:
        name: our model, as `models.create` takes it.
        state: the package's arrays or Tensors by their names.
        source: the package, "timm", "pytorchcv", "Keras", or for detectors "torchvision".

    Raises:
        ValueError: an unknown model, a package from which it is not converted, or a name that the package's
            model does not have.
    """
    known = sources(name)
    if source not in known:
        choices = f"it can be converted from {' or '.join(known)}" if known else "it has no conversion"
        raise ValueError(f"source must be a package that {name} is converted from, got {source!r}; {choices}")
    convert = known[source].convert
    return dict(convert(name, as_tensor(value).data) for name, value in state.items())
