"""Other packages' weights in our models: the same logits from their files, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import Tensor, no_grad
from models.conversion import SOURCES
from models.nin import NiN
from models.weights import load_model
from tests.reference import filling
from tests.reference.catalogue import references

PACKAGES = r"timm|pytorchcv|Keras(?= \d)"
SMALL = ((36, 33), (33, 36))  # each side even and odd at some stride: TensorFlow's padding tells them apart


def test_every_model_compared_with_a_package_takes_its_weights() -> None:
    for name, reference in references().items():
        for package in re.findall(PACKAGES, reference.source):
            assert package in SOURCES[name], name


# ---- beside the packages -----------------------------------------------------------------------------------


def timm_efficientnet(name: str, padding: str) -> Any:
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()  # timm imports torchvision
    import timm

    return timm.create_model(f"{'tf_' if padding == 'tensorflow' else ''}{name}", num_classes=7)


def cases() -> list[Any]:
    """Classifiers and their arguments; what Keras writes is in test_mobilenet.py."""
    names = [name for name in SOURCES if name in models.names() and not name.startswith("effi")]
    rows: list[tuple[str, dict[str, str]]] = [(name, {}) for name in names]
    rows.remove(("mobilenet_v1", {}))
    rows += [(name, {"padding": "tensorflow"}) for name in SOURCES if name.startswith("effi")]
    rows.append(("efficientnet_b0", {"padding": "torch"}))
    return [
        pytest.param(
            name,
            arguments,
            marks=[pytest.mark.slow] if references()[name].slow else [],
            id=f"{name}{'-' if arguments else ''}{arguments.get('padding', '')}",
        )
        for name, arguments in rows
    ]


@pytest.mark.reference
@pytest.mark.parametrize(("name", "arguments"), cases())
def test_a_packages_file_gives_the_packages_logits(
    name: str, arguments: dict[str, str], tmp_path: Path
) -> None:
    """Through torch.save or safetensors; then both in float64, with the same float32 numbers in them."""
    torch = pytest.importorskip("torch")
    (package,) = SOURCES[name]
    reference = references()[name]
    torch.manual_seed(0)
    try:
        their = timm_efficientnet(name, **arguments) if arguments else reference.build()
    except ImportError as missing:
        pytest.skip(f"the reference cannot be built here: {missing}")
    calibrate(their, reference.training_shape)
    path = tmp_path / ("file.safetensors" if package == "timm" else "file.pth")
    save(their.state_dict(), path)
    our = load_model(name, path, **arguments).network.double()
    their.double().eval()
    for height, width in SMALL if arguments else (reference.shape[2:],):
        images = filling.normal("images", (2, 3, height, width))
        with torch.no_grad(), no_grad():
            want = their(torch.from_numpy(images)).numpy()
            got = our(Tensor(images)).numpy()
        assert np.abs(want[0] - want[1]).max() > 1e-3 * np.abs(want).max()
        assert np.abs(got - want).max() < 1e-10 * np.abs(want).max()
    if arguments:
        other = {"tensorflow": "torch", "torch": "tensorflow"}[arguments["padding"]]
        with no_grad():
            deviating = load_model(name, path, padding=other).network.double()(Tensor(images)).numpy()
        assert np.abs(deviating - want).max() > 1e-3 * np.abs(want).max()


def calibrate(model: Any, shape: tuple[int, ...] | None) -> None:
    """Give every parameter numbers of its own, and the running statistics those of a batch."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * parameter.std(correction=0) * torch.randn_like(parameter)
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        if shape is not None:
            model.train()(torch.from_numpy(filling.normal("training images", shape)).float())


def save(state: Any, path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)


# ---- without them ------------------------------------------------------------------------------------------


def pytorchcv_state() -> tuple[NiN, dict[str, np.ndarray]]:
    """A network and its weights under the names that pytorchcv gives them, in the order of the layers."""
    network = models.nin_cifar10(num_classes=4)
    units = [f"features.stage{stage}.unit{unit}" for stage in (1, 2, 3) for unit in (1, 2, 3)]
    units[-1] = "output.final_conv"
    names = [f"{unit}.conv.{kind}" for unit in units for kind in ("weight", "bias")]
    values = [parameter.numpy() for parameter in network.parameters()]
    return network, dict(zip(names, values, strict=True))


def test_weights_are_recognised_by_their_names(tmp_path: Path) -> None:
    network, state = pytorchcv_state()
    converted = models.convert_state_dict("nin_cifar10", state, "pytorchcv")
    minidnn.save({"state_dict": state}, tmp_path / "file.safetensors")
    loaded = load_model("nin_cifar10", tmp_path / "file.safetensors").network.state_dict()
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(converted[name], value.numpy())
        np.testing.assert_array_equal(loaded[name].numpy(), value.numpy())


@pytest.mark.parametrize(
    ("name", "key", "source", "message"),
    [
        ("nin_cifar11", "a", "timm", "unknown model 'nin_cifar11'; did you mean nin_cifar10"),
        (
            "nin_cifar10",
            "a",
            "timm",
            "source must be a package that nin_cifar10 is converted from, got 'timm'; "
            "it can be converted from pytorchcv",
        ),
        ("lenet5", "a", "timm", "got 'timm'; it has no conversion"),
        ("nin_cifar10", "a", "pytorchcv", "key must be one of pytorchcv's nin_cifar10, got 'a'"),
        ("zfnet", "a", "pytorchcv", "key must be one of pytorchcv's zfnet, got 'a'"),
        (
            "preresnet18",
            "features.stage1.a",
            "pytorchcv",
            "key must be one of pytorchcv's preresnet, got 'feat",
        ),
        (
            "inception_resnet_v1",
            "a",
            "pytorchcv",
            "key must be one of pytorchcv's inceptionresnetv1, got 'a'",
        ),
        (
            "efficientnet_b3",
            "blocks.0.0.conv_pwl.weight",
            "timm",
            "key must be one of timm's efficientnet, got",
        ),
        ("efficientnet_b3", "a", "timm", "key must be one of timm's efficientnet, got 'a'"),
        ("mobilenet_v1", "a", "Keras", "name must be that of a variable of Keras's MobileNet, got 'a'"),
    ],
)
def test_what_cannot_be_converted(name: str, key: str, source: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        models.convert_state_dict(name, {key: np.zeros(1)}, source)


def test_what_the_names_do_not_tell_must_be_given(tmp_path: Path) -> None:
    path = tmp_path / "timm.safetensors"
    minidnn.save({"conv_stem.weight": np.zeros((32, 3, 3, 3), np.float32)}, path)
    told = (
        "has the names of timm, which do not tell padding: give efficientnet_b0's padding too (to predict by "
    )
    with pytest.raises(ValueError, match=re.escape(told + "--argument padding=...)")):
        load_model("efficientnet_b0", path)
    with pytest.raises(ValueError, match=r"does not fit efficientnet_b0: it lacks features.0.1.weight and"):
        load_model("efficientnet_b0", path, padding="tensorflow")


def test_names_of_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    minidnn.save({"a": np.zeros(1), "b": np.zeros(1)}, path)
    message = "has unknown a and 1 more (names of pytorchcv are understood too)"
    with pytest.raises(ValueError, match=re.escape(message)):
        load_model("nin_cifar10", path)
