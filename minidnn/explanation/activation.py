"""Activations, worked out element by element; softmax and log-softmax along a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minidnn import functional
from minidnn.costs.elementwise import activation_cost
from minidnn.explanation.arithmetic import at, bracketed, number, term, total
from minidnn.explanation.content import Equation, Explanation, Step
from minidnn.explanation.example import Draws, Worked, arguments_shape, planes, work_out

_SAMPLES = np.array([[-4.0, -1.5, -0.5, 0.0, 0.5, 1.5, 7.0]])


class Activation(NamedTuple):
    """A function of one number; in its texts {x} and {g} are filled in with numbers.

    Attributes:
        title: its name and what it does.
        formula: forward.
        derivative: backward.
        paper: the source.
        forward: the formula with {x}.
        backward: the gradient with {x}, {y} and {g}.
    """

    title: str
    formula: str
    derivative: str
    paper: str
    forward: str
    backward: str


_MOBILENET_V3 = "Howard et al., Searching for MobileNetV3, ICCV 2019, section 5.2"

ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(
        "relu: what is below 0 becomes 0",
        "y = max(x, 0)",
        "grad_x = g where y > 0, else 0",
        "Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010",
        "max({x}, 0)",
        "{g}·({y} > 0)",
    ),
    "relu6": Activation(
        "relu6: what is below 0 becomes 0, what is above 6 becomes 6",
        "y = min(max(x, 0), 6)",
        "grad_x = g where 0 < y < 6, else 0",
        "Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
        "min(max({x}, 0), 6)",
        "{g}·(0 < {y} < 6)",
    ),
    "leaky_relu": Activation(
        "leaky_relu: what is below 0 is scaled down",
        "y = x where x > 0, else a·x",
        "grad_x = g where x > 0, else a·g",
        "Maas et al., Rectifier nonlinearities improve neural network acoustic models, 2013",
        "max({x}, 0) + {a}·min({x}, 0)",
        "{g}·(({x} > 0) + {a}·({x} <= 0))",
    ),
    "sigmoid": Activation(
        "sigmoid: every number becomes one between 0 and 1",
        "y = 1 / (1 + e^-x)",
        "grad_x = g·y·(1 - y)",
        "Rumelhart et al., Learning representations by back-propagating errors, Nature 323, 1986",
        "1 / (1 + exp(-{x}))",
        "{g}·{y}·(1 - {y})",
    ),
    "tanh": Activation(
        "tanh: every number becomes one between -1 and 1",
        "y = (e^x - e^-x) / (e^x + e^-x)",
        "grad_x = g·(1 - y^2)",
        "LeCun et al., Efficient backprop, 1998, section 4.4",
        "(exp({x}) - exp(-{x})) / (exp({x}) + exp(-{x}))",
        "{g}·(1 - {y}^2)",
    ),
    "hardsigmoid": Activation(
        "hardsigmoid: a ramp from 0 at -3 to 1 at 3",
        "y = min(max(x + 3, 0), 6) / 6",
        "grad_x = g / 6 where -3 < x < 3, else 0",
        _MOBILENET_V3,
        "min(max({x} + 3, 0), 6) / 6",
        "{g}·(-3 < {x} < 3) / 6",
    ),
    "hardswish": Activation(
        "hardswish: x on a ramp from 0 at -3 to 1 at 3",
        "y = x·min(max(x + 3, 0), 6) / 6",
        "grad_x = 0 for x <= -3, g·(x / 3 + 1 / 2) for x < 3, else g",
        _MOBILENET_V3,
        "{x}·min(max({x} + 3, 0), 6) / 6",
        "{g}·(({x} >= 3) + (-3 < {x} < 3)·({x} / 3 + 1 / 2))",
    ),
    "silu": Activation(
        "silu: x times its sigmoid, also called swish",
        "y = x·s with s = 1 / (1 + e^-x)",
        "grad_x = g·s·(1 + x·(1 - s))",
        "Elfwing et al., Sigmoid-weighted linear units, Neural Networks 107, 2018",
        "{x} / (1 + exp(-{x}))",
        "{g} / (1 + exp(-{x}))·(1 + {x}·(1 - 1 / (1 + exp(-{x}))))",
    ),
    "gelu": Activation(
        "gelu: x times the normal distribution function",
        "y = x·Phi(x) with Phi(x) = (1 + erf(x / sqrt(2))) / 2",
        "grad_x = g·(Phi(x) + x·e^(-x^2 / 2) / sqrt(2·pi))",
        "Hendrycks and Gimpel, Gaussian error linear units, arXiv 1606.08415",
        "{x}·(1 + erf({x} / sqrt(2))) / 2",
        "{g}·((1 + erf({x} / sqrt(2))) / 2 + {x}·exp(-{x}^2 / 2) / sqrt(2·pi))",
    ),
}


def explain_relu(*, seed: int = 0) -> Explanation:
    """max(x, 0)."""
    return _activation("relu", functional.relu, seed)


def explain_relu6(*, seed: int = 0) -> Explanation:
    """min(max(x, 0), 6)."""
    return _activation("relu6", functional.relu6, seed)


def explain_leaky_relu(*, negative_slope: float = 0.1, seed: int = 0) -> Explanation:
    """x above 0, negative_slope x below."""
    return _activation(
        "leaky_relu",
        lambda x: functional.leaky_relu(x, negative_slope),
        seed,
        a=f"({number(negative_slope)})",
    )


def explain_sigmoid(*, seed: int = 0) -> Explanation:
    """1 / (1 + e^-x)."""
    return _activation("sigmoid", functional.sigmoid, seed)


def explain_tanh(*, seed: int = 0) -> Explanation:
    """The hyperbolic tangent."""
    return _activation("tanh", functional.tanh, seed)


def explain_hardsigmoid(*, seed: int = 0) -> Explanation:
    """A ramp from 0 to 1."""
    return _activation("hardsigmoid", functional.hardsigmoid, seed)


def explain_hardswish(*, seed: int = 0) -> Explanation:
    """x on a ramp."""
    return _activation("hardswish", functional.hardswish, seed)


def explain_silu(*, seed: int = 0) -> Explanation:
    """x sigmoid(x)."""
    return _activation("silu", functional.silu, seed)


def explain_gelu(*, seed: int = 0) -> Explanation:
    """x Phi(x)."""
    return _activation("gelu", functional.gelu, seed)


def explain_softmax(*, size: int = 4, seed: int = 0) -> Explanation:
    """Probabilities from scores."""
    x, worked = _scores(functional.softmax, size, seed)
    exponentials = " + ".join(f"exp({number(value)})" for value in x[0])
    y, g = worked.y[0], worked.grad_y[0]
    dot = float((g * y).sum())
    each = [
        Equation(
            at("y", (0, i)), f"exp({at('x', (0, i))}) / S", f"exp({number(x[0, i])}) / ({exponentials})", y[i]
        )
        for i in range(size)
    ]
    products = [term((at("y", (0, i)), y[i]), (at("g", (0, i)), g[i])) for i in range(size)]
    return Explanation(
        "softmax: scores become probabilities",
        "y[i] = e^x[i] / S,  S = sum over j of e^x[j]",
        "Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990",
        (
            Step("the scores x", (planes("x", x),)),
            Step(
                "the probabilities y",
                (
                    "The kernels subtract the largest score first: the quotient stays, nothing overflows.",
                    *each,
                    planes("y", worked.y),
                ),
            ),
            Step("backward: the upstream gradient g = dL/dy", (planes("g", worked.grad_y),)),
            Step(
                "grad_x: every score moves all probabilities, so they share a sum",
                (
                    total("D = sum of y·g", products, dot),
                    *_softmax_gradients(worked, dot),
                    planes("grad_x", worked.gradients["x"], [(0, 0)]),
                ),
            ),
        ),
        activation_cost("softmax", (1, size)),
    )


def _softmax_gradients(worked: Worked, dot: float) -> list[Equation]:
    """y (g - D) for the first scores."""
    return [
        Equation(
            at("grad_x", (0, i)),
            f"{at('y', (0, i))}·({at('g', (0, i))} - D)",
            f"{number(worked.y[0, i])}·({number(worked.grad_y[0, i])} - {bracketed(dot)})",
            float(worked.gradients["x"][0, i]),
        )
        for i in range(min(2, worked.y.shape[1]))
    ]


def explain_log_softmax(*, size: int = 4, seed: int = 0) -> Explanation:
    """Log-probabilities from scores."""
    x, worked = _scores(functional.log_softmax, size, seed)
    exponentials = " + ".join(f"exp({number(value)})" for value in x[0])
    y, g = worked.y[0], worked.grad_y[0]
    upstream = float(g.sum())
    forward = [
        Equation(
            at("y", (0, i)), f"{at('x', (0, i))} - log(S)", f"{number(x[0, i])} - log({exponentials})", y[i]
        )
        for i in range(min(2, size))
    ]
    backward = [
        Equation(
            at("grad_x", (0, i)),
            f"{at('g', (0, i))} - e^{at('y', (0, i))}·G",
            f"{number(g[i])} - exp({number(y[i])})·{bracketed(upstream)}",
            float(worked.gradients["x"][0, i]),
        )
        for i in range(min(2, size))
    ]
    return Explanation(
        "log_softmax: scores become log-probabilities",
        "y[i] = x[i] - log S,  S = sum over j of e^x[j]",
        "Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990",
        (
            Step("the scores x", (planes("x", x),)),
            Step("the log-probabilities y", (*forward, planes("y", worked.y))),
            Step("backward: the upstream gradient g = dL/dy", (planes("g", worked.grad_y),)),
            Step(
                "grad_x: every score moves S, so they share the sum of the gradients",
                (
                    total("G", [term((at("g", (0, i)), g[i])) for i in range(size)], upstream),
                    *backward,
                    planes("grad_x", worked.gradients["x"], [(0, 0)]),
                ),
            ),
        ),
        activation_cost("log_softmax", (1, size)),
    )


def _scores(function: Callable[..., Any], size: int, seed: int) -> tuple[Any, Worked]:
    """Scores of one sample, and what becomes of them."""
    x = Draws(seed).tenths(arguments_shape((1, size)), -2, 2)
    return x, work_out(lambda t: function(t, 1), {"x": x}, Draws(seed + 1).tenths)


def _activation(name: str, function: Callable[..., Any], seed: int, **constants: str) -> Explanation:
    """The function at a few places, two of them worked out."""
    about = ACTIVATIONS[name]
    worked = work_out(function, {"x": _SAMPLES}, Draws(seed).tenths)
    places = [(0, 1), (0, 5)]
    forward, backward = [], []
    for place in places:
        x, y = bracketed(_SAMPLES[place]), bracketed(worked.y[place])
        values = {"x": x, "y": y, "g": number(worked.grad_y[place]), **constants}
        forward.append(Equation(at("y", place), "", about.forward.format(**values), float(worked.y[place])))
        backward.append(
            Equation(
                at("grad_x", place), "", about.backward.format(**values), float(worked.gradients["x"][place])
            )
        )
    return Explanation(
        about.title,
        about.formula,
        about.paper,
        (
            Step("the input x", (planes("x", _SAMPLES, places),)),
            Step("the output y, element by element", (*forward, planes("y", worked.y, places))),
            Step("backward: the upstream gradient g = dL/dy", (planes("g", worked.grad_y, places),)),
            Step(f"{about.derivative}", (*backward, planes("grad_x", worked.gradients["x"], places))),
        ),
        activation_cost(name, _SAMPLES.shape),
    )
