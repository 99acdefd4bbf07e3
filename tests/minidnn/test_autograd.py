"""The graph: order of the walk, sharing, hooks, guards, freeing, and the modes."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Function, Tensor, apply, apply_many, functional
from minidnn.functional.convolution import Conv2d, ConvTranspose2d, DepthwiseConv2d
from minidnn.functional.linear import Linear
from minidnn.functional.locally_connected import LocallyConnected2d


class Scale(Function):
    """y = c x, noting when its backward runs."""

    def __init__(self, factor: float, order: list[float] | None = None) -> None:
        self.factor = factor
        self.order = order

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.factor * x)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        if self.order is not None:
            self.order.append(self.factor)
        return np.asarray(self.factor * grad_output)


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values, np.float64), requires_grad=True)


def test_a_node_waits_for_all_its_consumers() -> None:
    """The counterexample of the naive recursion: y is used by a short and by a long path."""
    order: list[float] = []
    x = leaf(1.0)
    y = apply(Scale(2, order), x)
    long = apply(Scale(5, order), apply(Scale(3, order), y))
    (y + long).backward(np.array([1.0]))
    assert order == [5, 3, 2], "the shared node runs once, after both of its consumers"
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx([2 * (1 + 15)])


def test_gradients_accumulate_over_calls_and_each_tensor_owns_its_own() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    upstream = np.array([0.5, -2.0])
    (a + b).backward(upstream)
    (a + b).backward(upstream)
    assert a.grad is not None
    assert b.grad is not None
    assert np.array_equal(a.grad.numpy(), 2 * upstream)
    with minidnn.no_grad():
        a.grad.data[...] = 77
    assert np.array_equal(b.grad.numpy(), 2 * upstream)
    assert np.array_equal(upstream, [0.5, -2.0])


def test_a_chain_of_ten_thousand_operations_and_its_release() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + 0.5
    y.backward(np.array([3.0]))
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx([3.0])
    never_walked = x
    for _ in range(100_000):
        never_walked = never_walked + 0.5
    del never_walked  # must not overflow the stack either
    gc.collect()


def test_the_graph_is_freed_and_a_second_backward_says_so() -> None:
    x = leaf(2.0)
    y = x * x
    node = weakref.ref(y.grad_fn)
    y.backward(np.array([1.0]))
    with pytest.raises(ValueError, match="freed by an earlier backward; pass retain_graph=True"):
        y.backward(np.array([1.0]))
    del y
    assert node() is None, "no reference cycle keeps the graph alive"


def test_two_freed_nodes_that_meet_are_told_too() -> None:
    x = leaf(2.0)
    y, z = x * 3.0, x * 5.0
    for freed in (y, z):
        freed.backward(np.array([1.0]))
    with pytest.raises(ValueError, match="freed by an earlier backward"):
        (y * z).backward(np.array([1.0]))


# One pixel, one tap, one image: the sizes that tempt a backward to return a view of what it was given.
LAYERS_WITH_NEW_GRADIENTS: dict[type[Function], tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    Conv2d: (functional.conv2d, (1, 4, 1, 1), (4, 4, 1, 1)),
    DepthwiseConv2d: (partial(functional.conv2d, groups=4), (1, 4, 1, 1), (4, 1, 1, 1)),
    ConvTranspose2d: (functional.conv_transpose2d, (1, 4, 1, 1), (4, 4, 1, 1)),
    Linear: (functional.linear, (1, 4), (4, 4)),
    LocallyConnected2d: (functional.locally_connected2d, (1, 4, 1, 1), (1, 1, 4, 4, 1, 1)),
}


@pytest.mark.parametrize("kind", LAYERS_WITH_NEW_GRADIENTS, ids=lambda kind: kind.__name__)
def test_gradients_that_are_said_to_be_new_share_memory_with_nothing(kind: type[Function]) -> None:
    layer, x_shape, weight_shape = LAYERS_WITH_NEW_GRADIENTS[kind]
    draw = np.random.default_rng(5).normal
    bias_shape = (4, 1, 1) if kind is LocallyConnected2d else (4,)
    leaves = [Tensor(draw(size=shape), requires_grad=True) for shape in (x_shape, weight_shape, bias_shape)]
    y = layer(*leaves)
    assert type(y.grad_fn) is kind
    assert kind.new_gradients
    upstream = draw(size=y.shape)
    y.backward(upstream)
    arrays = [upstream, y.data, *(leaf.data for leaf in leaves)]
    for holder in leaves:
        assert holder.grad is not None
        assert not any(np.may_share_memory(holder.grad.data, array) for array in arrays)
        arrays.append(holder.grad.data)


def test_every_function_that_promises_new_gradients_is_held_to_it() -> None:
    kinds, found = [Function], set()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.new_gradients and kind.__module__.startswith("minidnn"):
            found.add(kind)
    assert found == LAYERS_WITH_NEW_GRADIENTS.keys()


def test_a_new_gradient_that_a_hook_has_seen_is_copied() -> None:
    x, weight = Tensor(np.ones((1, 2)), requires_grad=True), Tensor(np.ones((1, 2)), requires_grad=True)
    seen: list[Tensor] = []
    weight.register_hook(seen.append)
    functional.linear(x, weight).backward(np.ones((1, 1)))
    assert weight.grad is not None
    assert not np.may_share_memory(weight.grad.data, seen[0].data)


def test_retain_graph_allows_a_second_backward() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward(np.array([1.0]), retain_graph=True)
    y.backward(np.array([1.0]))
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx([8.0])


def test_activations_are_released_while_backward_proceeds() -> None:
    x = leaf(*range(5))
    hidden = x * x
    array = weakref.ref(hidden.grad_fn)
    result = (hidden * hidden).sum()
    del hidden
    result.backward()
    assert array() is None


@pytest.mark.parametrize("change", ["add_", "setitem", "assign", "data"])
def test_changing_a_saved_array_in_place_is_noticed(change: str) -> None:
    x = leaf(1.0, 2.0)
    y = x * 2.0
    z = y * y
    if change == "add_":
        y.add_(1.0)
    elif change == "setitem":
        y[0] = 5.0
    elif change == "assign":
        y += 1.0
    else:
        y.data = np.array([9.0, 9.0])
    with pytest.raises(ValueError, match=r"backward of \w+ needs was changed in place"):
        z.backward(np.ones(2))


def test_changing_a_view_of_a_saved_array_is_noticed() -> None:
    weight = Tensor(np.ones((2, 2)))
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    y = x * weight
    weight[0][1] = 3.0
    with pytest.raises(ValueError, match="changed in place"):
        y.sum().backward()


def test_changing_an_array_that_backward_does_not_need_is_fine() -> None:
    x = leaf(1.0, 2.0)
    y = x + 1.0
    z = y + 2.0
    y.add_(100.0)
    z.backward(np.array([1.0, 4.0]))
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy(), [1.0, 4.0])


def test_in_place_operations_are_differentiated() -> None:
    x, v = leaf(1.0, 2.0, 3.0), leaf(10.0)
    y = x * 2.0
    y[1:2] = v * 3.0
    y.mul_(5.0)
    y.backward(np.array([1.0, 10.0, 100.0]))
    assert x.grad is not None
    assert v.grad is not None
    assert np.array_equal(x.grad.numpy(), [10.0, 0.0, 1000.0])
    assert np.array_equal(v.grad.numpy(), [150.0])


def test_a_leaf_that_requires_grad_is_not_changed_in_place() -> None:
    x = leaf(1.0)
    with pytest.raises(ValueError, match="a leaf that requires grad cannot be changed in place"):
        x.add_(1.0)
    with minidnn.no_grad():
        x.add_(1.0)
    assert np.array_equal(x.numpy(), [2.0])


def test_views_and_recorded_changes_in_place() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2.0
    view = y[:1]
    with pytest.raises(ValueError, match="a view cannot be changed in place"):
        view.add_(1.0)
    y.mul_(3.0)
    with pytest.raises(ValueError, match="this view was taken before its base was changed"):
        view * 1.0
    assert np.array_equal((y[:1] * 1.0).numpy(), [6.0])


def test_no_grad_and_enable_grad() -> None:
    x = leaf(1.0)
    with minidnn.no_grad():
        assert not (x * 2.0).requires_grad
        assert not minidnn.is_grad_enabled()
        with minidnn.enable_grad():
            assert (x * 2.0).requires_grad
        assert not minidnn.is_grad_enabled()

    @minidnn.no_grad()
    def frozen() -> Tensor:
        return x * 2.0

    assert not frozen().requires_grad
    assert (x * 2.0).requires_grad


def test_no_grad_holds_for_its_own_thread_only() -> None:
    seen: list[bool] = []
    with minidnn.no_grad():
        thread = threading.Thread(target=lambda: seen.append(minidnn.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_hooks_see_and_replace_the_whole_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3.0
    seen: list[np.ndarray] = []

    def double(gradient: Tensor) -> Tensor:
        seen.append(gradient.numpy().copy())
        return gradient * 2.0

    handle = y.register_hook(double)
    y.retain_grad()
    (y + y).backward(np.array([1.0, 4.0]), retain_graph=True)
    assert len(seen) == 1, "once, on the sum over both consumers"
    assert np.array_equal(seen[0], [2.0, 8.0])
    assert x.grad is not None
    assert y.grad is not None
    assert np.array_equal(x.grad.numpy(), [12.0, 48.0])
    assert np.array_equal(y.grad.numpy(), [4.0, 16.0])
    handle.remove()
    (y * 1.0).sum().backward()
    assert len(seen) == 1


def test_a_hook_on_a_leaf() -> None:
    x = leaf(2.0)
    x.register_hook(lambda gradient: gradient * 10.0)
    (x * x).backward(np.array([1.0]))
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx([40.0])


class TwoOutputs(Function):
    """(2 x, 3 x); an output without a gradient arrives as None."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * x, 3 * x

    def backward(self, first: Any, second: Any) -> np.ndarray:
        return sum(g * c for g, c in ((first, 2), (second, 3)) if g is not None)


