"""Where arrays lie: which device a type belongs to, transfers, views and overwriting there."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import device, registry
from kernels.creation import constant
from kernels.cuda import emulator
from kernels.device import CPU, EMULATOR


@pytest.fixture
def rows(generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_type_says_where_an_array_lies(rows: np.ndarray) -> None:
    assert device.device_of(rows) == CPU
    assert device.device_of(emulator.asarray(rows)) == EMULATOR
    assert device.is_array(rows)
    assert device.is_array(emulator.asarray(rows))
    assert not device.is_array(rows.tolist())


def test_transfers_copy_and_return(rows: np.ndarray) -> None:
    there = device.to_device(rows, EMULATOR)
    assert device.to_device(there, EMULATOR) is there
    assert device.to_device(rows, CPU) is rows
    back = device.to_host(there)
    assert np.array_equal(back, rows)
    assert not np.shares_memory(back, rows)


@pytest.mark.parametrize("where", [CPU, EMULATOR])
def test_views(rows: np.ndarray, where: device.Device) -> None:
    x = device.to_device(rows, where)
    flat, turned = device.reshaped(x, (12,)), x.transpose(1, 0)
    assert device.shares_memory(flat, x)
    assert np.array_equal(device.to_host(flat), rows.reshape(12))
    assert not device.shares_memory(device.reshaped(turned, (12,)), x)
    with pytest.raises(ValueError, match="copy|no view of shape"):
        device.reshaped(turned, (12,), copy=False)
    wide = device.broadcast_to(x, (2, 3, 4))
    assert device.shares_memory(wide, x)
    assert np.array_equal(device.to_host(wide), np.broadcast_to(rows, (2, 3, 4)))


@pytest.mark.parametrize("where", [CPU, EMULATOR])
def test_overwriting_broadcasts_and_converts(rows: np.ndarray, where: device.Device) -> None:
    x = device.to_device(rows.copy(), where)
    device.overwrite(x[1:, :2], device.to_device(np.array([3, 5]), where))
    want = rows.copy()
    want[1:, :2] = [3, 5]
    assert np.array_equal(device.to_host(x), want)


def test_two_devices_are_refused(rows: np.ndarray) -> None:
    there = emulator.asarray(rows)
    assert not device.shares_memory(rows, there)
    assert not device.shares_memory(there, rows)
    with pytest.raises(ValueError, match="must lie on one device, these lie on cpu and emulator; move them"):
        device.overwrite(there, rows)


def test_constants_lie_beside_their_partner(rows: np.ndarray) -> None:
    assert isinstance(constant(2, np.float32, rows), np.ndarray)
    there = constant(-7, np.int64, emulator.asarray(rows))
    assert (there.shape, there.dtype, int(there.get())) == ((), np.int64, -7)


def test_unknown_devices_are_named() -> None:
    with pytest.raises(ValueError, match="device must be one of 'cpu', 'gpu', 'emulator', got 'tpu'"):
        device.find("tpu")


def test_the_emulators_memory_is_not_for_other_libraries(rows: np.ndarray) -> None:
    there = emulator.asarray(rows)
    with pytest.raises(BufferError):
        np.from_dlpack(there)
    assert emulator.from_dlpack(there) is there


def test_every_operation_has_a_version_for_devices() -> None:
    missing = [name for name in registry.operations() if not registry.versions(name, "gpu")]
    assert missing == []
