"""Reverse-mode differentiation: a Function is an operation on arrays, and `backward` walks the graph of them.

Every operation that runs while gradients are recorded leaves its Function behind as a node. A node's
`edges` say, for each of its inputs, which node produced it; a leaf tensor is represented by a node of its
own (`AccumulateGrad`) that adds what arrives to the tensor's `grad`.

The chain rule for a node with several consumers sums over all of them:

    dL/dx = sum over consumers f of  (df/dx)^T dL/df

so a node may run only when all its consumers have. Nodes are numbered as they are created and a consumer
is always younger than what it consumes: taking the youngest node first is a topological order. Recursing
into the inputs as soon as one consumer has run would send an incomplete sum onwards (and overflow the
interpreter's stack on a long chain).

Source: Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 18 (2018), section 3.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, ClassVar, Protocol, TypeAlias

from kernels.array import Array
from kernels.elementwise import add
from minidnn.anomaly import check_anomaly
from minidnn.modes import MODES

# The number of a Function that becomes a node: one more than that of the one before.
next_number = itertools.count().__next__


class VersionCounter:
    """Counts in-place changes of one piece of memory; a tensor and its views share one counter.

    `rewritten` says that a recorded operation wrote into the memory, so that views taken before
    no longer know where their values came from.

    `handed_out` says that somebody may hold the memory through `data`, `numpy()` or what else gives the array
    away; what is written there moves no counter. Who finds that nobody does sets it to false.
    """

    value = 0
    rewritten = False
    handed_out = True


# Where a gradient is sent: a Function and the number of its output.
Edge: TypeAlias = "tuple[Function, int]"


class Function:
    """One operation on arrays; the instance is its own context.

    A subclass takes its parameters in `__init__`, computes in `forward(*arrays)` and returns one gradient
    per input from `backward(*grad_outputs)` (None where `needs` is false or the input is not
    differentiable). What backward needs is remembered with `save`, or as an attribute.

    Attributes:
        needs: for each input, whether its gradient is wanted; set before `forward` runs.
        is_view: whether output i shares memory with input i.
        new_gradients: whether `backward` returns arrays that share memory with nothing else; a leaf then
            keeps its gradient without copying it.
    """

    is_view: ClassVar[bool] = False
    new_gradients: ClassVar[bool] = False
    # Defaults for the common case, so that a node costs no more attributes than it uses.
    needs: tuple[bool, ...] = ()
    saved: tuple[Any, ...] = ()
    edges: Sequence[Edge | None] = ()
    shapes: Sequence[tuple[int, ...]] = ()
    guards: tuple[tuple[VersionCounter, int], ...] = ()
    hooks: dict[int, list[Callable[[Array], Array]]] | None = None
    retained: dict[int, Callable[[Array], None]] | None = None
    created_at: str | None = None
    freed: bool = False
    number: int = -1

    def forward(self, *arrays: Any) -> Any:
        """Compute the output array (or a tuple of arrays) from the input arrays."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def backward(self, *grad_outputs: Any) -> Any:
        """Return the gradient of each input, given that of each output."""
        raise TypeError(f"{type(self).__name__} must define backward")

    def save(self, *arrays: Array | None) -> None:
        """Remember input or output arrays for backward; changing one in place will be noticed."""
        self.saved = arrays

    @property
    def name(self) -> str:
        """The operation's name, as messages and graphs show it."""
        return type(self).__name__

    def check_guards(self) -> None:
        """Raise ValueError if an array that backward needs was changed in place since forward."""
        for counter, version in self.guards:
            if counter.value != version:
                raise ValueError(
                    f"an array that the backward of {self.name} needs was changed in place "
                    f"(version {counter.value}, {version} is needed); change a clone instead"
                )

    def free(self) -> None:
        """Forget all that forward remembered; a gradient that still finds its way here then raises."""
        self.__dict__ = {"number": self.number, "shapes": self.shapes, "freed": True}

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Leaf(Protocol):
    """A tensor as the graph sees it."""

    def _accumulate(self, gradient: Array, is_new: bool) -> None: ...


class AccumulateGrad(Function):
    """The node of a leaf tensor: adds what arrives to its gradient when all other nodes have run."""

    def __init__(self, leaf: Callable[[], Leaf | None], shape: tuple[int, ...]) -> None:
        self.leaf = leaf  # a weak reference: the graph must not keep the tensor alive
        self.shapes = (shape,)


