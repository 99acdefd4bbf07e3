"""Losses, worked out: one number for each sample or element, their mean, and the gradient of one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import kernels
from kernels.array import Array, check_integer
from kernels.loss import check_reduction
from minidnn import functional
from minidnn.costs.elementwise import loss_cost
from minidnn.explanation.arithmetic import at, bracketed, constant, number
from minidnn.explanation.content import Equation, Explanation, Step
from minidnn.explanation.example import Draws, Worked, planes, work_out
from minidnn.tensor import Tensor

_UPSTREAM = "The loss is where the backward pass begins: dL/dL = 1."


class Elementwise(NamedTuple):
    """A loss of two numbers; in its texts {x} and {t} are filled in with numbers.

    Attributes:
        title: its name and what it measures.
        formula: forward.
        derivative: backward.
        paper: the source.
        forward: the formula.
        backward: the derivative.
    """

    title: str
    formula: str
    derivative: str
    paper: str
    forward: str
    backward: str


ELEMENTWISE: Mapping[str, Elementwise] = {
    "mse_loss": Elementwise(
        "mse_loss: the squared distance from the target",
        "l = (x - t)^2",
        "grad_x = 2·(x - t) / n",
        "Goodfellow et al., Deep Learning, 2016, section 5.5.1",
        "({x} - {t})^2",
        "2·({x} - {t})",
    ),
    "l1_loss": Elementwise(
        "l1_loss: the distance from the target",
        "l = |x - t|",
        "grad_x = sign(x - t) / n",
        "Boyd and Vandenberghe, Convex optimization, 2004, section 6.1.1",
        "abs({x} - {t})",
        "sign({x} - {t})",
    ),
    "smooth_l1_loss": Elementwise(
        "smooth_l1_loss: squared near the target, straight far from it",
        "l = d^2 / (2·beta) where |d| < beta, else |d| - beta / 2, with d = x - t",
        "grad_x = d / beta / n where |d| < beta, else sign(d) / n",
        "Girshick, Fast R-CNN, ICCV 2015, equation 3",
        "min(abs({x} - {t}), {beta})^2 / (2·{beta}) + max(abs({x} - {t}) - {beta}, 0)",
        "max(-1, min(1, ({x} - {t}) / {beta}))",
    ),
    "binary_cross_entropy_with_logits": Elementwise(
        "binary_cross_entropy_with_logits: how unlikely yes or no was, from a score",
        "l = -t·log(p) - (1 - t)·log(1 - p) with p = sigmoid(x)",
        "grad_x = (p - t) / n",
        "Goodfellow et al., Deep Learning, 2016, section 6.2.2.2",
        "-{t}·log(1 / (1 + exp(-{x}))) - (1 - {t})·log(1 - 1 / (1 + exp(-{x})))",
        "(1 / (1 + exp(-{x})) - {t})",
    ),
}


def explain_mse_loss(*, reduction: str = "mean", count: int = 4, seed: int = 0) -> Explanation:
    """Squared distances of a few numbers."""
    return _elementwise("mse_loss", functional.mse_loss, _targets, (reduction, count, seed))


def explain_l1_loss(*, reduction: str = "mean", count: int = 4, seed: int = 0) -> Explanation:
    """Distances of a few numbers."""
    return _elementwise("l1_loss", functional.l1_loss, _targets, (reduction, count, seed))


def explain_smooth_l1_loss(
    *, beta: float = 1.0, reduction: str = "mean", count: int = 4, seed: int = 0
) -> Explanation:
    """Distances of a few numbers, with a rounded corner."""

    def loss(x: Tensor, target: Tensor, *, reduction: str) -> Tensor:
        return functional.smooth_l1_loss(x, target, reduction=reduction, beta=beta)

    if beta <= 0:
        raise ValueError(f"--beta must be above 0, got {beta}; with 0 it is l1_loss")
    return _elementwise("smooth_l1_loss", loss, _targets, (reduction, count, seed), beta=constant(beta))


def explain_binary_cross_entropy_with_logits(
    *, reduction: str = "mean", count: int = 4, seed: int = 0
) -> Explanation:
    """Scores that should be above 0 where the target is 1."""
    return _elementwise(
        "binary_cross_entropy_with_logits",
        functional.binary_cross_entropy_with_logits,
        lambda draws, shape: draws.whole(shape, 0, 1),
        (reduction, count, seed),
    )


def explain_cross_entropy(
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    classes: int = 3,
    batch: int = 2,
    seed: int = 0,
) -> Explanation:
    """Logits of a small batch with its labels."""
    x, labels = _labelled(classes, batch, seed)

    def loss(scores: Any, reduction: str) -> Tensor:
        return functional.cross_entropy(scores, labels, reduction=reduction, label_smoothing=label_smoothing)

    worked = _worked(lambda t: loss(t, reduction), x)
    losses = _each(lambda: loss(x, "none"))
    parts = _cross_entropies(x, labels, label_smoothing, losses)
    label = int(labels[0])
    wanted = [(1 - label_smoothing) * (c == label) + label_smoothing / classes for c in range(classes)]
    divisor = f" / {batch}" if reduction == "mean" else ""
    gradients = [
        Equation(
            at("grad_x", (0, c)),
            f"(softmax(x[0])[{c}] - q[{c}]){' / N' if divisor else ''}",
            f"(exp({number(x[0, c])}) / ({_exponentials(x[0])}) - {number(wanted[c])}){divisor}",
            float(worked.gradients["x"][0, c]),
        )
        for c in dict.fromkeys((label, (label + 1) % classes))
    ]
    target = "q = 1 at the label, else 0"
    if label_smoothing:
        target = "q = (1 - label_smoothing)·[c = t] + label_smoothing / C"
    return Explanation(
        "cross_entropy: how unlikely the label was, from scores",
        f"l[n] = -sum over c of q[c] · log softmax(x[n])[c],  {target}",
        "Goodfellow et al., Deep Learning, 2016, section 6.2.2.3; label smoothing: Szegedy et al., "
        "Rethinking the Inception architecture, CVPR 2016, section 7",
        (
            _labelled_inputs(x, labels),
            Step("the loss of each sample", tuple(parts)),
            _reduced(losses, reduction, worked),
            Step(
                "backward: probability minus what was wanted",
                (_UPSTREAM, *gradients, planes("grad_x", worked.gradients["x"], [(0, label)])),
            ),
        ),
        loss_cost("cross_entropy", x.shape, labels.shape, labels=True),
    )


def explain_nll_loss(
    *, reduction: str = "mean", classes: int = 3, batch: int = 2, seed: int = 0
) -> Explanation:
    """Log-probabilities of a small batch with its labels."""
    scores, labels = _labelled(classes, batch, seed)
    x = np.round(scores - np.log(np.exp(scores).sum(1, keepdims=True)), 2)
    worked = _worked(lambda t: functional.nll_loss(t, labels, reduction=reduction), x)
    losses = _each(lambda: functional.nll_loss(x, labels, reduction="none"))
    label = int(labels[0])
    each = [
        Equation(f"l[{n}]", f"-{at('x', (n, int(labels[n])))}", f"-({number(x[n, labels[n]])})", losses[n])
        for n in range(min(batch, 2))
    ]
    gradient = Equation(
        at("grad_x", (0, label)),
        "-1 / N" if reduction == "mean" else "-1",
        f"-1 / {batch}" if reduction == "mean" else "-1",
        float(worked.gradients["x"][0, label]),
    )
    return Explanation(
        "nll_loss: minus the label's log-probability",
        "l[n] = -x[n,t[n]]",
        "Goodfellow et al., Deep Learning, 2016, section 5.5",
        (
            _labelled_inputs(x, labels),
            Step("the loss of each sample", tuple(each)),
            _reduced(losses, reduction, worked),
            Step(
                "backward: only the labels' entries get a gradient",
                (_UPSTREAM, gradient, planes("grad_x", worked.gradients["x"], [(0, label)])),
            ),
        ),
        loss_cost("nll_loss", x.shape, labels.shape, labels=True),
    )


def explain_multi_margin_loss(
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
    classes: int = 3,
    batch: int = 2,
    seed: int = 0,
) -> Explanation:
    """Scores of a small batch, each label's to be above the others by a margin."""
    x, labels = _labelled(classes, batch, seed)
    worked = _worked(lambda t: functional.multi_margin_loss(t, labels, p, margin, reduction=reduction), x)
    losses = _each(lambda: functional.multi_margin_loss(x, labels, p, margin, reduction="none"))
    with_power = "^2" if p == 2 else ""
    each = []
    for n in range(min(batch, 2)):
        label = int(labels[n])
        others = [c for c in range(classes) if c != label]
        terms = " + ".join(_hinge(x, n, label, c, margin) + with_power for c in others)
        each.append(
            Equation(
                f"l[{n}]",
                f"sum over c != {label} of max(0, margin - {at('x', (n, label))} + x[{n},c]){with_power} / C",
                f"({terms}) / {classes}",
                losses[n],
            )
        )
    label = int(labels[0])
    other = next(c for c in range(classes) if c != label)
    inside = f"({constant(margin)} - {bracketed(x[0, label])} + {bracketed(x[0, other])} > 0)"
    slope = f"2·{_hinge(x, 0, label, other, margin)}" if p == 2 else inside
    gradient = Equation(
        at("grad_x", (0, other)),
        "",
        f"{slope} / {classes}" + (f" / {batch}" if reduction == "mean" else ""),
        float(worked.gradients["x"][0, other]),
    )
    return Explanation(
        "multi_margin_loss: what comes within a margin of the label's score",
        "l[n] = sum over c != t of max(0, margin - x[n,t] + x[n,c])^p / C",
        "Weston and Watkins, Support vector machines for multi-class pattern recognition, ESANN 1999",
        (
            _labelled_inputs(x, labels),
            Step("the loss of each sample", tuple(each)),
            _reduced(losses, reduction, worked),
            Step(
                "backward: 1 within the margin, and minus their sum for the label",
                (_UPSTREAM, gradient, planes("grad_x", worked.gradients["x"], [(0, other)])),
            ),
        ),
        loss_cost("multi_margin_loss", x.shape, labels.shape, labels=True),
    )


