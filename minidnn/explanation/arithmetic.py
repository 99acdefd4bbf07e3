"""Numbers and sums as text that a person can check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from minidnn.explanation.content import Equation

LONGEST_IN_SYMBOLS = 4  # terms; longer sums show the first two and the last


def number(value: float) -> str:
    """A number with up to four decimals."""
    text = f"{float(value):.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def bracketed(value: float) -> str:
    """A number as it stands after a sign: below 0 in brackets."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def share(value: float) -> str:
    """A weight of a mean, with up to six decimals."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def constant(value: float) -> str:
    """A number as it was given, such as 1e-05."""
    return f"{value:g}"


def at(name: str, index: Sequence[int]) -> str:
    """An entry's name: x[0,1,2,3]."""
    return f"{name}[{','.join(map(str, index))}]" if len(index) else name


def size_text(shape: Sequence[int]) -> str:
    """A shape: 1x2x3x4."""
    return "x".join(map(str, shape)) or "a number"


class Term(NamedTuple):
    """A product.

    Attributes:
        symbols: the factors by name.
        factors: the factors as texts of numbers, such as "-0.5" or "1/4".
    """

    symbols: tuple[str, ...]
    factors: tuple[str, ...]


def term(*pairs: tuple[str, Any]) -> Term:
    """A product of named numbers; a value that is a text stands as it is."""
    return Term(
        tuple(name for name, _ in pairs),
        tuple(value if isinstance(value, str) else number(value) for _, value in pairs),
    )


def total(target: str, terms: Iterable[Term], value: float) -> Equation:
    """The sum of products that the engine's `value` should be."""
    listed = list(terms)
    return Equation(target, symbols_of(listed), numbers_of(listed), float(value))


def symbols_of(terms: Sequence[Term]) -> str:
    """The sum by name, the middle of long ones left out."""
    texts = ["·".join(each.symbols) for each in terms]
    if len(texts) > LONGEST_IN_SYMBOLS:
        texts = [*texts[:2], "...", texts[-1]]
    return " + ".join(texts) or "0"


def numbers_of(terms: Sequence[Term]) -> str:
    """The sum in numbers, all of it: "0.5·3 - 1·2"."""
    text = ""
    for each in terms:
        negative = each.factors[0].startswith("-")
        factors = (each.factors[0].removeprefix("-"), *each.factors[1:])
        body = "·".join(f"({factor})" if factor.startswith("-") else factor for factor in factors)
        if not text:
            text = f"-{body}" if negative else body
        else:
            text += f" - {body}" if negative else f" + {body}"
    return text or "0"