def test_functions_with_several_outputs() -> None:
    x = leaf(1.0)
    double, triple = apply_many(TwoOutputs(), x)
    triple.backward(np.array([1.0]), retain_graph=True)
    assert x.grad is not None
    assert x.grad.numpy() == pytest.approx([3.0])
    (double + triple).backward(np.array([1.0]))
    assert x.grad.numpy() == pytest.approx([8.0])


class Wrong(Function):
    """A backward whose gradients do not fit."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x + 1

    def backward(self, grad_output: np.ndarray) -> Any:
        return self.result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones(3), r"the backward of Wrong returned a gradient of shape \(3,\), its input needs \(2,\)"),
        ((None, None), "the backward of Wrong returned 2 gradients, its 1 inputs need one each"),
    ],
)
def test_gradients_that_do_not_fit_are_refused(result: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        apply(Wrong(result), leaf(1.0, 2.0)).backward(np.ones(2))


def test_bad_upstream_gradients() -> None:
    y = leaf(1.0, 2.0) * 2.0
    with pytest.raises(ValueError, match=r"gradient may be left out for one element only; .* \(2,\)"):
        y.backward()
    with pytest.raises(ValueError, match=r"gradient must have shape \(2,\), got \(3,\)"):
        y.backward(np.ones(3))
    with pytest.raises(TypeError, match="gradient must have dtype float64, got float32"):
        y.backward(np.ones(2, np.float32))
    with pytest.raises(ValueError, match="backward needs a tensor that requires grad"):
        Tensor([1.0]).backward()


def test_a_function_must_define_both_directions() -> None:
    with pytest.raises(TypeError, match="Function must define forward"):
        apply(Function(), leaf(1.0))
    with pytest.raises(TypeError, match="Function must define backward"):
        Function().backward(np.ones(1))
