"""Batch normalisation in training and evaluation, and local response normalisation, worked out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_integer
from minidnn.costs.elementwise import batch_norm_cost, local_response_norm_cost
from minidnn.costs.weighted import check_shape4
from minidnn.explanation.arithmetic import at, bracketed, constant, number, size_text, term, total
from minidnn.explanation.content import Equation, Explanation, Index, Step
from minidnn.explanation.example import Draws, Worked, arguments_shape, planes, work_out
from minidnn.explanation.settings import Size
from minidnn.functional.normalization import batch_norm, local_response_norm
from minidnn.tensor import Tensor

_PAPER = "Ioffe and Szegedy, Batch normalization, ICML 2015, algorithms 1 and 2"
_AT: Index = (0, 0, 0, 0)  # the entry that is worked out


class _Channel(NamedTuple):
    """What batch normalisation does to the first channel.

    Attributes:
        x: its entries.
        grad_y: their upstream gradients.
        mean: what is subtracted.
        var: what is divided by, under the root.
        weight: the scale.
        bias: the shift.
        eps: added to the variance.
    """

    x: Array
    grad_y: Array
    mean: float
    var: float
    weight: float
    bias: float
    eps: float

    @property
    def std(self) -> float:
        """What every entry is divided by."""
        return float(np.sqrt(self.var + self.eps))

    @property
    def normalised(self) -> Array:
        """The entries with mean 0 and variance 1."""
        return (self.x - self.mean) / self.std


def explain_batch_norm(
    *,
    training: bool = True,
    eps: float = 1e-5,
    momentum: float = 0.1,
    batch: int = 2,
    channels: int = 2,
    size: Size = (2, 2),
    seed: int = 0,
) -> Explanation:
    """Batch normalisation of a small batch."""
    shape = check_shape4((batch, channels, *arguments_shape(size)))
    draws = Draws(seed)
    arrays: dict[str, Array | None] = {
        "x": draws.whole(shape),
        "weight": draws.halves((channels,)),
        "bias": draws.halves((channels,)),
    }
    before = draws.tenths((channels,)), draws.tenths((channels,), 0.0, 2.0)
    running = Tensor(before[0].copy()), Tensor(before[1].copy())
    worked = work_out(
        lambda x, weight, bias: batch_norm(x, running[0], running[1], weight, bias, training, momentum, eps),
        arrays,
        Draws(seed + 1).tenths,
    )
    x, weight, bias = (_given(arrays[name]) for name in ("x", "weight", "bias"))
    first = x[:, 0]
    mean, var = (float(first.mean()), float(first.var())) if training else (before[0][0], before[1][0])
    channel = _Channel(
        first.ravel(), worked.grad_y[:, 0].ravel(), float(mean), float(var), weight[0], bias[0], eps
    )
    marks = [index for index in np.ndindex(shape) if index[1] == 0]
    inputs = Step(
        f"the input x, {size_text(shape)}",
        ("marked: channel 0, which has statistics of its own", planes("x", x, marks)),
    )
    statistics = _batch_statistics(channel) if training else _running_statistics(channel)
    moved = (_running_step(channel, before, running, momentum),) if training else ()
    return Explanation(
        f"batch_norm ({'training' if training else 'evaluation'}): every channel to mean 0 and variance 1, "
        "then scaled and shifted",
        "y = (x - mean[c]) / sqrt(var[c] + eps) · weight[c] + bias[c]",
        _PAPER,
        (
            inputs,
            statistics,
            _output_step(channel, worked),
            *moved,
            *(_training_backward if training else _evaluation_backward)(channel, worked),
        ),
        batch_norm_cost(shape, training),
    )


def _batch_statistics(channel: _Channel) -> Step:
    entries, count = channel.x, len(channel.x)
    listed = numbers_sum(entries)
    squares = " + ".join(f"({number(value)} - {bracketed(channel.mean)})^2" for value in entries)
    return Step(
        f"the statistics of channel 0, from its {count} entries",
        (
            Equation("mean", "sum of x / m", f"({listed}) / {count}", channel.mean),
            Equation("var", "sum of (x - mean)^2 / m", f"({squares}) / {count}", channel.var),
        ),
    )


def _running_statistics(channel: _Channel) -> Step:
    return Step(
        "the statistics of channel 0: the running ones of training, constants now",
        (f"mean = running_mean[0] = {number(channel.mean)}, var = running_var[0] = {number(channel.var)}",),
    )


def _output_step(channel: _Channel, worked: Worked) -> Step:
    return Step(
        f"the output y, {size_text(worked.y.shape)}",
        (
            Equation(
                f"z = normalised {at('x', _AT)}",
                "(x - mean) / sqrt(var + eps)",
                f"({number(channel.x[0])} - {bracketed(channel.mean)}) "
                f"/ sqrt({number(channel.var)} + {constant(channel.eps)})",
                float(channel.normalised[0]),
            ),
            Equation(
                at("y", _AT),
                "z·weight[0] + bias[0]",
                f"{number(channel.normalised[0])}·{bracketed(channel.weight)} + {bracketed(channel.bias)}",
                float(worked.y[_AT]),
            ),
            planes("y", worked.y, [_AT]),
        ),
    )


def _running_step(
    channel: _Channel, before: tuple[Array, Array], running: tuple[Tensor, Tensor], momentum: float
) -> Step:
    """How the batch moves the running statistics."""
    count = len(channel.x)
    kept = f"(1 - {constant(momentum)})"
    return Step(
        "the running statistics move: the average takes the unbiased variance",
        (
            Equation(
                "running_mean[0]",
                "(1 - momentum)·running_mean[0] + momentum·mean",
                f"{kept}·{bracketed(before[0][0])} + {constant(momentum)}·{bracketed(channel.mean)}",
                float(running[0].numpy()[0]),
            ),
            Equation(
                "running_var[0]",
                "(1 - momentum)·running_var[0] + momentum·var·m/(m - 1)",
                f"{kept}·{number(before[1][0])} "
                f"+ {constant(momentum)}·{number(channel.var)}·{count}/({count} - 1)",
                float(running[1].numpy()[0]),
            ),
        ),
    )


def _training_backward(channel: _Channel, worked: Worked) -> tuple[Step, ...]:
    """Every x moves mean and variance, so every gradient reaches every x of the channel."""
    count = len(channel.x)
    sums, upstream = _parameter_gradients(channel, worked)
    a, b = float(worked.gradients["bias"][0]), float(worked.gradients["weight"][0])
    z = float(channel.normalised[0])
    gradient = Equation(
        at("grad_x", _AT),
        "weight / sqrt(var + eps)·(g - grad_bias / m - z·grad_weight / m)",
        f"{number(channel.weight)} / {number(channel.std)}·({number(channel.grad_y[0])} "
        f"- {bracketed(a)} / {count} - {bracketed(z)}·{bracketed(b)} / {count})",
        float(worked.gradients["x"][_AT]),
    )
    return (
        upstream,
        sums,
        Step(
            "grad_x: mean and variance depend on every entry, so both sums come back",
            (gradient, planes("grad_x", worked.gradients["x"], [_AT])),
        ),
    )


def _evaluation_backward(channel: _Channel, worked: Worked) -> tuple[Step, ...]:
    """The statistics are constants: an affine map's gradient."""
    sums, upstream = _parameter_gradients(channel, worked)
    gradient = Equation(
        at("grad_x", _AT),
        "g·weight / sqrt(var + eps)",
        f"{number(channel.grad_y[0])}·{bracketed(channel.weight)} / {number(channel.std)}",
        float(worked.gradients["x"][_AT]),
    )
    return (
        upstream,
        sums,
        Step(
            "grad_x: the statistics are constants, so no entry reaches another",
            (gradient, planes("grad_x", worked.gradients["x"], [_AT])),
        ),
    )


