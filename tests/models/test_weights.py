"""Models from files of weights; `tests/models/command_line/test_predict.py` has the mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from models import registry
from models.weights import load_model

# The smallest of each family of torchvision's, under our name and its own.
OFFICIAL = {
    "densenet121": "densenet121",
    "efficientnet_b0": "efficientnet_b0",
    "googlenet_bn": "googlenet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "resnet18": "resnet18",
    "shufflenet_v2_x1_0": "shufflenet_v2_x1_0",
    "squeezenet1_1": "squeezenet1_1",
}


@pytest.mark.reference
@pytest.mark.parametrize("name", OFFICIAL)
def test_files_that_torchvisions_models_write(name: str, tmp_path: Path) -> None:
    """Every tensor arrives, the counters of batches too; legacy and zip files in turn."""
    from tests.torchvision_bridge import torchvision_ops

    try:
        torchvision_ops()
    except ImportError as missing:
        pytest.skip(str(missing))
    import torch
    from torchvision.models import get_model

    keywords = {"init_weights": False} if name == "googlenet_bn" else {}
    state = get_model(OFFICIAL[name], **keywords).state_dict()
    legacy = list(OFFICIAL).index(name) % 2 == 0
    torch.save(state, tmp_path / "file.pth", _use_new_zipfile_serialization=not legacy)
    ours = load_model(name, tmp_path / "file.pth").network.state_dict()
    assert set(ours) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(ours[key].numpy(), value.numpy(), err_msg=key)


def test_half_precision_is_cast(tmp_path: Path) -> None:
    state = registry.create("lenet5").state_dict()
    minidnn.save({k: v.numpy().astype(np.float16) for k, v in state.items()}, tmp_path / "half.safetensors")
    loaded = load_model("lenet5", tmp_path / "half.safetensors")
    assert not loaded.trained_here
    assert not loaded.network.training
    for key, value in loaded.network.state_dict().items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value.numpy(), state[key].numpy().astype(np.float16))


def test_a_number_of_classes_that_no_file_has_is_not_built(tmp_path: Path) -> None:
    state = dict(registry.create("lenet5").state_dict())
    state["output.weight"] = Tensor(np.zeros((200_000, 84), np.float16))
    state["output.bias"] = Tensor(np.zeros(200_000, np.float16))
    minidnn.save(state, tmp_path / "many.safetensors")
    with pytest.raises(ValueError, match=r"does not fit lenet5: state_dict\['output.weight'\] has shape"):
        load_model("lenet5", tmp_path / "many.safetensors")
