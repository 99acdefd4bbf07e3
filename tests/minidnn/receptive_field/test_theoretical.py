"""Receptive fields against the support of gradients and perturbed pixels; known networks by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import minidnn
import models
from minidnn import Tensor, nn
from minidnn.functional import cat, interpolate, pad
from minidnn.receptive_field import AxisField, ReceptiveField, receptive_fields
from minidnn.receptive_field.axis import union


def positive(model: nn.Module) -> nn.Module:
    """All weights above 0, so that nothing cancels: a gradient is zero only where there is no path."""
    generator = np.random.default_rng(23)
    for parameter in model.parameters():
        parameter.data[...] = generator.uniform(0.5, 1.5, parameter.shape)
    return model.eval()


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(29).uniform(1, 2, shape).astype(np.float32)


def last_field(model: nn.Module, x: np.ndarray) -> ReceptiveField:
    field = receptive_fields(minidnn.trace(model, x, backward=False))[-1]
    assert field is not None
    return field


def support(model: nn.Module, x: np.ndarray, row: int, column: int) -> np.ndarray:
    """The pixels with a nonzero gradient, (H, W)."""
    given = Tensor(x, requires_grad=True)
    model(given)[:, :, row, column].sum().backward()
    return (given.grad.numpy() != 0).any(axis=(0, 1))


def hull(mask: np.ndarray) -> np.ndarray:
    """The smallest rectangle around what is true."""
    rows, columns = np.nonzero(mask)
    full = np.zeros_like(mask)
    full[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return full


def filled(field: ReceptiveField, row: int, column: int) -> np.ndarray:
    mask = np.zeros(field.input_size, bool)
    mask[field.region(row, column)] = True
    return mask


class Branches(nn.Module):
    """Three ways of one stride: 1x1, 3x5 dilated, and averages; as in an Inception module."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 2, 1)
        self.wide = nn.Conv2d(2, 3, (3, 5), padding=(2, 2), dilation=(2, 1))
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return cat([self.one(x), self.wide(x), self.pool(x)], dim=1)


class Residual(nn.Module):
    """A shortcut around two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x


class Padded(nn.Module):
    """Zeros on two sides only, then a window."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(pad(x, (0, 1, 2, 0)))


EXACT = {
    "window": lambda: nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3)),
    "stack": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 5, stride=2, padding=2),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(3, 2, 3, groups=1, padding=1),
    ),
    "depthwise": lambda: nn.Sequential(nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(2, 4, 1)),
    "branches": lambda: nn.Sequential(nn.Conv2d(2, 2, 3, stride=2), Branches()),
    "residual": lambda: nn.Sequential(nn.Conv2d(2, 2, 2, stride=2), Residual(), nn.ReLU()),
    "padded": Padded,
    "even bins": lambda: nn.Sequential(nn.Conv2d(2, 2, 2), nn.AdaptiveAvgPool2d((3, 4))),
    "all": lambda: nn.Sequential(nn.Conv2d(2, 2, 3), nn.AdaptiveAvgPool2d(1)),
}


DILATED = ("window", "branches")  # whose windows have holes


@pytest.mark.parametrize("name", EXACT)
def test_gradients_reach_exactly_the_field(name: str) -> None:
    model, x = positive(EXACT[name]()), images(1, 2, *((12, 16) if name == "residual" else (13, 17)))
    field = last_field(model, x)
    height, width = model(Tensor(x)).shape[2:]
    for row, column in {(0, 0), (height - 1, width - 1), (height // 2, width // 2), (0, width - 1)}:
        reached = support(model, x, row, column)
        found = hull(reached) if name in DILATED else reached
        assert np.array_equal(found, filled(field, row, column)), (row, column)


class Enlarged(nn.Module):
    """Smaller, then larger again by interpolation."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, stride=2, padding=1)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(self.conv(x), scale_factor=2, mode=self.mode)


class Gated(nn.Module):
    """Squeeze and excitation: a number for all places times what stands at each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y * y.mean((2, 3), keepdim=True)


class Strides(nn.Module):
    """Branches of different strides: every second unit against all of a part."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.slow(x[:, :, :8, :8]) + self.fast(x)[:, :, :6, :6]


BOUNDED = {
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(2, 2, 3, stride=2), nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1)
    ),
    "nearest": lambda: Enlarged("nearest"),
    "bilinear": lambda: Enlarged("bilinear"),
    "uneven bins": lambda: nn.Sequential(nn.Conv2d(2, 2, 2), nn.AdaptiveAvgPool2d((5, 3))),
    "reflected": lambda: nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(2, 2, 3)),
    "largest": lambda: nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(2, 2, 3)),
    "gated": Gated,
    "strides": Strides,
}


class Shuffled(nn.Module):
    """Rows and columns change places in memory, while the map's height stays."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 4, 4, 4)


def test_what_moves_rows_may_see_everything() -> None:
    x = images(1, 2, 4, 8)
    field = last_field(Shuffled(), x)
    reached = support(Shuffled(), x, 3, 0)
    assert not (reached & ~filled(field, 3, 0)).any()


@pytest.mark.parametrize("name", BOUNDED)
def test_gradients_stay_within_the_bounds(name: str) -> None:
    model, x = positive(BOUNDED[name]()), images(1, 2, 13, 17)
    field = last_field(model, x)
    height, width = model(Tensor(x)).shape[2:]
    union_of_all = np.zeros(field.input_size, bool)
    for row in range(height):
        for column in range(width):
            reached, bound = support(model, x, row, column), filled(field, row, column)
            assert not (reached & ~bound).any(), (row, column)
            union_of_all |= bound
    assert field.rows.size < 2 * x.shape[2]
    assert union_of_all.any()


def test_a_pixel_outside_moves_nothing_and_one_inside_does() -> None:
    """Through max pooling, whose gradients reach only the winners."""
    model = positive(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(3, 2), nn.Conv2d(2, 1, 2)))
    x = images(1, 1, 11, 12)
    field, (row, column) = last_field(model, x), (1, 2)
    seen, before = filled(field, row, column), model(Tensor(x)).numpy()[0, 0, row, column]
    for h in range(11):
        for w in range(12):
            changed = x.copy()
            changed[0, 0, h, w] += 100
            after = model(Tensor(changed)).numpy()[0, 0, row, column]
            assert (after != before) == seen[h, w], (h, w)


def test_two_3x3_are_one_5x5_and_three_are_7x7() -> None:
    stack = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(3)))
    sizes = [field.rows.size for field in receptive_fields(minidnn.trace(stack, images(1, 1, 9, 9)))]
    assert sizes == [3, 5, 7]