def backward(roots: Iterable[tuple[Edge, Array]], retain_graph: bool = False) -> None:
    """Send each root's gradient through the graph, youngest node first, freeing nodes as they have run.

    Raises:
        ValueError: the graph was freed by an earlier pass, an array it needs was changed in place,
            or a Function returned gradients that do not fit its inputs.
    """
    checked = MODES.get().anomaly
    walk = _Walk()
    heap, waiting = walk.heap, walk.waiting
    for (function, output), gradient in roots:
        walk.send(function, output, gradient, False)
    while heap:
        function = heappop(heap)[1]
        grad_outputs = waiting.pop(function)
        gradients = _run(function, grad_outputs)
        if checked:
            _check_gradients(function, gradients, grad_outputs)
        for position, edge in enumerate(function.edges):
            gradient_in = gradients[position]
            if edge is not None and gradient_in is not None:
                producer, output = edge
                if gradient_in.shape != producer.shapes[output]:
                    raise _misshapen(function, gradient_in, producer.shapes[output])
                walk.send(producer, output, gradient_in, function.new_gradients)
        if not retain_graph:
            function.free()
    _deliver(walk.leaves)


class _Walk:
    """What one pass of backward knows.

    Attributes:
        waiting: for each node that is yet to run, the sum so far for each of its outputs.
        heap: those nodes, the youngest first.
        leaves: for each leaf the sum so far, and whether nobody else holds that array.
    """

    def __init__(self) -> None:
        self.waiting: dict[Function, list[Array | None]] = {}
        self.heap: list[tuple[int, Function]] = []
        self.leaves: dict[AccumulateGrad, tuple[Array, bool]] = {}

    def send(self, function: Function, output: int, gradient: Array, is_new: bool) -> None:
        """Add a gradient to what waits at a node's output, and queue the node when it is new."""
        if isinstance(function, AccumulateGrad):
            held = self.leaves.get(function)
            self.leaves[function] = (gradient, is_new) if held is None else (add(held[0], gradient), True)
            return
        arrived = self.waiting.get(function)
        if arrived is None:
            arrived = self.waiting[function] = [None] * len(function.shapes)
            heappush(self.heap, (-function.number, function))
        earlier = arrived[output]
        arrived[output] = gradient if earlier is None else add(earlier, gradient)


def _deliver(leaves: Mapping[AccumulateGrad, tuple[Array, bool]]) -> None:
    """Hand each leaf the sum over all its consumers, and whether nobody else holds that array."""
    for node, (gradient, is_new) in leaves.items():
        if node.hooks:
            for hook in node.hooks[0]:
                gradient, is_new = hook(gradient), False
        leaf = node.leaf()
        if leaf is not None:
            leaf._accumulate(gradient, is_new)


def _run(function: Function, grad_outputs: list[Array | None]) -> Sequence[Array | None]:
    """Run one node: its hooks on what arrived, then its backward."""
    if function.freed:
        raise ValueError(
            "this graph was freed by an earlier backward; pass retain_graph=True to that call to run it twice"
        )
    if function.guards:
        function.check_guards()
    if function.hooks or function.retained:
        _show(function, grad_outputs)
    result = function.backward(*grad_outputs)
    gradients = result if isinstance(result, tuple) else (result,)
    if len(gradients) != len(function.edges):
        raise ValueError(
            f"the backward of {function.name} returned {len(gradients)} gradients, "
            f"its {len(function.edges)} inputs need one each"
        )
    return gradients


def _show(function: Function, grad_outputs: list[Array | None]) -> None:
    """Hand what arrived to the hooks, which may replace it, and to the tensors that retain it."""
    for output, hooks in (function.hooks or {}).items():
        for hook in hooks:
            gradient = grad_outputs[output]
            if gradient is not None:
                grad_outputs[output] = hook(gradient)
    for output, keep in (function.retained or {}).items():
        gradient = grad_outputs[output]
        if gradient is not None:
            keep(gradient)


def _check_gradients(
    function: Function, gradients: Sequence[Array | None], grad_outputs: Sequence[Array | None]
) -> None:
    """Raise ValueError where a gradient holds NaN or an infinity."""
    for position, gradient in enumerate(gradients):
        if gradient is not None:
            what = f"the gradient of its input {position}"
            source = "upstream gradient of output"
            check_anomaly(function.name, function.created_at, gradient, what, source, grad_outputs)


def _misshapen(function: Function, gradient: Array, shape: tuple[int, ...]) -> ValueError:
    return ValueError(
        f"the backward of {function.name} returned a gradient of shape {gradient.shape}, "
        f"its input needs {shape}"
    )
