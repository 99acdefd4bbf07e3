"""The method, on a clock that the test winds: contenders take turns, statistics are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measuring import (
    BURST_SECONDS,
    SETTLE_SECONDS,
    WARM_UP_SECONDS,
    Contender,
    Effort,
    interleave,
)


class Clock:
    """Time that passes only in calls of contenders."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def contender(self, name: str, durations) -> Contender:
        """One whose calls take these seconds, the last one for ever."""
        left = list(durations)

        def run() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return Contender(name, run)


EFFORT = Effort(seconds=1.0, fewest=5, most=7)


def test_contenders_take_turns_each_after_an_untimed_call() -> None:
    clock = Clock()
    timings = interleave([clock.contender("a", [0.06]), clock.contender("b", [0.07])], EFFORT, clock)
    rounds = timings["a"].rounds
    assert rounds == 5
    assert clock.calls[-4 * rounds :] == ["a", "a", "b", "b"] * rounds


def test_the_first_call_is_apart_and_the_warm_up_does_not_count() -> None:
    clock = Clock()
    timing = interleave([clock.contender("a", [5.0, 0.3, 0.1])], EFFORT, clock)["a"]
    assert timing.first_call == pytest.approx(5.0)
    assert (timing.p20, timing.median, timing.p80) == pytest.approx((0.1, 0.1, 0.1))


def test_median_and_quantiles_are_over_rounds() -> None:
    clock = Clock()
    # Two calls of warm-up, then pairs: an untimed call of 9 s and a timed one.
    timed = [0.3, 0.1, 0.5, 0.2, 0.4]
    durations = [0.1, 0.1, *(seconds for t in timed for seconds in (9.0, t))]
    timing = interleave([clock.contender("a", durations)], Effort(0.0, 5, 5), clock)["a"]
    assert timing.rounds == 5
    assert timing.median == pytest.approx(0.3)
    assert (timing.p20, timing.p80) == pytest.approx(tuple(np.percentile(timed, (20, 80))))


def test_ratios_are_medians_of_rounds_not_ratios_of_medians() -> None:
    """A machine that slows down by and by: every round says that b takes twice a's time."""
    clock = Clock()
    speeds = [1.0, 1.0, 1.0, 4.0, 9.0]

    def durations(scale: float) -> list[float]:
        return [scale, scale, *(seconds * scale for s in speeds for seconds in (s, s))]

    pair = [clock.contender("a", durations(0.1)), clock.contender("b", durations(0.2))]
    timings = interleave(pair, Effort(0.0, 5, 5), clock)
    assert timings["b"].ratios == pytest.approx({"a": 2.0, "b": 1.0})
    assert timings["a"].ratios["b"] == pytest.approx(0.5)


def test_short_calls_are_timed_in_bursts() -> None:
    clock = Clock()
    call = BURST_SECONDS / 8  # exact in binary but for the constant's own rounding
    timing = interleave([clock.contender("a", [call])], Effort(0.0, 3, 3), clock)["a"]
    assert timing.median == pytest.approx(call)
    untimed = SETTLE_SECONDS / call
    warm_up = len(clock.calls) - 3 * (8 + untimed)
    assert WARM_UP_SECONDS / call - 3 <= warm_up <= WARM_UP_SECONDS / call + 6


def test_everybody_rests_before_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("benchmarks.measuring.time.sleep", lambda seconds: clock.calls.append(f"{seconds} s"))
    pair = [clock.contender("a", [0.1]), clock.contender("b", [0.1])]
    interleave(pair, Effort(0.0, 2, 2, rest=0.25), clock)
    assert clock.calls[-12:] == ["0.25 s", "a", "a", "0.25 s", "b", "b"] * 2


def test_a_contender_hopelessly_behind_is_called_only_in_the_warm_up() -> None:
    clock = Clock()
    pair = [clock.contender("a", [0.01]), clock.contender("loops", [3.0])]
    timings = interleave(pair, Effort(seconds=0.5, fewest=5, most=9), clock)
    assert clock.calls.count("loops") == 2
    assert (timings["loops"].rounds, timings["loops"].ratios["a"]) == (1, pytest.approx(300.0))
    assert timings["a"].rounds == 9


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="contenders must be at least one, of different names, got"):
        interleave([Contender("a", int), Contender("a", int)], EFFORT)