def _parameter_gradients(channel: _Channel, worked: Worked) -> tuple[Step, Step]:
    """The two sums that are the parameters' gradients; the upstream gradient."""
    products = [
        term(("g", float(g)), ("z", float(z)))
        for g, z in zip(channel.grad_y, channel.normalised, strict=True)
    ]
    marks = [index for index in np.ndindex(worked.y.shape) if index[1] == 0]
    return (
        Step(
            "grad_bias and grad_weight of channel 0: sums over its entries",
            (
                Equation(
                    "grad_bias[0]",
                    "sum of g",
                    numbers_sum(channel.grad_y),
                    float(worked.gradients["bias"][0]),
                ),
                Equation(
                    "grad_weight[0]",
                    "sum of g·z",
                    total("", products, 0.0).numbers,
                    float(worked.gradients["weight"][0]),
                ),
            ),
        ),
        Step("backward: the upstream gradient g = dL/dy", (planes("g", worked.grad_y, marks),)),
    )


def numbers_sum(values: Array) -> str:
    """Numbers with their signs between them: "8 - 3 + 5"."""
    return total("", [term(("", float(value))) for value in values], 0.0).numbers


def explain_local_response_norm(
    *,
    size: int = 3,
    alpha: float = 0.5,
    beta: float = 0.75,
    k: float = 1.0,
    channels: int = 5,
    seed: int = 0,
) -> Explanation:
    """Local response normalisation of one position; alpha is large, so that something is to be seen."""
    check_integer("channels", channels, minimum=1)
    cost = local_response_norm_cost((1, channels, 1, 1), size)
    x = Draws(seed).whole((1, channels, 1, 1))
    worked = work_out(
        lambda t: local_response_norm(t, size, alpha, beta, k), {"x": x}, Draws(seed + 1).tenths
    )
    values, grad_y = x.ravel(), worked.grad_y.ravel()
    scales = [
        k + alpha / size * float((values[_window(c, size, channels)] ** 2).sum()) for c in range(channels)
    ]
    c = channels // 2
    near = range(channels)[_window(c, size, channels)]
    squares = " + ".join(f"{bracketed(values[i])}^2" for i in near)
    share = f"{constant(alpha)}/{size}"
    scale = Equation(
        f"s[{c}]", "k + alpha/size·sum of x[c']^2", f"{constant(k)} + {share}·({squares})", scales[c]
    )
    y = Equation(
        f"y[{c}]",
        f"x[{c}]·s[{c}]^-beta",
        f"{bracketed(values[c])}·{number(scales[c])}^-{constant(beta)}",
        float(worked.y.ravel()[c]),
    )
    holders = [other for other in range(channels) if c in range(channels)[_window(other, size, channels)]]
    through = [
        f"{bracketed(grad_y[i])}·{bracketed(values[i])}·{number(scales[i])}^(-{constant(beta)} - 1)"
        for i in holders
    ]
    gradient = Equation(
        f"grad_x[{c}]",
        f"g[{c}]·s[{c}]^-beta - 2·alpha·beta/size·x[{c}]·(sum of g·x·s^(-beta - 1) over those with "
        f"{c} in their window)",
        f"{bracketed(grad_y[c])}·{number(scales[c])}^-{constant(beta)} "
        f"- 2·{constant(alpha)}·{constant(beta)}/{size}·{bracketed(values[c])}·({' + '.join(through)})",
        float(worked.gradients["x"].ravel()[c]),
    )
    return Explanation(
        "local_response_norm: every value is divided by a power of its neighbours' mean square",
        "y[c] = x[c]·s[c]^-beta,  s[c] = k + alpha/size · sum of x[c']^2 over size channels around c",
        "Krizhevsky et al., ImageNet classification with deep convolutional neural networks, NIPS 2012, "
        "section 3.3",
        (
            Step(
                "the input x: the channels at one position",
                (f"marked: the window of channel {c}", planes("x", values, [(i,) for i in near])),
            ),
            Step(f"one output: y[{c}]", (scale, y, planes("y", worked.y.ravel(), [(c,)]))),
            Step(
                "backward: the upstream gradient g = dL/dy",
                (
                    f"marked: the channels whose window holds {c}",
                    planes("g", grad_y, [(i,) for i in holders]),
                ),
            ),
            Step(
                "grad_x: the direct path, less what passes through the neighbours' scales",
                (gradient, planes("grad_x", worked.gradients["x"].ravel(), [(c,)])),
            ),
        ),
        cost,
    )


def _window(c: int, size: int, channels: int) -> slice:
    """The channels around c; an even size reaches one further down than up."""
    return slice(max(c - size // 2, 0), min(c + (size - 1) // 2 + 1, channels))


def _given(array: Array | None) -> Array:
    assert array is not None
    return array
