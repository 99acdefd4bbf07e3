"""Where torchvision's operators cannot be had, the tests that need them must learn why."""

from __future__ import annotations

import importlib.util

import pytest

from tests import torchvision_bridge

pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(autouse=True)
def _forget_the_loaded_module() -> None:
    torchvision_bridge.torchvision_ops.cache_clear()


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="torchvision is not installed"):
        torchvision_bridge.torchvision_ops()


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    if importlib.import_module("torch").version.cuda is not None:
        pytest.skip("a CUDA build of torch needs no compiler")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match="torchvision's operators cannot be loaded: .*nm"):
        torchvision_bridge.torchvision_ops()
