"""A layer's cost as parts of an explanation: the formulas, with the numbers filled in."""

from __future__ import annotations

import math

from minidnn.costs import Count, LayerCost, Pass
from minidnn.explanation.content import Equation, Part, Table


def cost_parts(cost: LayerCost) -> tuple[Part, ...]:
    """What is counted, formula by formula, then FLOPs and bytes in both directions."""
    moved = [_bytes(f"bytes {name}", each) for name, each in _passes(cost)]
    rows = tuple(
        (name, f"{each.flops:,}", f"{each.bytes:,}", f"{each.intensity:.2f}") for name, each in _passes(cost)
    )
    flops = Table(("", "2 mult-adds + others = FLOPs", "bytes", "FLOPs per byte"), rows)
    return (*count_equations(cost), *moved, flops)


def count_equations(cost: LayerCost) -> list[Equation]:
    """Parameters, multiply-adds and other operations, where there are any."""
    counts = (
        ("parameters", cost.parameters),
        ("mult-adds forward", cost.forward.multiply_adds),
        ("mult-adds backward", cost.backward.multiply_adds),
        ("other operations forward", cost.forward.operations),
        ("other operations backward", cost.backward.operations),
    )
    return [count_equation(name, count) for name, count in counts if count.products]


def count_equation(name: str, count: Count) -> Equation:
    """mult-adds = N·O = 1·2 = 2."""
    symbols, numbers = (text.replace(" x ", "·") for text in (count.formula, count.filled_in))
    return Equation(name, symbols, numbers, count.value)


def _passes(cost: LayerCost) -> tuple[tuple[str, Pass], ...]:
    return ("forward", cost.forward), ("backward", cost.backward)


def _bytes(name: str, each: Pass) -> Equation:
    """Every array once: the bytes of an element times the elements."""
    symbols, numbers = [], []
    for size in sorted({moved.itemsize for moved in (*each.reads, *each.writes)}):
        arrays = [moved for moved in (*each.reads, *each.writes) if moved.itemsize == size]
        symbols.append(_times(size, [moved.name for moved in arrays]))
        numbers.append(_times(size, [str(math.prod(moved.shape)) for moved in arrays]))
    return Equation(name, " + ".join(symbols), " + ".join(numbers), each.bytes)


def _times(size: int, parts: list[str]) -> str:
    return f"{size}·{parts[0]}" if len(parts) == 1 else f"{size}·({' + '.join(parts)})"
