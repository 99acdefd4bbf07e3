"""How time is taken on a GPU: by events on the device, with a cold L2 cache, contenders in turn.

Before each call a buffer larger than the L2 cache is written. While the device does that the host launches
the call, so what lies between the two events is work and not waiting for the host. How long the host takes
until the call returns is told apart. Everyone works on the default stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.measuring import Effort

WARM_UP_CALLS = 3
FLUSH = 4  # times the size of the L2 cache


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: as results say it.
        run: makes the call.
        settings: what holds while it runs, such as the use of TF32; entered outside the time.
    """

    name: str
    run: Callable[[], Any]
    settings: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class DeviceTiming:
    """What came out for one contender, in seconds per call.

    Attributes:
        median: on the device, over the rounds.
        p20: a fifth of the rounds was faster.
        p80: a fifth of the rounds was slower.
        launch: until the call returned to the host, median.
        rounds: how many there were.
        ratios: by contender, the median over rounds of this one's time divided by that one's.
    """

    median: float
    p20: float
    p80: float
    launch: float
    rounds: int
    ratios: dict[str, float]


class Clock(Protocol):
    """Takes the time of one call."""

    def time(self, run: Callable[[], Any]) -> tuple[float, float]:
        """Return seconds on the device, and until the call returned."""


class DeviceClock:
    """The GPU's events."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        size = cupy.cuda.Device().attributes["L2CacheSize"]
        self._buffer = cupy.empty(FLUSH * max(size, 1 << 20), np.uint8)

    def time(self, run: Callable[[], Any]) -> tuple[float, float]:
        """Return seconds on the device, and until the call returned."""
        start, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        self._cupy.cuda.Device().synchronize()
        self._buffer.fill(0)
        start.record()
        begin = time.perf_counter()
        result = run()
        launch = time.perf_counter() - begin
        end.record()
        end.synchronize()
        del result  # only now may its memory serve again
        return self._cupy.cuda.get_elapsed_time(start, end) / 1e3, launch


def race(contenders: Sequence[Contender], effort: Effort, clock: Clock) -> dict[str, DeviceTiming]:
    """Time the contenders in turn, after a few calls that compile and choose, and return a timing by name."""
    slowest = [max(_calls(contender, clock, WARM_UP_CALLS)[-1]) for contender in contenders]
    rounds = min(max(int(effort.seconds / max(sum(slowest), 1e-9)), effort.fewest), effort.most)
    taken = np.array(
        [[_calls(contender, clock, 1)[0] for contender in contenders] for _ in range(rounds)]
    )  # (rounds, contenders, [device, launch])
    device, launch = taken[..., 0], np.median(taken[..., 1], axis=0)
    timings = {}
    for j, contender in enumerate(contenders):
        p20, median, p80 = (float(value) for value in np.percentile(device[:, j], (20, 50, 80)))
        ratios = {
            other.name: float(np.median(device[:, j] / device[:, k])) for k, other in enumerate(contenders)
        }
        timings[contender.name] = DeviceTiming(median, p20, p80, float(launch[j]), rounds, ratios)
    return timings


def _calls(contender: Contender, clock: Clock, count: int) -> list[tuple[float, float]]:
    with contender.settings():
        return [clock.time(contender.run) for _ in range(count)]