@pytest.mark.parametrize(
    ("name", "module", "expected"),
    [
        # Araujo et al.'s table: (size, jump, padding). Their AlexNet does not pad the first layer, ours by 2.
        ("alexnet", "features", (195, 32, 64 + 2)),
        ("vgg16", "features", (212, 32, 90)),
        ("mobilenet_v1", "features", (315, 32, 126)),
        # Their ResNet strides at the end of a stage, ours at its beginning: 11 behind the stem, and then
        # 3 windows of 3 at a jump of 4 and one more, 3 + 1 at 8, 5 + 1 at 16, 2 at 32.
        ("resnet50", "", (11 + 2 * (4 * 4 + 4 * 8 + 6 * 16 + 2 * 32), 32, 213)),
    ],
)
@pytest.mark.slow
def test_published_fields(name: str, module: str, expected: tuple[int, int, int]) -> None:
    network = models.create(name).get_submodule(module)
    trace = minidnn.trace(network, np.zeros((1, 3, 64, 64), np.float32), backward=False)
    last = [record.index for record in trace.operations if record.outputs[0].shape[-2:] == (2, 2)][-1:]
    field = receptive_fields(trace)[last[0] if last else -1]
    assert (field.rows.size, field.rows.jump, -field.rows.start) == expected


def test_fully_connected_units_see_everything() -> None:
    fields = receptive_fields(minidnn.trace(models.lenet5(), images(1, 1, 32, 32)))
    sizes = [(field.rows.size, field.rows.jump, field.rows.start) for field in fields]
    assert sizes[:7] == [(5, 1, 0), (5, 1, 0), (6, 2, 0), (14, 2, 0), (14, 2, 0), (16, 4, 0), (32, 4, 0)]
    assert {size for size, _, _ in sizes[7:]} == {32}
    assert fields[-1].region(0, 0) == (slice(0, 32), slice(0, 32))
    assert fields[3].region(1, 2) == (slice(2, 16), slice(4, 18))
    assert fields[3].module == "c3"


def test_what_does_not_depend_on_the_input_has_no_field() -> None:
    network = nn.BatchNorm2d(2)  # counts batches in training
    trace = minidnn.trace(network, images(2, 2, 3, 3))
    assert [field is None for field in receptive_fields(trace)] == [
        record.function == "Add" for record in trace.operations
    ]


def test_traces_without_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"given images, it was given shape \(4, 3\)"):
        receptive_fields(minidnn.trace(nn.Linear(3, 2), np.ones((4, 3), np.float32)))

    class Deaf(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return minidnn.ones(2).exp()

    with pytest.raises(ValueError, match="that reads its input"):
        receptive_fields(minidnn.trace(Deaf(), images(1, 1, 2, 2), backward=False))


def test_unions_of_one_jump_are_hulls() -> None:
    narrow = AxisField(Fraction(3), Fraction(2), Fraction(-1))
    wide = AxisField(Fraction(5), Fraction(2), Fraction(-1))
    assert union([narrow, wide], 9) == wide
    assert union([narrow], 1) == narrow
    assert union([narrow, narrow.through_window(3, 1, 1, 1)], 4) == AxisField(
        Fraction(7), Fraction(2), Fraction(-3)
    )
