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

import heapq
import itertools
import os
import traceback
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any, ClassVar, NamedTuple

from kernels.array import Array
from kernels.elementwise import add, is_finite

_ENGINE = os.path.join(os.path.dirname(__file__), "")
_numbers = itertools.count()
_recording: ContextVar[bool] = ContextVar("minidnn_recording", default=True)
_anomaly: ContextVar[bool] = ContextVar("minidnn_anomaly", default=False)


class VersionCounter:
    """Counts in-place changes of one piece of memory; a tensor and its views share one counter.

    `rewritten` says that a recorded operation wrote into the memory, so that views taken before
    no longer know where their values came from.
    """

    __slots__ = ("rewritten", "value")

    def __init__(self) -> None:
        self.value = 0
        self.rewritten = False


class Edge(NamedTuple):
    """Output number `output` of `function`: where a gradient is sent."""

    function: Function
    output: int


class Function:
    """One operation on arrays; the instance is its own context.

    A subclass takes its parameters in `__init__`, computes in `forward(*arrays)` and returns one gradient
    per input from `backward(*grad_outputs)` (None where `needs` is false or the input is not
    differentiable). What backward needs is remembered with `save`, or as an attribute.

    Attributes:
        needs: for each input, whether its gradient is wanted; set before `forward` runs.
        is_view: whether output i shares memory with input i.
    """

    is_view: ClassVar[bool] = False
    # Defaults for the common case, so that a node costs no more attributes than it uses.
    needs: tuple[bool, ...] = ()
    saved: tuple[Any, ...] = ()
    edges: tuple[Edge | None, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
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

    def enter_graph(self, edges: tuple[Edge | None, ...], shapes: tuple[tuple[int, ...], ...]) -> None:
        """Become a node: take a number, and remember where the inputs came from."""
        self.number = next(_numbers)
        self.edges = edges
        self.shapes = shapes
        if _anomaly.get():
            self.created_at = _calling_line()

    def check_guards(self) -> None:
        """Raise ValueError if an array that backward needs was changed in place since forward."""
        for counter, version in self.guards:
            if counter.value != version:
                raise ValueError(
                    f"an array that the backward of {self.name} needs was changed in place "
                    f"(version {counter.value}, {version} is needed); change a clone instead"
                )

    def free(self) -> None:
        """Forget all that forward remembered; a second backward then raises."""
        vars(self).clear()
        self.freed = True

    def __repr__(self) -> str:
        return f"<{self.name}>"


class AccumulateGrad(Function):
    """The node of a leaf tensor: adds what arrives to its gradient. Runs after all other nodes."""

    def __init__(self, accumulate: Callable[[Array], None], shape: tuple[int, ...]) -> None:
        self.accumulate = accumulate
        self.shapes = (shape,)
        self.number = -1 - next(_numbers)

    def backward(self, *grad_outputs: Any) -> Any:
        """Hand the sum over all consumers to the tensor."""
        self.accumulate(grad_outputs[0])
        return ()

    def free(self) -> None:
        """Keep everything: a leaf outlives the graphs it takes part in."""


def backward(roots: Iterable[tuple[Edge, Array]], retain_graph: bool = False) -> None:
    """Send each root's gradient through the graph, youngest node first, freeing nodes as they have run.

    Raises:
        ValueError: the graph was freed by an earlier pass, an array it needs was changed in place,
            or a Function returned gradients that do not fit its inputs.
    """
    waiting: dict[Function, list[Array | None]] = {}
    heap: list[tuple[int, Function]] = []
    for edge, gradient in roots:
        _send(edge, gradient, waiting, heap)
    while heap:
        function = heapq.heappop(heap)[1]
        gradients = _run(function, waiting.pop(function))
        for target, gradient_in in zip(function.edges, gradients, strict=True):
            if target is not None and gradient_in is not None:
                _check_gradient(function, target, gradient_in)
                _send(target, gradient_in, waiting, heap)
        if not retain_graph:
            function.free()


def _send(
    edge: Edge,
    gradient: Array,
    waiting: dict[Function, list[Array | None]],
    heap: list[tuple[int, Function]],
) -> None:
    """Add a gradient to what waits at the edge's node, and queue the node when it is new."""
    function, output = edge
    if function not in waiting:
        waiting[function] = [None] * max(len(function.shapes), 1)
        heapq.heappush(heap, (-function.number, function))
    earlier = waiting[function][output]
    waiting[function][output] = gradient if earlier is None else add(earlier, gradient)


def _run(function: Function, grad_outputs: list[Array | None]) -> tuple[Array | None, ...]:
    """Run one node: its hooks on what arrived, then its backward."""
    if function.freed:
        raise ValueError(
            "this graph was freed by an earlier backward; pass retain_graph=True to that call to run it twice"
        )
    function.check_guards()
    for output, hooks in (function.hooks or {}).items():
        for hook in hooks:
            gradient = grad_outputs[output]
            if gradient is not None:
                grad_outputs[output] = hook(gradient)
    for output, keep in (function.retained or {}).items():
        gradient = grad_outputs[output]
        if gradient is not None:
            keep(gradient)
    result = function.backward(*grad_outputs)
    gradients = result if isinstance(result, tuple) else (result,)
    if len(gradients) != len(function.edges):
        raise ValueError(
            f"the backward of {function.name} returned {len(gradients)} gradients, "
            f"its {len(function.edges)} inputs need one each"
        )
    if _anomaly.get():
        for position, gradient in enumerate(gradients):
            if gradient is not None:
                what = f"the gradient of its input {position}"
                check_anomaly(function, gradient, what, "upstream gradient of output", grad_outputs)
    return gradients


def _check_gradient(function: Function, target: Edge, gradient: Array) -> None:
    shape = target.function.shapes[target.output] if target.function.shapes else gradient.shape
    if gradient.shape != shape:
        raise ValueError(
            f"the backward of {function.name} returned a gradient of shape {gradient.shape}, "
            f"its input needs {shape}"
        )


class _Switch(ContextDecorator):
    """A context manager and decorator that sets a context variable and restores it; may be nested."""

    variable: ClassVar[ContextVar[bool]]
    value: ClassVar[bool]

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(self.variable.set(self.value))

    def __exit__(self, *exception: object) -> None:
        self.variable.reset(self._tokens.pop())


class no_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Do not record operations while the context (or the decorated function) runs."""

    variable = _recording
    value = False


class enable_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Record operations again inside a `no_grad` context."""

    variable = _recording
    value = True


class anomaly_mode(_Switch):  # noqa: N801 - a context manager beside no_grad
    """Name the operation whose output or gradient first becomes NaN or infinite (slow: every array is read).

    with minidnn.anomaly_mode():
        loss = model(x)
        loss.backward()    # ValueError: Log produced -inf (shape (2,), flat index 1) in its output; ...
    """

    variable = _anomaly
    value = True


def is_grad_enabled() -> bool:
    """Whether operations are recorded at this point."""
    return _recording.get()


def anomaly_enabled() -> bool:
    """Whether `anomaly_mode` is on at this point."""
    return _anomaly.get()


def check_anomaly(
    function: Function, result: Array, what: str, source: str, sources: Iterable[Array | None]
) -> None:
    """Raise ValueError naming `function` if the floating `result` holds NaN or an infinity.

    Where one of the arrays it was computed from held such a value already, that is said instead: every
    operation is checked, so the value was given from outside (a leaf, or an upstream gradient).
    """
    place = _first_not_finite(result)
    if place is None:
        return
    sentence = f"{function.name} produced {_value_at(result, place)} in {what}"
    for position, array in enumerate(sources):
        given = None if array is None else _first_not_finite(array)
        if array is not None and given is not None:
            sentence += f", but its {source} {position} already held {_value_at(array, given)}"
            break
    origin = (
        f"it was called at {function.created_at}" if function.created_at else f"seen at {_calling_line()}"
    )
    raise ValueError(f"{sentence}; {origin}")


def _first_not_finite(array: Array) -> int | None:
    """Flat index of the first NaN or infinity in a floating array."""
    if array.dtype.kind not in "fc" or array.size == 0:
        return None
    finite = is_finite(array)
    return None if finite.all() else int((~finite).reshape(-1).argmax())


def _value_at(array: Array, place: int) -> str:
    return f"{array.reshape(-1)[place]} (shape {array.shape}, flat index {place})"


def _calling_line() -> str:
    """The innermost line outside the engine that led here, as `file:line in function`."""
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(_ENGINE):
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return "an unknown line"