def _hinge(x: Array, n: int, label: int, c: int, margin: float) -> str:
    return f"max(0, {constant(margin)} - {bracketed(x[n, label])} + {bracketed(x[n, c])})"


def _labelled(classes: int, batch: int, seed: int) -> tuple[Array, Array]:
    """Scores and labels of a batch."""
    check_integer("classes", classes, minimum=2)
    check_integer("batch", batch, minimum=1)
    draws = Draws(seed)
    x = draws.tenths((batch, classes), -2, 2)
    return x, draws.whole((batch,), 0, classes - 1).astype(np.int64)


def _labelled_inputs(x: Array, labels: Array) -> Step:
    marks = [(n, int(label)) for n, label in enumerate(labels)]
    return Step(
        "the input x, a row for each sample", ("marked: the label t of each sample", planes("x", x, marks))
    )


def _cross_entropies(x: Array, labels: Array, smoothing: float, losses: Sequence[float]) -> list[Equation]:
    """log sum e^x - sum of q x, for the first samples."""
    classes = x.shape[1]
    parts = []
    for n, label in enumerate(labels[:2]):
        wanted = [(1 - smoothing) * (c == label) + smoothing / classes for c in range(classes)]
        shares = " - ".join(
            (f"{number(q)}·" if q != 1 else "") + bracketed(x[n, c]) for c, q in enumerate(wanted) if q
        )
        symbols = f"log(sum of e^x[{n}]) - " + (at("x", (n, int(label))) if not smoothing else "sum of q·x")
        parts.append(Equation(f"l[{n}]", symbols, f"log({_exponentials(x[n])}) - {shares}", losses[n]))
    return parts


