"""The one exception of the emulator."""

from __future__ import annotations


class EmulatorError(RuntimeError):
    """A kernel that does not compile, a launch that a GPU would refuse, or a fault met while it ran."""
