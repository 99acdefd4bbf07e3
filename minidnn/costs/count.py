"""A count that remembers its formula: a sum of products of named sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """Sizes that are multiplied, by name.

    Attributes:
        symbols: what stands in the formula, such as "C/G".
        numbers: their values.
    """

    symbols: tuple[str, ...]
    numbers: tuple[int, ...]

    @property
    def value(self) -> int:
        """The product."""
        return math.prod(self.numbers)


@dataclass(frozen=True)
class Count:
    """A sum of products; of none, 0.

    Attributes:
        products: the terms.
    """

    products: tuple[Product, ...] = ()

    @property
    def value(self) -> int:
        """The number."""
        return sum(term.value for term in self.products)

    @property
    def formula(self) -> str:
        """In symbols: "N x O x OH x OW"."""
        return " + ".join(" x ".join(term.symbols) for term in self.products) or "0"

    @property
    def filled_in(self) -> str:
        """In numbers: "1 x 32 x 28 x 28"."""
        return " + ".join(" x ".join(map(str, term.numbers)) for term in self.products) or "0"

    def times(self, number: int) -> Count:
        """The count so many times, written in front of every product."""
        return Count(
            tuple(Product((str(number), *term.symbols), (number, *term.numbers)) for term in self.products)
        )

    def __add__(self, other: Count) -> Count:
        return Count(self.products + other.products)


def product(**sizes: int) -> Count:
    """Return the product of sizes by name; `C_per_G` is written "C/G", and `times` as its number."""
    symbols = tuple(_symbol(name, value) for name, value in sizes.items())
    return Count((Product(symbols, tuple(sizes.values())),))


def _symbol(name: str, value: int) -> str:
    return str(value) if name == "times" else name.replace("_per_", "/")
