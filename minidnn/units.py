"""Numbers as a person reads them."""

from __future__ import annotations


def short(count: float) -> str:
    """A count in units of a thousand, a million or a thousand million, with four digits: "568.7 M"."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return str(count)


def in_bytes(count: int) -> str:
    """In bytes, KiB or MiB."""
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} B"


def in_seconds(seconds: float) -> str:
    """In seconds, milliseconds or microseconds, with three digits."""
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} us"
