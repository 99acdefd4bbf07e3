"""Numbers as text."""

from __future__ import annotations

import pytest

from minidnn.units import in_bytes, in_seconds, short


@pytest.mark.parametrize(
    ("count", "printed"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (568_740_352, "568.7 M"), (19_632_062_464, "19.63 G")],
)
def test_short(count: int, printed: str) -> None:
    assert short(count) == printed


@pytest.mark.parametrize(
    ("count", "printed"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**20, "5.0 MiB"), (2**31, "2,048.0 MiB")],
)
def test_in_bytes(count: int, printed: str) -> None:
    assert in_bytes(count) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [(0.0, "0 us"), (4.25e-6, "4.25 us"), (0.001, "1 ms"), (0.05, "50 ms"), (1.5, "1.5 s")],
)
def test_in_seconds(seconds: float, printed: str) -> None:
    assert in_seconds(seconds) == printed
