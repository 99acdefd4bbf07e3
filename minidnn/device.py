"""Devices: where a tensor's memory lies, and so which kernels compute with it.

    cpu         host memory; Numba's and NumPy's kernels
    gpu         an NVIDIA GPU's memory, through CuPy; the CUDA kernels
    emulator    memory of the CUDA emulator, which runs the same kernels on a machine without a GPU

x = minidnn.tensor(values).to("emulator")
model.to("emulator")(x).cpu()
"""

from __future__ import annotations

from typing import Any

from kernels.array import shown
from kernels.cuda import hardware
from kernels.device import CPU, Device, find

__all__ = ["CPU", "Device", "device", "synchronize"]


def device(name: Any) -> Device:
    """Return the device called "cpu", "gpu" or "emulator", ready for use; a Device as it is.

    Raises:
        ValueError: an unknown name, or a device that this machine does not have: the message says what is
            missing (CuPy, a driver, CUDA's toolkit, a C++ compiler) and how to get it.
        TypeError: neither a name nor a Device.
    """
    if isinstance(name, Device):
        return name
    if not isinstance(name, str):
        raise TypeError(f"device must be a name such as 'cpu' or a Device, got {shown(name)}")
    return find(name)


def synchronize() -> None:
    """Wait until the GPU has done all it was asked for; kernels run while Python goes on.

    On the other devices, and where no GPU was ever asked for, there is nothing to wait for.
    """
    hardware.synchronize()
