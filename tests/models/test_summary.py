"""The table of layers: what it counts, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor, nn
from minidnn.functional import relu
from minidnn.tensor import Tensor as AnyTensor
from models.lenet import TableConv2d
from models.summary import RULES, Row, summarize
from tests.models.detection.region_scenes import tiny_rcnn

FLOAT32 = 4


@pytest.mark.parametrize(
    ("layer", "shape", "mult_adds"),
    [
        # The course notes' examples: 5x5 on 28x28x192, directly and behind a bottleneck of 16; 32x32x200.
        (nn.Conv2d(192, 32, 5, padding=2), (192, 28, 28), 120_422_400),
        (nn.Conv2d(192, 16, 1), (192, 28, 28), 2_408_448),
        (nn.Conv2d(16, 32, 5, padding=2), (16, 28, 28), 10_035_200),
        (nn.Conv2d(200, 92, 5, padding=2), (200, 32, 32), 471_040_000),
        # A separable convolution, 6x6x3 to 4x4x5: 432 + 240 instead of 2160.
        (nn.Conv2d(3, 5, 3), (3, 6, 6), 2160),
        (nn.Conv2d(3, 3, 3, groups=3), (3, 6, 6), 432),
        (nn.Conv2d(3, 5, 1), (3, 4, 4), 240),
        (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), groups=2, dilation=2), (4, 9, 7), 6 * 3 * 5 * 2 * 3 * 2),
        (nn.ConvTranspose2d(4, 6, (3, 2), stride=2, groups=2), (4, 5, 3), 4 * 5 * 3 * 3 * 3 * 2),
        (nn.LocallyConnected2d(2, 3, (6, 5), 3), (2, 6, 5), 3 * 4 * 3 * 2 * 9),
        (TableConv2d(3, ((0, 1), (2,), (0, 1, 2)), 5), (3, 9, 7), 6 * 25 * 5 * 3),
        (nn.BatchNorm2d(4), (4, 5, 3), 0),
        (nn.MaxPool2d(2), (4, 6, 4), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_mult_adds(layer: nn.Module, shape: tuple[int, int, int], mult_adds: int) -> None:
    assert summarize(layer, shape).mult_adds == mult_adds


def test_separable_convolutions_cost_one_part_in_n_plus_one_in_f_squared() -> None:
    full = summarize(nn.Conv2d(512, 512, 3, padding=1, bias=False), (512, 14, 14)).mult_adds
    depthwise = nn.Conv2d(512, 512, 3, padding=1, groups=512, bias=False)
    separable = nn.Sequential(depthwise, nn.Conv2d(512, 512, 1, bias=False))
    cost = summarize(separable, (512, 14, 14)).total("mult_adds")
    assert cost / full == pytest.approx(1 / 512 + 1 / 9, rel=1e-12)


class Block(nn.Module):
    """A layer used twice, one that only training uses, and work that no layer does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(3, 2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout()

    def forward(self, x: AnyTensor) -> AnyTensor:
        y = self.relu(self.conv(x))
        y = self.conv(relu(y)) + x  # the functional relu's and the sum's arrays are the block's
        return self.dropout(self.flatten(y))


def test_parameters_and_memory_stand_where_they_belong() -> None:
    model = nn.Sequential(Block(), nn.Linear(3 * 4 * 5, 7)).train()
    root = summarize(model, (3, 4, 5))
    rows = {row.path: row for row in root.walk()}
    plane = 3 * 4 * 5 * FLOAT32
    assert rows["0.conv"].activation_bytes == 2 * plane
    assert rows["0.relu"].activation_bytes == 0
    assert rows["0.flatten"].activation_bytes == rows["0.dropout"].activation_bytes == 0
    assert rows["0"].activation_bytes == 2 * plane
    assert rows["0"].total("activation_bytes") == 4 * plane
    assert rows["1"].activation_bytes == 7 * FLOAT32
    assert rows["0.conv"].mult_adds == 2 * 3 * 27 * 20
    assert rows["0.head"].output_shape == ()
    assert rows["0.conv"].output_shape == (1, 3, 4, 5)
    assert rows["1"].parameters == 427
    assert root.total("parameters") == 84 + 8 + 427
    assert root.parameters_at_inference == 84 + 427
    assert [row.depth for row in root.walk()] == [0, 1, 2, 2, 2, 2, 2, 1]
    assert model.training
    assert model[0].dropout.training


def test_the_model_is_left_as_it_was_when_it_refuses_the_image() -> None:
    model = models.lenet5()
    model.f6.eval()
    with pytest.raises(ValueError, match="channels"):
        summarize(model, (3, 32, 32))
    assert model.training
    assert not model.f6.training
    assert model(Tensor(np.zeros((1, 1, 32, 32), np.float32))).shape == (1, 10)


def test_what_has_no_rule_is_named() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(np.zeros((3, 2), np.float32))

        def forward(self, x: AnyTensor) -> AnyTensor:
            return x

    root = summarize(nn.Sequential(Own(), nn.Conv2d(1, 1, 1)), (1, 2, 2))
    assert [row.path for row in root.walk() if row.uncounted] == ["0"]
    assert Own not in RULES


def test_lenet_by_hand() -> None:
    """The papers' figure 2: each map's size times its window."""
    rows: dict[str, Row] = {row.path: row for row in summarize(models.lenet5(), (1, 32, 32)).walk()}
    wanted = {"c1": 6 * 784 * 25, "c3": 16 * 100 * 150, "c5": 120 * 400, "f6": 120 * 84, "output": 840}
    assert {path: rows[path].mult_adds for path in wanted} == wanted


def test_a_detector_that_takes_regions_gets_the_whole_image() -> None:
    """A square of 20 x 20 pixels; 6 filters of 5 x 5 x 3 at 6 x 6 places."""
    root = summarize(tiny_rcnn(), (3, 60, 80))
    rows = {row.path: row for row in root.walk()}
    assert rows["features.conv"].output_shape == (1, 6, 6, 6)
    assert rows["features.conv"].mult_adds == 6 * 6 * 6 * 75
    assert rows["features.fc"].mult_adds == 216 * 24
    assert root.total("parameters") == 6 * 75 + 6 + 216 * 24 + 24
