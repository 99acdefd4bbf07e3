"""A linear support vector machine on features, found exactly: the classifier for little data."""

from __future__ import annotations

from kernels.array import Array, check_integer, check_number
from minidnn.creation import ones, zeros
from minidnn.functional.loss import multi_margin_loss
from minidnn.functional.shape import cat
from minidnn.modes import no_grad
from minidnn.nn.linear import Linear
from minidnn.tensor import Tensor, as_tensor

_POWER_STEPS = 30
_LONGEST = 20_000  # steps; features of sensible scale take a few hundred


def linear_svm(
    inputs: Array | Tensor,
    labels: Array | Tensor,
    num_classes: int,
    cost: float = 1.0,
    tolerance: float = 1e-5,
) -> Linear:
    """Return the linear layer with the least penalised squared hinge loss over all samples.

        minimise  1/2 sum (w^2 + b^2) + cost sum_n 1/K sum_(c != t) max(0, 1 - s[n, t] + s[n, c])^2,
        s = x W^T + b,   t = labels[n],   K = num_classes

    The loss is the multi-class hinge loss of `functional.multi_margin_loss`, squared, which makes the problem
    smooth. With two classes the difference of the two rows is the solution of scikit-learn's
    `LinearSVC(C=cost)`, which penalises the bias too. Features should have deviations near 1. The solution is
    unique; it is reached by accelerated gradient descent in float64.

    Shapes: inputs (N, ...), flattened to (N, F); labels (N,); the layer's weight (K, F) and bias (K,) are
        float32.

    Args:
        inputs: features.
        labels: integers in [0, num_classes).
        num_classes: K, at least 2.
        cost: how much a sample's loss counts against the penalty, above 0.
        tolerance: the gradient's norm at the end, relative to that at zero weights.

    Raises:
        ValueError: wrong shapes or labels, an argument out of range, or features on which it does not
            converge.
        TypeError: labels that are no integers.

    Sources: Weston and Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999;
    O'Donoghue and Candes, "Adaptive restart for accelerated gradient schemes", 2015, for the descent.
    """
    classes = check_integer("num_classes", num_classes, minimum=2)
    if check_number("cost", cost, minimum=0) == 0:
        raise ValueError("cost must be above 0, got 0")
    given, targets = as_tensor(inputs), as_tensor(labels)
    if given.ndim < 2 or targets.shape != given.shape[:1]:
        raise ValueError(f"inputs (N, ...) and labels (N,) must fit, got {given.shape} and {targets.shape}")
    features = given.flatten(1).double()  # (N, F)
    x = cat([features, ones(len(features), 1, dtype=features.dtype)], 1)  # (N, F + 1): the bias as a weight
    solution = _descend(x, targets, classes, cost, tolerance)  # (K, F + 1)
    layer = Linear(x.shape[1] - 1, classes)
    with no_grad():
        layer.weight.copy_(solution[:, :-1])
        if layer.bias is not None:
            layer.bias.copy_(solution[:, -1])
    return layer


def _gradient(weight: Tensor, x: Tensor, labels: Tensor, cost: float) -> Tensor:
    weight = weight.detach().requires_grad_()
    loss = multi_margin_loss(x @ weight.T, labels, p=2, reduction="sum")
    (0.5 * (weight * weight).sum() + cost * loss).backward()
    gradient = weight.grad
    assert isinstance(gradient, Tensor)
    return gradient


def _descend(x: Tensor, labels: Tensor, classes: int, cost: float, tolerance: float) -> Tensor:
    """Accelerated gradient descent; the momentum starts anew whenever it leads uphill."""
    # Curvature of a sample's loss in its scores is at most 2 (a star of K - 1 edges has the eigenvalue K).
    rate = 1 / (1 + 2 * cost * _largest_eigenvalue(x))
    weight = ahead = zeros(classes, x.shape[1], dtype=x.dtype)  # (K, F + 1)
    age, wanted = 1.0, None
    for _ in range(_LONGEST):
        gradient = _gradient(ahead, x, labels, cost)
        norm = gradient.norm().item()
        wanted = tolerance * norm if wanted is None else wanted
        with no_grad():
            before, weight = weight, ahead - rate * gradient
            if norm <= wanted:
                return weight
            if (gradient * (weight - before)).sum().item() > 0:
                age, ahead = 1.0, weight
                continue
            older, age = age, (1 + (1 + 4 * age * age) ** 0.5) / 2
            ahead = weight + (older - 1) / age * (weight - before)
    raise ValueError(f"inputs need deviations near 1: no solution after {_LONGEST} steps; scale them")


def _largest_eigenvalue(x: Tensor) -> float:
    """A bound of the largest eigenvalue of x^T x, by the power method and what it may lack."""
    with no_grad():
        vector = (x * x).sum(0).sqrt()  # (F + 1,)
        value = 0.0
        for _ in range(_POWER_STEPS):
            vector = (x @ (vector / vector.norm())) @ x
            value = vector.norm().item()
    return 1.05 * value
