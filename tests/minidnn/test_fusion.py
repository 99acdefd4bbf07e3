"""Fusion on small networks: what becomes part of what, what must not, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
import minidnn
from minidnn import Tensor, cat, functional, nn, no_grad
from minidnn.fusion import SHAPES_KEPT

IMAGES = (2, 4, 7, 9)


def randomised(model: nn.Module) -> nn.Module:
    """The model in float64 with random parameters and running statistics, in training mode."""
    generator = np.random.default_rng(1)
    model.double()
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype.kind == "f":
            tensor.data = generator.uniform(0.5, 1.5, tensor.shape) * generator.choice([-1, 1], tensor.shape)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_var is not None
            module.running_var.data = generator.uniform(0.2, 3, module.running_var.shape)
    return model


def images(shape: tuple[int, ...] = IMAGES) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape)


def check(model: nn.Module, left: list[str], x: np.ndarray | None = None) -> None:
    """The fused model consists of the steps `left` and computes what the model does."""
    x = images() if x is None else x
    fused = minidnn.fuse(randomised(model))
    with no_grad():
        want = model.eval()(Tensor(x)).numpy()
        assert np.abs(fused(x).numpy() - want).max() <= 1e-12 * np.abs(want).max()
    assert [step.function.name for step in fused.program(x).steps] == left


CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(4, 6, 3, bias=False),
    "with bias": lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "dilated": lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_take_batch_norm_and_activation(name: str) -> None:
    check(nn.Sequential(CONVOLUTIONS[name](), nn.BatchNorm2d(6), nn.ReLU()), ["PreparedConv2d"])


@pytest.mark.parametrize(
    "activation", [nn.ReLU, nn.ReLU6, nn.Hardsigmoid, nn.Hardswish, nn.Sigmoid, nn.SiLU, nn.Tanh]
)
def test_activations_become_the_end_of_a_convolution(activation: type[nn.Module]) -> None:
    check(nn.Sequential(nn.Conv2d(4, 3, 3), activation()), ["PreparedConv2d"])


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_without_parameters(affine: bool) -> None:
    check(nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, affine=affine)), ["PreparedConv2d"])


def test_transposed_convolution() -> None:
    layer = nn.ConvTranspose2d(4, 6, (3, 2), stride=2, groups=2)
    check(nn.Sequential(layer, nn.BatchNorm2d(6), nn.ReLU()), ["ConvTranspose2d", "ReLU"])


def test_linear() -> None:
    check(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU()), ["Linear", "ReLU"], images((3, 5)))


def test_a_batch_norm_over_another_axis_than_the_layers_stays() -> None:
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(4))
    check(model, ["Linear", "BatchNormInference"], images((3, 4, 5)))


def test_a_batch_norm_in_front_stays_a_step() -> None:
    model = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1), nn.BatchNorm2d(3))
    check(model, ["ActivatedBatchNorm", "PreparedConv2d"])


def test_a_batch_norm_ends_with_its_activation() -> None:
    check(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)), ["ReLU", "BatchNormInference"])
    model = nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.ReLU())
    check(model, ["ActivatedBatchNorm"], images((3, 4, 5)))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU])
def test_depthwise_convolution(activation: type[nn.Module]) -> None:
    layer = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4, bias=False)
    check(nn.Sequential(layer, nn.BatchNorm2d(8)), ["DepthwiseConv2d"])
    check(nn.Sequential(layer, nn.BatchNorm2d(8), activation()), ["ActivatedDepthwiseConv2d"])


class Branches(nn.Module):
    """What a convolution gives out is normalised, and also used as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x: Any) -> Tensor:
        y = self.conv(x)
        return self.relu(self.bn(y)) + y


def test_an_output_that_is_used_twice_is_left_alone() -> None:
    check(Branches(), ["PreparedConv2d", "ActivatedBatchNorm", "Add"])


class Result(nn.Module):
    """The convolution's output is part of the result as a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Any) -> Tensor:
        first, second = self.conv(x).chunk(2, 1)
        return cat([second, self.bn(cat([first, second], 1))], 1)


def test_views_and_concatenations() -> None:
    check(Result(), ["PreparedConv2d", "Slice", "Slice", "Concat", "BatchNormInference", "Concat"])


class Twice(nn.Module):
    """One convolution with a batch norm of its own for each use."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Any) -> Tensor:
        y: Tensor = self.second(self.conv(self.first(self.conv(x))))
        return y


