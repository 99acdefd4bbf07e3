"""Models from files of weights; `tests/models/command_line/test_predict.py` has the mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from models import registry
from models.weights import load_model
from tests.reference.catalogue import references, torchvision_models

TORCHVISION = re.compile(r"torchvision [\d.]+ (\w+)")
GIANT = 100_000_000  # parameters: of these names and shapes are compared, without the numbers


def official(giant: bool) -> pytest.MarkDecorator:
    """Our name and torchvision's of all models of torchvision."""
    rows = [
        pytest.param(name, found[1], marks=[pytest.mark.slow] if reference.slow else [], id=name)
        for name, reference in references().items()
        if (found := TORCHVISION.fullmatch(reference.source)) and (reference.parameters > GIANT) is giant
    ]
    return pytest.mark.parametrize(("name", "theirs"), rows)


def torchvision_model(theirs: str, device: str) -> Any:
    """torchvision's model with PyTorch's initial numbers, those of its own take long."""
    try:
        get_model = torchvision_models().get_model
    except ImportError as missing:
        pytest.skip(str(missing))
    import torch

    keywords = {"init_weights": False} if theirs in ("googlenet", "inception_v3") else {}
    with torch.device(device):
        return get_model(theirs, **keywords)


@pytest.mark.reference
def test_no_model_of_torchvision_is_left_out() -> None:
    try:
        theirs = torchvision_models()
    except ImportError as missing:
        pytest.skip(str(missing))
    found = [TORCHVISION.fullmatch(reference.source) for reference in references().values()]
    both = set(theirs.list_models(module=theirs)) & set(registry.names())
    assert both == {match[1] for match in found if match}


@pytest.mark.reference
@official(giant=False)
def test_files_that_torchvisions_models_write(name: str, theirs: str, tmp_path: Path) -> None:
    """Every tensor arrives, the counters of batches too; legacy and zip files in turn."""
    state = torchvision_model(theirs, "cpu").state_dict()
    import torch

    legacy = registry.names().index(name) % 2 == 0
    torch.save(state, tmp_path / "file.pth", _use_new_zipfile_serialization=not legacy)
    ours = load_model(name, tmp_path / "file.pth").network.state_dict()
    assert set(ours) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(ours[key].numpy(), value.numpy(), err_msg=key)


@pytest.mark.reference
@official(giant=True)
def test_names_and_shapes_are_those_of_torchvisions_giants(name: str, theirs: str) -> None:
    state = torchvision_model(theirs, "meta").state_dict()
    ours = registry.create(name).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in state.items()
    }


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


class Cells(nn.Module):
    """As YOLO's last layer: four cells of two boxes' five numbers and the classes' scores."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.last = nn.Linear(3, 4 * (5 * 2 + num_classes))


def cells(num_classes: int = 20) -> Cells:
    """For any images."""
    return Cells(num_classes)


@pytest.fixture
def _cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._entries, "cells", registry.Entry("cells", cells, (3, 8, 8), "detection"))


@pytest.mark.usefixtures("_cells")
@pytest.mark.parametrize("classes", [1, 3, 20, 34])
def test_the_classes_of_a_grid_are_counted_by_what_one_more_adds(tmp_path: Path, classes: int) -> None:
    minidnn.save(cells(classes), tmp_path / "cells.safetensors")
    network = load_model("cells", tmp_path / "cells.safetensors").network
    assert network.last.weight.shape == (4 * (10 + classes), 3)


@pytest.mark.usefixtures("_cells")
@pytest.mark.parametrize("outputs", [45, 40, 4])
def test_outputs_that_no_number_of_classes_gives(tmp_path: Path, outputs: int) -> None:
    state = dict(cells().state_dict())
    state["last.weight"] = Tensor(np.zeros((outputs, 3), np.float32))
    state["last.bias"] = Tensor(np.zeros(outputs, np.float32))
    minidnn.save(state, tmp_path / "cells.safetensors")
    with pytest.raises(ValueError, match=r"does not fit cells: state_dict\['last.weight'\] has shape"):
        load_model("cells", tmp_path / "cells.safetensors")