def _exponentials(row: Array) -> str:
    return " + ".join(f"exp({number(value)})" for value in row)


def _worked(loss: Callable[[Tensor], Tensor], x: Array) -> Worked:
    """The loss and its gradient, with an upstream gradient of 1."""
    return work_out(loss, {"x": x}, np.ones)


def _each(loss: Callable[[], Tensor]) -> list[float]:
    """The losses of all samples or elements."""
    with kernels.use(backend="reference"):
        return [float(value) for value in loss().numpy()]


def _reduced(losses: Sequence[float], reduction: str, worked: Worked) -> Step:
    """The mean or the sum of all."""
    check_reduction(reduction)
    if reduction == "none":
        raise ValueError("--reduction must be mean or sum, got 'none'")
    added = " + ".join(map(bracketed, losses))
    numbers = f"({added}) / {len(losses)}" if reduction == "mean" else added
    return Step(f"the {reduction}", (Equation("L", f"{reduction} of l", numbers, float(worked.y)),))


def _targets(draws: Draws, shape: tuple[int, ...]) -> Array:
    return draws.tenths(shape, -2, 2)


def _elementwise(
    name: str,
    loss: Callable[..., Tensor],
    target: Callable[[Draws, tuple[int, ...]], Array],
    example: tuple[str, int, int],
    **constants: str,
) -> Explanation:
    """A loss of each element: two of them worked out, then the mean."""
    reduction, count, seed = example
    check_integer("count", count, minimum=1)
    about, draws = ELEMENTWISE[name], Draws(seed)
    x = draws.tenths((count,), -3, 3)
    t = target(draws, (count,))
    worked = _worked(lambda tensor: loss(tensor, t, reduction=reduction), x)
    values: list[dict[str, Any]] = [
        {"x": bracketed(x[i]), "t": bracketed(t[i]), **constants} for i in range(count)
    ]
    losses = _each(lambda: loss(x, t, reduction="none"))
    worked_out = range(min(count, 2))
    each = [Equation(f"l[{i}]", "", about.forward.format(**values[i]), losses[i]) for i in worked_out]
    share = f" / {count}" if reduction == "mean" else ""
    gradients = [
        Equation(f"grad_x[{i}]", "", about.backward.format(**values[i]) + share, worked.gradients["x"][i])
        for i in worked_out
    ]
    marks = [(i,) for i in worked_out]
    return Explanation(
        about.title,
        about.formula,
        about.paper,
        (
            Step("the input x and the target t", ((*planes("x", x, marks), *planes("t", t, marks)),)),
            Step("the loss of each element", (*each, planes("l", np.array(losses), marks))),
            _reduced(losses, reduction, worked),
            Step(
                f"backward: {about.derivative if share else about.derivative.replace(' / n', '')}",
                (_UPSTREAM, *gradients, planes("grad_x", worked.gradients["x"], marks)),
            ),
        ),
        loss_cost(name, x.shape, t.shape, labels=False),
    )
