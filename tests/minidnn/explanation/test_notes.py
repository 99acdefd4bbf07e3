"""The course notes' figures, from the cost formulas."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn.explanation import NOTES, Equation, explain
from models.published import rounds_to
from tests.minidnn.explanation.equations import check


def multiplications(name: str) -> list[float]:
    return [each.value for each in explain(name).equations() if each.target.startswith("multiplications")]


def value(name: str, target: str) -> float:
    (found,) = [each.value for each in explain(name).equations() if each.target == target]
    return found


@pytest.mark.parametrize("name", NOTES)
def test_every_equation_is_true(name: str) -> None:
    check(explain(name), 1e-4)


def test_bottleneck() -> None:
    """120 M against 2.4 M + 10 M = 12.4 M."""
    direct, reduce, expand = multiplications("bottleneck")
    assert (direct, reduce, expand) == (120_422_400, 2_408_448, 10_035_200)
    assert rounds_to(direct, "120 M")
    assert rounds_to(reduce, "2.4 M")
    assert rounds_to(expand, "10 M")
    assert rounds_to(reduce + expand, "12.4 M")


def test_five_by_five() -> None:
    """470 M are 471,040,000, cut."""
    (found,) = multiplications("five_by_five")
    assert found == 471_040_000
    assert found // 10_000_000 * 10 == 470


def test_separable() -> None:
    assert multiplications("separable") == [2160, 432, 240]
    assert value("separable", "separable / ordinary") == pytest.approx(672 / 2160)
    assert value("separable", "the same") == pytest.approx(1 / 5 + 1 / 9)


def test_factored_filters() -> None:
    assert value("two_3x3", "fewer, in percent") == pytest.approx(28)
    assert value("asymmetric", "fewer, in percent") == pytest.approx(100 / 3)
    for name, first, second in (("two_3x3", "3x3, then 3x3", "5x5 at once"),
                                ("asymmetric", "3x1, then 1x3", "3x3 at once")):  # fmt: skip
        assert value(name, first) == value(name, second)


def test_one_by_one_doubles_the_plane() -> None:
    explanation = explain("one_by_one", seed=3)
    x, y = (np.array(grid.rows) for grid in list(explanation.grids())[:2])
    assert x.shape == (6, 6)
    np.testing.assert_array_equal(y, 2 * x)


def test_inception_channels() -> None:
    assert value("inception_channels", "channels") == 256


def test_roi_pooling() -> None:
    """1056 x 640 pixels, 66 x 40 on the map, columns 10 to 23, rows 6 to 19."""
    assert value("roi_pooling", "width of the map") == 66
    assert value("roi_pooling", "height of the map") == 40
    corners = [value("roi_pooling", name) for name in ("x1", "y1", "x2", "y2")]
    assert corners == [10, 6, 23, 19]
    assert value("roi_pooling", "h") == value("roi_pooling", "w") == 14


def test_a_wrong_figure_is_found() -> None:
    from minidnn.explanation import Explanation, Step

    with pytest.raises(AssertionError):
        check(Explanation("", "", "", (Step("", (Equation("y", "", "2·3", 5.0),)),)), 1e-9)
