"""How time is taken: contenders in turn in one process, warmed up, each after untimed calls of its own.

The machine's speed drifts, so contenders are compared within a round, never across runs: a ratio is the
median over rounds of their times in the same round. Thread pools of different libraries do not know of each
other, and their threads spin for a while after a call; the untimed calls let the contender's own pool take
the cores back. That is enough between pools of OpenMP's, ours and PyTorch's. Where another kind takes part,
everybody rests before each turn, until the threads of the turn before have stopped; and a pool that spins for
longer than a rest has to be told not to (`network_benchmark.SHORT_SPIN`), or it slows down whoever comes
after it. Calls shorter than a burst are timed many at once. A contender's first call is taken apart: it
compiles.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BURST_SECONDS = 1e-3
MOST_CALLS = 1000
WARM_UP_SECONDS = 0.02
# Threads of the pool before spin for milliseconds: so long a contender is called before its time is taken.
SETTLE_SECONDS = 3e-3
# So many times slower than the fastest, and no round ends in reasonable time.
HOPELESS = 50


@dataclass(frozen=True)
class Contender:
    """One way to do the work: a name and a call without arguments, whose result nobody keeps."""

    name: str
    run: Callable[[], Any]


@dataclass(frozen=True)
class Effort:
    """How long to measure: seconds for all rounds together, within these numbers of rounds.

    `rest`: for how many seconds everybody sleeps before each turn; they do not count.
    """

    seconds: float
    fewest: int
    most: int
    rest: float = 0.0


FULL = Effort(seconds=0.2, fewest=3, most=25)
QUICK = Effort(seconds=0.1, fewest=3, most=9)


@dataclass(frozen=True)
class Timing:
    """What came out for one contender, in seconds per call.

    Attributes:
        median: over the rounds.
        p20: a fifth of the rounds was faster.
        p80: a fifth of the rounds was slower.
        rounds: how many there were.
        first_call: the very first call, compilation or loading of compiled code included.
        ratios: by contender, the median over rounds of this one's time divided by that one's.
    """

    median: float
    p20: float
    p80: float
    rounds: int
    first_call: float
    ratios: dict[str, float]


def interleave(
    contenders: Sequence[Contender], effort: Effort, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time the contenders in turn and return a Timing for each by name.

    Raises:
        ValueError: no contender, or two of one name.
    """
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"contenders must be at least one, of different names, got {names}")
    warm = [_warm_up(contender, clock) for contender in contenders]
    calls = [min(max(math.ceil(BURST_SECONDS / steady), 1), MOST_CALLS) for _, steady in warm]
    hopeless = max(effort.seconds, HOPELESS * min(steady for _, steady in warm))
    slow = [steady > hopeless for _, steady in warm]
    per_round = sum(
        count * steady + max(steady, SETTLE_SECONDS)
        for count, (_, steady), out in zip(calls, warm, slow, strict=True)
        if not out
    )
    rounds = min(max(int(effort.seconds / max(per_round, 1e-9)), effort.fewest), effort.most)
    seconds = np.array([[steady for _, steady in warm]] * rounds)
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for i in range(rounds):
            for j, contender in enumerate(contenders):
                if not slow[j]:
                    time.sleep(effort.rest)
                    seconds[i, j] = _timed(contender.run, calls[j], clock)
    finally:
        if collecting:
            gc.enable()
    return {
        name: _timing(seconds[:, j], dict(zip(names, seconds.T, strict=True)), warm[j][0], slow[j])
        for j, name in enumerate(names)
    }


def _warm_up(contender: Contender, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds of the first call, and of the last of a few more."""
    start = clock()
    contender.run()
    first = clock() - start
    begin, steady, calls = clock(), first, 0
    while calls < 2 or clock() - begin < WARM_UP_SECONDS:
        start = clock()
        contender.run()
        steady = max(clock() - start, 1e-9)
        calls += 1
        if steady > WARM_UP_SECONDS:
            break
    return first, steady


def _timed(run: Callable[[], Any], calls: int, clock: Callable[[], float]) -> float:
    """Seconds per call of a burst, after one call or some that do not count."""
    begin = clock()
    run()
    while clock() - begin < SETTLE_SECONDS:
        run()
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def _timing(own: np.ndarray, every: dict[str, np.ndarray], first_call: float, slow: bool) -> Timing:
    p20, median, p80 = (float(value) for value in np.percentile(own, (20, 50, 80)))
    ratios = {name: float(np.median(own / other)) for name, other in every.items()}
    return Timing(median, p20, p80, 1 if slow else len(own), first_call, ratios)
