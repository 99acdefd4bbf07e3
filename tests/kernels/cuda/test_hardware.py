"""What is said where the GPU cannot be used: stand-ins for CuPy that lack one thing each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kernels import device
from kernels.cuda import hardware


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class Array:
    """What takes the place of cupy.ndarray."""


def cupy(count: Any = lambda: 1, module: Any = lambda **arguments: SimpleNamespace(get_function=str)) -> Any:
    made: Any = ModuleType("cupy")
    runtime = SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=count)
    waited: list[str] = []
    made.waited = waited
    current = SimpleNamespace(synchronize=lambda: waited.append("device"))
    made.cuda = SimpleNamespace(runtime=runtime, Device=lambda: current)
    made.RawModule, made.ndarray = module, Array
    return made


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    hardware.require.cache_clear()
    yield
    hardware.require.cache_clear()
    device.DEVICE_TYPES.pop(Array, None)


def fails(error: Exception) -> Any:
    def function(**arguments: Any) -> Any:
        raise error

    return function


def test_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ValueError, match=r"CuPy is not installed .*; pip install 'minidnn\[gpu\]'"):
        device.find("gpu")


@pytest.mark.parametrize(
    ("stand_in", "message"),
    [
        (
            cupy(
                count=fails(CUDARuntimeError("cudaErrorInsufficientDriver: driver version is insufficient"))
            ),
            r"no working NVIDIA driver \(cudaErrorInsufficientDriver.*\); install the driver",
        ),
        (cupy(count=lambda: 0), "the driver sees no NVIDIA GPU; look with nvidia-smi"),
        (
            cupy(module=fails(RuntimeError("CuPy failed to load libnvrtc.so.12:\n OSError"))),
            r"toolkit does not compile a kernel \(CuPy failed to load libnvrtc.so.12:\); install the CUDA",
        ),
    ],
    ids=["no driver", "no card", "no toolkit"],
)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, stand_in: Any, message: str) -> None:
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    with pytest.raises(ValueError, match=f"device 'gpu' cannot be used: .*{message}"):
        device.find("gpu")
    assert Array not in device.DEVICE_TYPES


def test_where_nothing_is_missing_its_arrays_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = cupy()
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    assert str(device.find("gpu")) == "gpu"
    assert device.device_of(Array()) == device.GPU
    hardware.synchronize()
    assert stand_in.waited == ["device"]


def test_waiting_asks_for_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    hardware.synchronize()
    assert "cupy" not in sys.modules
