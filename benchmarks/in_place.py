"""Where a network's time goes: its kernel calls timed within its own pass, and the pass without the kernels.

A layer by itself runs many times in a row, with its data in the caches. In the network it runs once, after
others have used them, and it reads a weight that was last read a pass ago. So what the layers take is also
measured in place:

    network = kernels in place + engine

where the engine is everything in Python around them: modules, tensors, the contracts' checks, the
choice of a version. It is measured
by itself, too: a pass in which every kernel call is answered with the array that it gave before. The three
are three measurements that take turns, and how well they add up says whether any time went unnoticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.listening import listening
from benchmarks.measuring import Contender, Effort, interleave
from benchmarks.results import Row
from benchmarks.shapes import PLAIN
from kernels.registry import Version


class Pass:
    """A network's pass: as it is, with a clock at every kernel call, or without the kernels.

    Attributes:
        timed: of each pass with a clock its calls, (operation, seconds), as the table of shapes names them.
    """

    def __init__(self, run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> None:
        self.timed: list[list[tuple[str, float]]] = []
        self.whole = run
        self._clock = clock
        self._results: list[Any] = []
        self._replay: Iterator[Any] = iter(())

    def in_place(self) -> None:
        """Make the pass and note what every kernel call takes."""
        self.timed.append([])
        with listening(self._time):
            self.whole()

    def engine(self) -> None:
        """Make the pass without kernels: their results are those of the first pass of this kind."""
        if not self._results:
            with listening(self._keep):
                self.whole()
        self._replay = iter(self._results)
        with listening(self._answer):
            self.whole()

    def _time(self, version: Version, *arguments: Any) -> Any:
        start = self._clock()
        result = version.function(*arguments)
        seconds = self._clock() - start
        self.timed[-1].append((PLAIN.get(version.operation, version.operation), seconds))
        return result

    def _keep(self, version: Version, *arguments: Any) -> Any:
        self._results.append(version.function(*arguments))
        return self._results[-1]

    def _answer(self, version: Version, *arguments: Any) -> Any:
        return next(self._replay)


def measure(run: Callable[[], Any], effort: Effort) -> Row:
    """Measure a pass and its parts; the first pass, which prepares weights, must have been made.

    Returns:
        In seconds `whole`; `kernels`, all calls in place; `engine`, the pass without them; and `operations`,
        by name the number of `calls` and the `seconds` of all of them in place.
    """
    one = Pass(run)
    contenders = [
        Contender("whole", one.whole),
        Contender("kernels", one.in_place),
        Contender("engine", one.engine),
    ]
    timings = interleave(contenders, effort)
    return {
        "whole": timings["whole"].median,
        "kernels": median(sum(seconds for _, seconds in calls) for calls in one.timed),
        "engine": timings["engine"].median,
        "operations": _by_operation(one.timed),
    }


def _by_operation(passes: list[list[tuple[str, float]]]) -> dict[str, Row]:
    """The calls of every operation together, the median over passes."""
    found = {}
    for operation in dict.fromkeys(operation for operation, _ in passes[0]):
        of_pass = [[seconds for name, seconds in calls if name == operation] for calls in passes]
        found[operation] = {"calls": len(of_pass[0]), "seconds": median(map(sum, of_pass))}
    return found
