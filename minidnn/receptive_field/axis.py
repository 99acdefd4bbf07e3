"""What the units of a map see along one axis of the input, and how that changes from layer to layer.

Unit i sees positions from `start + i jump` to `start + i jump + size - 1`; positions outside the input are
padding. A window of K taps, D apart, moving by S over an axis padded by P before makes of it

    size' = size + D (K - 1) jump        jump' = S jump        start' = start - P jump

Where units see parts of different sizes, or two branches disagree, the numbers bound what each unit sees: the
smallest such region that moves evenly. They are fractions, for a map that is enlarged moves by less than one
position.

Source: Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill (2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class AxisField:
    """The field along one axis.

    Attributes:
        size: how many positions a unit sees.
        jump: from one unit to the next; 0 where all units see the same.
        start: the first position that unit 0 sees, negative in the padding.
    """

    size: Fraction = Fraction(1)
    jump: Fraction = Fraction(1)
    start: Fraction = Fraction(0)

    @property
    def last(self) -> Fraction:
        """The last position that unit 0 sees."""
        return self.start + self.size - 1

    def seen_by(self, unit: int) -> tuple[int, int]:
        """Return the first and the last position that a unit sees, without the limits of the input."""
        move = unit * self.jump
        return math.ceil(self.start + move), math.floor(self.last + move)

    def through_window(self, kernel: int, stride: int, before: int, dilation: int) -> AxisField:
        """Unit i reads units i stride - before + k dilation, k = 0 .. kernel - 1."""
        return self.through(Fraction(stride), Fraction(-before), Fraction(dilation * (kernel - 1) - before))

    def through_transposed_window(self, kernel: int, stride: int, before: int, dilation: int) -> AxisField:
        """Unit i reads the units u with u stride - before + k dilation = i for some k = 0 .. kernel - 1."""
        extent = dilation * (kernel - 1)
        return self.through(Fraction(1, stride), Fraction(before - extent, stride), Fraction(before, stride))

    def through(self, slope: Fraction, first: Fraction, last: Fraction) -> AxisField:
        """Unit i reads units between i slope + first and i slope + last."""
        start, end = self.start + first * self.jump, self.last + last * self.jump
        return AxisField(end - start + 1, slope * self.jump, start)

    def of_all(self, length: int) -> AxisField:
        """Every unit reads all of `length` units."""
        end = self.last + (length - 1) * self.jump
        return AxisField(end - self.start + 1, Fraction(0), self.start)


def through_bins(field: AxisField, length: int, bins: int) -> AxisField:
    """The field behind adaptive pooling: bin i reads from floor(i L / B) to ceil((i + 1) L / B) - 1.

    Unless B divides L the bins differ by one, and rounding moves their ends by up to (B - 1) / B.
    """
    slope = Fraction(length, bins)
    rounding = Fraction(0) if length % bins == 0 else Fraction(bins - 1, bins)
    return field.through(slope, -rounding, slope - 1 + rounding)


def union(fields: Sequence[AxisField], length: int) -> AxisField:
    """The field of `length` units that see what each of several fields shows them.

    Fields of one jump give an exact hull. Others are bounded by the hull at the first and at the last unit,
    moving by the smallest jump.
    """
    jump = min(field.jump for field in fields)
    moves = [(field, unit * (field.jump - jump)) for field in fields for unit in {0, length - 1}]
    start = min(field.start + move for field, move in moves)
    end = max(field.last + move for field, move in moves)
    return AxisField(end - start + 1, jump, start)
