"""Files beside PyTorch: what it writes we read, what we write it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minidnn
from minidnn import nn
from tests.minidnn.files.contents import FOLDER, TENSORS
from tests.minidnn.torch_files.handmade import assert_tensor, tar_file


@pytest.mark.reference
@pytest.mark.parametrize("new_format", [True, False])
def test_live_files_of_pytorch(new_format: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 5, 6)).sum().backward()
    optimizer.step()
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "c.pth", _use_new_zipfile_serialization=new_format)
    got = minidnn.load(tmp_path / "c.pth")
    for name, want in model.state_dict().items():
        assert_tensor(got["model"][name], want.numpy(), name)
    for index, state in optimizer.state_dict()["state"].items():
        for name, want in state.items():
            assert_tensor(got["optimizer"]["state"][index][name], want.numpy(), name)
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    ours.load_state_dict(got["model"])


@pytest.mark.reference
@pytest.mark.parametrize("module", [True, False])
def test_modules_and_sparse_tensors_are_refused(module: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    saved_object = torch.nn.Linear(2, 3) if module else torch.zeros(3).to_sparse()
    torch.save(saved_object, tmp_path / "m.pth")
    name = "torch.nn.modules.linear.Linear" if module else "torch._utils._rebuild_sparse_tensor"
    with pytest.raises(ValueError, match=f"it names {name}, .*save the model's state_dict"):
        minidnn.load(tmp_path / "m.pth")


@pytest.mark.reference
def test_the_way_out_of_the_tar_format(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "old.pth").write_bytes(tar_file())
    torch.save(torch.load(tmp_path / "old.pth", weights_only=False), tmp_path / "new.pth")
    assert minidnn.load(tmp_path / "new.pth")["w"].numpy().tolist() == [1, 2, 3]


@pytest.mark.reference
def test_pytorch_reads_what_is_saved(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import safetensors.torch

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).double()
    minidnn.save(model, tmp_path / "m.safetensors")
    got = safetensors.torch.load_file(tmp_path / "m.safetensors")
    for name, want in model.state_dict().items():
        assert np.array_equal(got[name].numpy(), want.numpy())
        assert str(got[name].dtype).removeprefix("torch.") == str(want.dtype)


@pytest.mark.reference
def test_the_stored_files_are_those_of_pytorch() -> None:
    """`torch.load` reads the stored files as `contents` says, the big-endian one too."""
    torch = pytest.importorskip("torch")
    for file in ("zip.pth", "legacy.pth", "big_endian.pth"):
        state = torch.load(FOLDER / file, weights_only=True)
        for name, got in state["state_dict"].items():
            array = got.detach().float() if got.dtype is torch.bfloat16 else got.detach()
            assert np.array_equal(array.numpy(), TENSORS[name]), (file, name)
