"""What layers with a weight have in common: outputs are sums of products weight times input, plus a bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from kernels.array import Array
from minidnn.explanation.arithmetic import Term, at, number, size_text, term, total
from minidnn.explanation.content import Equation, Index, Step, Table
from minidnn.explanation.example import Worked, check_example_size, planes


class Product(NamedTuple):
    """One product of a sum.

    Attributes:
        x: which entry of the input.
        weight: which entry of the weight.
    """

    x: Index
    weight: Index


class Sums:
    """All outputs of a layer as sums of products, and what that means for the gradients.

    Args:
        arrays: x, weight, and bias if there is one.
        worked: what the engine made of them.
        products: those of an output.
        bias_of: which entry of the bias an output adds.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array | None],
        worked: Worked,
        products: Callable[[Index], list[Product]],
        bias_of: Callable[[Index], Index],
    ) -> None:
        self.x, self.weight, self.bias = _given(arrays["x"]), _given(arrays["weight"]), arrays["bias"]
        self.worked = worked
        self.bias_of = bias_of
        self.products = {index: products(index) for index in np.ndindex(worked.y.shape)}
        check_example_size("products", sum(map(len, self.products.values())))
        if not any(self.products.values()):
            raise ValueError("an example must have a window that meets the input, got padding under all taps")

    def output(self, index: Index) -> Equation:
        """An output's sum."""
        terms = [
            term((at("w", each.weight), self.weight[each.weight]), (at("x", each.x), self.x[each.x]))
            for each in self.products[index]
        ]
        if self.bias is not None:
            place = self.bias_of(index)
            terms.insert(0, term((at("b", place), self.bias[place])))
        return total(at("y", index), terms, self.worked.y[index])

    def grad_x(self, index: Index) -> Equation:
        """The gradient of an input: from every output that it was a part of."""
        terms = [
            term((at("w", each.weight), self.weight[each.weight]), self._upstream(output))
            for output, products in self.products.items()
            for each in products
            if each.x == index
        ]
        return total(at("grad_x", index), terms, self.worked.gradients["x"][index])

    def grad_weight(self, index: Index) -> Equation:
        """The gradient of a weight: from every output that was multiplied with it."""
        terms = [
            term((at("x", each.x), self.x[each.x]), self._upstream(output))
            for output, products in self.products.items()
            for each in products
            if each.weight == index
        ]
        return total(at("grad_w", index), terms, self.worked.gradients["weight"][index])

    def grad_bias(self, index: Index) -> Equation:
        """The gradient of a bias: the sum over the outputs that it was added to."""
        terms: list[Term] = [
            term(self._upstream(output)) for output in self.products if self.bias_of(output) == index
        ]
        return total(at("grad_b", index), terms, self.worked.gradients["bias"][index])

    def users(self, index: Index) -> list[Index]:
        """The outputs that an input takes part in."""
        return [
            output for output, products in self.products.items() if any(each.x == index for each in products)
        ]

    def most_used(self, preferred: Index) -> Index:
        """The input that the most outputs use; of several, the preferred one or the first."""
        counts = np.zeros(self.x.shape, np.int64)
        for products in self.products.values():
            for each in products:
                counts[each.x] += 1
        if counts[preferred] == counts.max():
            return preferred
        return tuple(int(part) for part in np.unravel_index(int(counts.argmax()), counts.shape))

    def _upstream(self, output: Index) -> tuple[str, float]:
        return at("g", output), float(self.worked.grad_y[output])


def product_table(sums: Sums, index: Index) -> Table:
    """Weight, input and product of every term of an output; the last row is the sum."""
    rows = [
        (
            at("w", each.weight),
            number(sums.weight[each.weight]),
            at("x", each.x),
            number(sums.x[each.x]),
            number(sums.weight[each.weight] * sums.x[each.x]),
        )
        for each in sums.products[index]
    ]
    if sums.bias is not None:
        place = sums.bias_of(index)
        rows.append((at("b", place), "", "", "", number(sums.bias[place])))
    rows.append(("sum", "", "", at("y", index), number(sums.worked.y[index])))
    return Table(("weight", "w", "input", "x", "product"), tuple(rows), last_is_total=True)


def backward_steps(sums: Sums, index: Index) -> tuple[Step, ...]:
    """The upstream gradient, and one entry of each gradient traced to the entries that it came from."""
    first = next(each for products in (sums.products[index], *sums.products.values()) for each in products)
    traced, weight, worked = sums.most_used(first.x), first.weight, sums.worked
    steps = [
        Step(
            "backward: the upstream gradient g = dL/dy",
            (
                f"marked: the outputs that {at('x', traced)} was a part of",
                planes("g", worked.grad_y, sums.users(traced)),
            ),
        ),
        Step(
            "grad_x: each of them hands its gradient back, times the weight it used",
            (sums.grad_x(traced), planes("grad_x", worked.gradients["x"], [traced])),
        ),
        Step(
            "grad_w: the gradients of all outputs, times the inputs the weight met",
            (sums.grad_weight(weight), planes("grad_w", worked.gradients["weight"], [weight])),
        ),
    ]
    if sums.bias is not None:
        place = tuple(0 for _ in sums.bias.shape)
        steps.append(
            Step(
                "grad_b: the gradients of all outputs that it was added to",
                (sums.grad_bias(place), planes("grad_b", worked.gradients["bias"], [place])),
            )
        )
    return tuple(steps)


def output_step(sums: Sums, index: Index) -> Step:
    """All outputs, and which one was worked out."""
    return Step(
        f"the output y, {size_text(sums.worked.y.shape)}",
        (planes("y", sums.worked.y, [index]),),
    )


def _given(array: Array | None) -> Array:
    assert array is not None
    return array
