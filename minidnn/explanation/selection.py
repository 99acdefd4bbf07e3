"""What layers without a weight have in common: outputs are entries of the input, chosen or averaged.

Pooling, padding, resizing, dropout and concatenation are such maps. Which entries an output is made of may
depend on the values (a maximum); how it is made of them never has a trained number in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels.array import Array
from minidnn.explanation.arithmetic import Term, at, number, size_text, term, total
from minidnn.explanation.content import Equation, Index, Step
from minidnn.explanation.example import Worked, check_example_size, planes


class Source(NamedTuple):
    """An entry that an output is made of.

    Attributes:
        x: which entry of the input.
        factor: what it is multiplied with, as text: "1/4"; empty for 1.
        symbol: the factor's name; empty where the number says it.
    """

    x: Index
    factor: str = ""
    symbol: str = ""


class Sources:
    """What every output is made of, and so where every gradient goes.

    Args:
        x: the input.
        worked: what the engine made of it.
        of: the sources of each output.
        name: the input's, as the equations call it.
    """

    def __init__(
        self, x: Array, worked: Worked, of: Mapping[Index, Sequence[Source]], name: str = "x"
    ) -> None:
        self.x, self.worked, self.of, self.name = x, worked, of, name
        check_example_size("entries of windows", sum(map(len, of.values())))

    def output(self, index: Index) -> Equation:
        """An output as a sum."""
        terms = [_scaled(source, at(self.name, source.x), self.x[source.x]) for source in self.of[index]]
        return total(at("y", index), terms, self.worked.y[index])

    def largest(self, index: Index, candidates: Sequence[Index]) -> Equation:
        """An output as the largest of the candidates."""
        if len(candidates) == 1:
            return self.output(index)
        names = [at(self.name, place) for place in candidates]
        if len(names) > 4:
            names = [*names[:2], "...", names[-1]]
        numbers = ", ".join(number(self.x[place]) for place in candidates)
        return Equation(
            at("y", index), f"max({', '.join(names)})", f"max({numbers})", float(self.worked.y[index])
        )

    def gradient(self, index: Index) -> Equation:
        """An input's gradient: from the outputs that it is a source of."""
        terms = [
            _scaled(source, at("g", output), self.worked.grad_y[output])
            for output, sources in self.of.items()
            for source in sources
            if source.x == index
        ]
        return total(at(f"grad_{self.name}", index), terms, self.worked.gradients["x"][index])

    def users(self, index: Index) -> list[Index]:
        """The outputs that an input is a source of."""
        return [output for output, sources in self.of.items() if any(source.x == index for source in sources)]

    def most_used(self, preferred: Index) -> Index:
        """The input that the most outputs are made of; of several, the preferred one or the first."""
        counts = np.zeros(self.x.shape, np.int64)
        for sources in self.of.values():
            for source in sources:
                counts[source.x] += 1
        if counts[preferred] == counts.max():
            return preferred
        return tuple(int(part) for part in np.unravel_index(int(counts.argmax()), counts.shape))


def input_step(sources: Sources, index: Index, note: str, marked: Sequence[Index]) -> Step:
    """The input, with what the worked-out output looks at."""
    return Step(
        f"the input x, {size_text(sources.x.shape)}",
        (f"marked: {note} {at('y', index)}", planes(sources.name, sources.x, marked)),
    )


def output_step(sources: Sources, index: Index) -> Step:
    """All outputs, the worked-out one marked."""
    return Step(
        f"the output y, {size_text(sources.worked.y.shape)}", (planes("y", sources.worked.y, [index]),)
    )


def backward_steps(sources: Sources, index: Index, heading: str) -> tuple[Step, ...]:
    """The upstream gradient, and an input's gradient traced to it: one that several outputs share, if any."""
    preferred = sources.of[index][0].x if sources.of[index] else tuple(0 for _ in sources.x.shape)
    traced, worked = sources.most_used(preferred), sources.worked
    return (
        Step(
            "backward: the upstream gradient g = dL/dy",
            (
                f"marked: the outputs that {at(sources.name, traced)} went into",
                planes("g", worked.grad_y, sources.users(traced)),
            ),
        ),
        Step(
            heading,
            (
                sources.gradient(traced),
                planes(f"grad_{sources.name}", worked.gradients["x"], [traced]),
            ),
        ),
    )


def _scaled(source: Source, name: str, value: float) -> Term:
    if not source.factor:
        return term((name, float(value)))
    return term((source.symbol or source.factor, source.factor), (name, float(value)))