def test_a_shared_convolution_is_folded_for_each_use() -> None:
    check(Twice(), ["PreparedConv2d", "PreparedConv2d"])


class InPlace(nn.Module):
    """ReLU and addition that write over their operand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Tensor:
        y: Tensor = self.relu(self.conv(x))
        y += x
        return self.relu(y)


def test_operations_in_place() -> None:
    check(InPlace(), ["PreparedConv2d", "Add", "ReLU"])


class Masked(nn.Module):
    """The weight of the convolution is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.ones((3, 4, 1, 1)))

    def forward(self, x: Any) -> Tensor:
        return functional.conv2d(x, self.weight * np.array([[[[1.0]], [[0]], [[2]], [[0]]]]))


def test_what_does_not_depend_on_the_input_is_computed_once() -> None:
    check(Masked(), ["PreparedConv2d"])


def test_a_model_of_no_steps() -> None:
    check(nn.Identity(), [])


def block() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten())


def test_the_original_is_left_as_it_is() -> None:
    model = randomised(block())
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    fused = minidnn.fuse(model)
    result = fused(images()).numpy().copy()
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    for name, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), before[name])
    with no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert np.array_equal(fused(images()).numpy(), result)


def test_each_shape_has_its_program() -> None:
    model = randomised(block())
    fused = minidnn.fuse(model)
    for height in (5, 6, 7, 8, 9, 5):
        x = images((1, 4, height, 6))
        np.testing.assert_allclose(fused(x).numpy(), model.eval()(x).numpy(), rtol=1e-12)
    assert len(fused._runners) == SHAPES_KEPT


def test_the_copy_can_change_its_type_and_weights() -> None:
    model, other = randomised(block()), randomised(block())
    for tensor in other.parameters():
        tensor.data = tensor.data * 1.5
    fused = minidnn.fuse(model)
    assert fused.float()(images().astype(np.float32)).dtype == np.float32
    fused.double()(images())
    fused.load_state_dict({f"model.{name}": value for name, value in other.state_dict().items()})
    np.testing.assert_allclose(fused(images()).numpy(), other.eval()(images()).numpy(), rtol=1e-6)


def test_another_backend() -> None:
    fused = minidnn.fuse(randomised(block()))
    want = fused(images()).numpy()
    with kernels.use(backend="reference"):
        np.testing.assert_allclose(fused(images()).numpy(), want, rtol=1e-12)


def test_threads_share_it() -> None:
    fused = minidnn.fuse(randomised(block()))
    inputs = [images((1, 4, 30, 30)) * k for k in range(4)]
    want = [fused(x).numpy() for x in inputs]
    wrong: list[int] = []

    def work(k: int) -> None:
        wrong.extend(k for _ in range(50) if not np.array_equal(fused(inputs[k]).numpy(), want[k]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- what is refused -------------------------------------------------------------------------------


def test_no_training() -> None:
    fused = minidnn.fuse(block())
    assert fused.eval() is fused
    assert fused.requires_grad_(False) is fused
    assert not any(module.training for module in fused.modules())
    with pytest.raises(ValueError, match=r"mode must be False: a fused model is for inference"):
        fused.train()
    with pytest.raises(ValueError, match=r"requires_grad must be False"):
        fused.requires_grad_()


def test_no_gradients() -> None:
    fused = minidnn.fuse(block().double())
    x = Tensor(images(), requires_grad=True)
    with pytest.raises(ValueError, match=r"x must not require gradients"):
        fused(x)
    with no_grad():
        assert not fused(x).requires_grad


def test_other_types() -> None:
    with pytest.raises(TypeError, match=r"model must be a Module, got str"):
        minidnn.fuse("resnet18")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"x must"):
        minidnn.fuse(nn.Identity())(np.ones(3, np.int64))


class Forward(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: Tensor(np.sin(x.numpy())),
        lambda x: x * 2 if x.data.flat[0] == images().flat[0] else x * 3,
        lambda x: functional.dropout(x, 0.5, training=True),
    ],
    ids=["leaves Tensors", "looks at values", "draws random numbers"],
)
def test_what_a_recording_cannot_repeat(function: Callable[[Tensor], Any]) -> None:
    with pytest.raises(ValueError, match=r"model must compute with operations on Tensors only"):
        minidnn.fuse(Forward(function))(images())


def test_one_output_only() -> None:
    with pytest.raises(TypeError, match=r"model must return one Tensor to be fused, it returns tuple"):
        minidnn.fuse(Forward(lambda x: (x, x)))(images())
