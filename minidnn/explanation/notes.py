"""The examples that courses on convolutional networks compute on the blackboard.

What they compare are the multiplications of two ways from one shape to another. Every number comes from the
cost formulas of `minidnn.costs`; where the notes round, the text says how.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import kernels
from kernels.array import Array
from minidnn.costs import LayerCost
from minidnn.costs.weighted import conv2d_cost, separable_conv2d_cost
from minidnn.explanation.arithmetic import numbers_of, size_text, term
from minidnn.explanation.content import Equation, Explanation, Step, Table
from minidnn.explanation.cost_table import count_equation
from minidnn.explanation.example import Draws, planes
from minidnn.explanation.regions import explain_roi_pool
from minidnn.functional.convolution import conv2d
from minidnn.tensor import Tensor

_GOOGLENET = "Szegedy et al., Going deeper with convolutions, CVPR 2015"
_INCEPTION_V3 = "Szegedy et al., Rethinking the Inception architecture, CVPR 2016, section 3"


def note_one_by_one(*, seed: int = 0) -> Explanation:
    """1x1 convolution, as a table of numbers and as a table of shapes."""
    draws = Draws(seed)
    plane, deep = draws.whole((1, 1, 6, 6), 1, 9), draws.whole((1, 4, 3, 3), 1, 9)
    single, filters = np.full((1, 1, 1, 1), 2.0), draws.halves((2, 4, 1, 1))
    doubled, mixed = _convolved(plane, single), _convolved(deep, filters)
    first = Equation(
        "y[0,0,0,0]",
        "sum over c of w[0,c]·x[0,c,0,0]",
        _signed(filters[0], deep[0, :, 0, 0]),
        float(mixed[0, 0, 0, 0]),
    )
    shape = (1, 192, 28, 28)
    costs = [
        (f"1x1 to {channels}", conv2d_cost(shape, channels, 1, bias=False)) for channels in (16, 32, 64, 192)
    ]
    return Explanation(
        "1x1 convolution: every pixel by itself, its channels mixed",
        "y[n,o,i,j] = sum over c of w[o,c] · x[n,c,i,j]",
        "Lin et al., Network in network, ICLR 2014, section 3.1",
        (
            Step(
                "one channel, one filter [2]: only a scale",
                ((*planes("x", plane), *planes("y", doubled)),),
            ),
            Step(
                "4 channels, 2 filters: a fully connected layer at every pixel",
                (
                    planes("x", deep, [(0, c, 0, 0) for c in range(4)]),
                    first,
                    planes("y", mixed, [(0, 0, 0, 0)]),
                ),
            ),
            Step(
                "so it changes the number of channels and leaves the plane: 28x28x192",
                (_costs(costs),),
            ),
        ),
    )


def note_bottleneck() -> Explanation:
    """5x5 on 28x28x192, directly and behind 16 channels."""
    shape = (1, 192, 28, 28)
    direct = conv2d_cost(shape, 32, 5, padding="same", bias=False)
    reduce = conv2d_cost(shape, 16, 1, bias=False)
    expand = conv2d_cost(reduce.output, 32, 5, padding="same", bias=False)
    return Explanation(
        "bottleneck: a 1x1 convolution to few channels makes the 5x5 after it cheap",
        "28x28x192 to 28x28x32: 120 M multiplications directly, 12.4 M through 16 channels",
        f"{_GOOGLENET}, section 4",
        (
            _formulas("5x5, 'same' padding", [("direct", direct)]),
            _formulas("1x1 to 16 channels, then 5x5", [("1x1", reduce), ("5x5", expand)]),
            Step(
                "side by side",
                (
                    _costs([("5x5 directly", direct), ("1x1 to 16", reduce), ("then 5x5", expand)]),
                    _ratio("through the bottleneck / directly", [reduce, expand], direct),
                ),
            ),
        ),
    )


def note_five_by_five() -> Explanation:
    """5x5 from 200 to 92 channels at 32x32."""
    direct = conv2d_cost((1, 200, 32, 32), 92, 5, padding="same", bias=False)
    return Explanation(
        "five_by_five: one 5x5 convolution on many channels",
        "32x32x200 to 32x32x92: 470 M multiplications (471 M, cut to two digits)",
        f"{_GOOGLENET}, section 4",
        (
            _formulas("5x5, 'same' padding", [("5x5", direct)]),
            Step("what it takes", (_costs([("5x5", direct)]),)),
        ),
    )


def note_separable() -> Explanation:
    """3x3 from 6x6x3 to 4x4x5, ordinary and separable."""
    shape, outputs = (1, 3, 6, 6), 5
    ordinary = conv2d_cost(shape, outputs, 3, bias=False)
    depthwise = conv2d_cost(shape, 3, 3, groups=3, bias=False)
    pointwise = conv2d_cost(depthwise.output, outputs, 1, bias=False)
    separable = separable_conv2d_cost(shape, outputs, 3, bias=False)
    part = separable.forward.multiply_adds.value / ordinary.forward.multiply_adds.value
    return Explanation(
        "separable: one 3x3 filter per channel, then 1x1 filters over the channels",
        "6x6x3 to 4x4x5: 2160 multiplications, or 432 + 240 = 672",
        "Howard et al., MobileNets, arXiv 1704.04861, section 3.1",
        (
            _formulas("ordinary 3x3, no padding", [("3x3", ordinary)]),
            _formulas("separable", [("3x3 depthwise", depthwise), ("1x1", pointwise)]),
            Step(
                "side by side",
                (
                    _costs(
                        [
                            ("ordinary 3x3", ordinary),
                            ("depthwise 3x3", depthwise),
                            ("pointwise 1x1", pointwise),
                        ]
                    ),
                    _ratio("separable / ordinary", [depthwise, pointwise], ordinary),
                    Equation("the same", "1/O + 1/(KH·KW)", f"1/{outputs} + 1/9", part),
                ),
            ),
        ),
    )


def note_two_3x3(*, seed: int = 0) -> Explanation:
    """A 5x5 window from two 3x3."""
    draws = Draws(seed)
    first, second = draws.halves((1, 1, 3, 3)), draws.halves((1, 1, 3, 3))
    together = np.zeros((1, 1, 5, 5))
    for p, q in np.ndindex(3, 3):
        together[0, 0, p : p + 3, q : q + 3] += second[0, 0, p, q] * first[0, 0]
    return _factored(
        "two_3x3: two 3x3 filters see what one 5x5 sees, with fewer weights",
        "18 weights in place of 25: 28 % fewer",
        (1, 1, 5, 5),
        (first, second, together),
        seed,
    )


def note_asymmetric(*, seed: int = 0) -> Explanation:
    """A 3x3 window from a column and a row."""
    draws = Draws(seed)
    column, row = draws.halves((1, 1, 3, 1)), draws.halves((1, 1, 1, 3))
    return _factored(
        "asymmetric: 3x1 and 1x3 filters see what 3x3 sees, with fewer weights",
        "6 weights in place of 9: 33 % fewer",
        (1, 1, 3, 3),
        (column, row, column * row),
        seed,
    )


def note_inception_channels() -> Explanation:
    """Four branches joined along their channels."""
    shape = (1, 192, 28, 28)
    branches = [
        ("1x1", conv2d_cost(shape, 64, 1, bias=False)),
        ("1x1 to 96, 3x3", _then(shape, 96, 128, 3)),
        ("1x1 to 16, 5x5", _then(shape, 16, 32, 5)),
        ("pool, 1x1", conv2d_cost(shape, 32, 1, bias=False)),
    ]
    channels = [cost.output[1] for _, cost in branches]
    return Explanation(
        "inception_channels: the branches of an inception module side by side",
        "28x28: 64 + 128 + 32 + 32 = 256 channels",
        f"{_GOOGLENET}, table 1, inception (3a)",
        (
            Step("the branches", (_costs(branches),)),
            Step(
                "joined along the channels",
                (Equation("channels", "", " + ".join(map(str, channels)), sum(channels)),),
            ),
        ),
    )


def note_roi_pooling(*, seed: int = 0) -> Explanation:
    """A box of a 1056x640 image on its 66x40 map."""
    image, halvings = (1056, 640), 4
    worked = explain_roi_pool(
        box=(160, 96, 368, 304), output_size=7, spatial_scale=1 / 16, size=(40, 66), seed=seed
    )
    sizes = tuple(
        Equation(
            f"{name} of the map", f"{name} / 2^halvings", f"{length} / 2^{halvings}", length / 2**halvings
        )
        for name, length in zip(("width", "height"), image, strict=True)
    )
    box = "The box (160, 96) to (368, 304) is ours: 208 pixels each way, 14 of the map, 2 for each of 7 bins."
    return Explanation(
        "roi_pooling: a box of a 1056x640 image, on its 66x40 feature map",
        worked.formula,
        worked.paper,
        (Step("the image and its map: four halvings, scale 1/16", (*sizes, box)), *worked.steps),
        worked.cost,
    )


NOTES = {
    "one_by_one": note_one_by_one,
    "bottleneck": note_bottleneck,
    "five_by_five": note_five_by_five,
    "separable": note_separable,
    "two_3x3": note_two_3x3,
    "asymmetric": note_asymmetric,
    "inception_channels": note_inception_channels,
    "roi_pooling": note_roi_pooling,
}


def _factored(
    title: str, summary: str, shape: tuple[int, int, int, int], weights: tuple[Array, Array, Array], seed: int
) -> Explanation:
    """Two small filters one after the other are one large filter, as long as nothing stands between them."""
    first, second, together = weights
    x = Draws(seed + 1).whole(shape)
    once, steps, after = (
        conv2d_cost((1, 1, 32, 32), 1, weight.shape[2:], padding="same", bias=False)
        for weight in (together, first, second)
    )
    between = _convolved(x, first)
    y = float(_convolved(between, second)[0, 0, 0, 0])
    sizes = [size_text(weight.shape[2:]) for weight in (first, second, together)]
    weight_count = steps.parameters.value + after.parameters.value
    fewer = 100 * (1 - weight_count / once.parameters.value)
    return Explanation(
        title,
        summary,
        _INCEPTION_V3,
        (
            Step(
                "the filters, and the large one that they make together",
                ((*planes("first", first), *planes("second", second), *planes("together", together)),),
            ),
            Step(
                "one output, both ways",
                (
                    (*planes("x", x), *planes("after the first", between)),
                    Equation(f"{sizes[0]}, then {sizes[1]}", "", _signed(second, between), y),
                    Equation(f"{sizes[2]} at once", "", _signed(together, x), y),
                ),
            ),
            Step(
                "weights between two channels, and multiplications on 32x32",
                (
                    _costs([(f"{sizes[2]}", once), (f"{sizes[0]}", steps), (f"{sizes[1]}", after)]),
                    Equation(
                        "fewer, in percent",
                        "",
                        f"100·(1 - ({steps.parameters.value} + {after.parameters.value})"
                        f" / {once.parameters.value})",
                        fewer,
                    ),
                    "An activation between the two makes them more than one large filter could be.",
                ),
            ),
        ),
    )


def _signed(weights: Array, values: Array) -> str:
    """The sum of products of two arrays, entry by entry."""
    pairs = zip(weights.ravel(), values.ravel(), strict=True)
    return numbers_of([term(("", float(w)), ("", float(v))) for w, v in pairs])


def _convolved(x: Array, weight: Array) -> Array:
    with kernels.use(backend="reference"):
        return conv2d(Tensor(x), Tensor(weight)).numpy()


def _then(shape: tuple[int, int, int, int], narrow: int, wide: int, kernel: int) -> LayerCost:
    """1x1 to few channels, then a padded convolution."""
    reduce = conv2d_cost(shape, narrow, 1, bias=False)
    return reduce.then(conv2d_cost(reduce.output, wide, kernel, padding="same", bias=False))


def _formulas(heading: str, layers: Sequence[tuple[str, LayerCost]]) -> Step:
    """The multiplications of each layer, with the numbers filled in."""
    return Step(
        heading,
        tuple(
            count_equation(f"multiplications, {name}", cost.forward.multiply_adds) for name, cost in layers
        ),
    )


def _costs(layers: Sequence[tuple[str, LayerCost]]) -> Table:
    """From which shape to which, and what it takes."""
    rows = [
        (
            name,
            _spatial(cost.input),
            _spatial(cost.output),
            f"{cost.parameters.value:,}",
            f"{cost.forward.multiply_adds.value:,}",
        )
        for name, cost in layers
    ]
    return Table(("", "from", "to", "weights", "multiplications"), tuple(rows))


def _spatial(shape: Sequence[int]) -> str:
    """(N, C, H, W) as courses write it: HxWxC."""
    return size_text((*shape[2:], shape[1]))


def _ratio(name: str, parts: Sequence[LayerCost], whole: LayerCost) -> Equation:
    """What the parts take of the whole."""
    counts = [part.forward.multiply_adds.value for part in parts]
    total = whole.forward.multiply_adds.value
    return Equation(name, "", f"({' + '.join(map(str, counts))}) / {total}", sum(counts) / total)
