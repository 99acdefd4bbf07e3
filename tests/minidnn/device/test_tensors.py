"""Tensors on a device: what they are, how they get there, and that every method gives the host's values."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Device, Tensor, functional

Compute = Callable[[Tensor], Any]

# Methods that a tensor x (3, 4) of float32 has, with what they need beside it in host memory.
METHODS: dict[str, Compute] = {
    "numbers": lambda x: (2 - x * 3 + 1) / 4 - 1e39,
    "powers": lambda x: abs(x) ** 1.5 + 2.0**x + (-x).exp().sqrt(),
    "waves": lambda x: x.sin() * x.cos() + x.sign() - x.floor() + x.round(),
    "comparison": lambda x: (x > 0) & ~(x <= 0.5) | (x != x),
    "choice": lambda x: minidnn.where(x > 0, x, -x).clamp(0.2, None).maximum(x),
    "sums": lambda x: x.sum(0) + x.mean() + x.std() + x.prod(1).sum() + x.norm(dim=0),
    "extremes": lambda x: x.max(1).values.sum() + x.amin() + x.argmax(0).float().sum(),
    "truths": lambda x: (x > 0).any(0) & (x < 9).all(0),
    "running sums": lambda x: x.cumsum(1),
    "products": lambda x: x @ x.T + x.matmul(x[0]).sum(),
    "shapes": lambda x: x.reshape(2, 6).unsqueeze(1).expand(2, 3, 6).permute(1, 0, 2).flatten(1).squeeze(),
    "repeats": lambda x: x.repeat(2, 1, 2).unbind(0)[1],
    "slices": lambda x: x[1:, ::2] + x[-1, 1:3] + x[None, ..., 0].sum(),
    "backwards": lambda x: x[::-1, 1],
    "places": lambda x: x[[2, 0], np.array([1, -1])] * 2,
    "masks": lambda x: x[x > -0.5].sum() + x.masked_select(x < 1).sum() + (x > 0).nonzero().sum(),
    "gathering": lambda x: x.gather(1, (x > 0).long()) + x.index_select(1, [3, 0, 1, 1])[:, :2].sum(),
    "joining": lambda x: minidnn.cat([x, x * 2], 1).chunk(2, 1)[1] + minidnn.stack([x, x]).sum(0),
    "casts": lambda x: x.int() + x.bool().long() + x.double().to(np.float32).long(),
    "softmax": lambda x: functional.softmax(x, 1).log(),
    "filling": lambda x: minidnn.zeros_like(x) + minidnn.ones(4, device=x.device) + minidnn.full_like(x, 2.5),
    "counting": lambda x: minidnn.arange(4, device=x.device) + minidnn.eye(4, device=x.device)[1],
    "contiguous": lambda x: x.T.contiguous() + x.T.clone(),
}


@pytest.fixture
def rows(generator: np.random.Generator) -> Tensor:
    return Tensor(generator.standard_normal((3, 4)).astype(np.float32))


@pytest.mark.parametrize("compute", METHODS.values(), ids=METHODS)
def test_methods_give_the_hosts_values(compute: Compute, rows: Tensor, place: Device) -> None:
    want, got = compute(rows), compute(rows.to(place))
    assert got.device == place
    assert got.dtype == want.dtype
    assert np.allclose(got.cpu().numpy(), want.numpy(), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.__setitem__((1, slice(None, None, 2)), 5),
        lambda x: x.__setitem__([0, 2], [[1.0, 2.0, 3.0, 4.0]]),
        lambda x: x.__setitem__(x > 0, -1),
        lambda x: x.__setitem__(0, x[1]),
        lambda x: x.mul_(2).add_(1).clamp_(-1, 1),
        lambda x: x.fill_(3).copy_(x * 2),
        lambda x: functional.relu(x, inplace=True),
    ],
    ids=["slice", "places", "mask", "row", "arithmetic", "filling", "relu"],
)
def test_changes_in_place(change: Callable[[Tensor], Any], rows: Tensor, place: Device) -> None:
    there, here = rows.clone().to(place), rows.clone()
    change(here)
    change(there)
    assert np.allclose(there.cpu().numpy(), here.numpy(), rtol=1e-6)


def test_gradients_travel_between_devices(rows: Tensor, place: Device) -> None:
    x = rows.clone().requires_grad_()
    y = (x * 2).to(place)
    z = (y * y).sum().cpu()
    z.backward()
    assert x.grad.device == minidnn.device("cpu")
    assert np.allclose(x.grad.numpy(), 8 * rows.numpy(), rtol=1e-6)


def test_gradients_lie_beside_their_leaves(rows: Tensor, place: Device) -> None:
    x = rows.to(place).requires_grad_()
    ((x.T @ x) * 3).backward(minidnn.ones(4, 4, device=place))
    assert x.grad.device == place
    x.sum().backward()
    ones = np.ones((4, 4), np.float32)
    assert np.allclose(x.grad.cpu().numpy(), 6 * rows.numpy() @ ones + 1, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=f"gradient must lie on {place}, got one on cpu"):
        (x * 2).backward(np.ones((3, 4), np.float32))


def test_what_a_tensor_says_of_itself(rows: Tensor, place: Device) -> None:
    x = rows.to(place)
    assert x.to(place) is x
    assert x.cpu().device == rows.device == minidnn.device("cpu")
    assert rows.cpu() is rows
    assert x.to(minidnn.zeros(2, dtype="float64")).dtype == np.float64
    assert f"device='{place}'" in repr(x)
    assert "device" not in repr(rows)
    assert x.tolist() == rows.tolist()
    assert x[1, 2].item() == rows[1, 2].item()
    assert bool(x[0, 0] == x[0, 0])
    assert minidnn.tensor(x).device == place
    assert minidnn.tensor(x, device="cpu").tolist() == rows.tolist()


def test_random_numbers_are_the_same_everywhere(place: Device) -> None:
    def draws(device: Any) -> list[Any]:
        minidnn.manual_seed(3)
        return [minidnn.randn(2, 3, device=device).tolist(), minidnn.rand(4, device=device).tolist()]

    assert draws(place) == draws("cpu") == draws(None)


def test_numpy_is_refused(rows: Tensor, place: Device) -> None:
    x = rows.to(place)
    for convert in (Tensor.numpy, np.asarray):
        with pytest.raises(TypeError, match=f"numpy needs a tensor in host memory, this one is on {place}"):
            convert(x)


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: there + here,
        lambda here, there: here @ there.T,
        lambda here, there: there + here.numpy(),
        lambda here, there: minidnn.cat([here, there]),
        lambda here, there: there.add_(here),
        lambda here, there: there.__setitem__(0, here[0]),
        lambda here, there: functional.linear(there, here),
    ],
    ids=["add", "matmul", "array", "cat", "in place", "assignment", "layer"],
)
def test_mixed_devices_are_refused(mix: Callable[..., Any], rows: Tensor, place: Device) -> None:
    message = f"must lie on one device, these lie on cpu and {place}; move them with to\\(device\\)"
    with pytest.raises(ValueError, match=message):
        mix(rows, rows.to(place))


def test_copies_and_pickles(rows: Tensor, place: Device) -> None:
    x = rows.to(place).requires_grad_()
    x.sum().backward()
    twin = copy.deepcopy(x)
    assert twin.device == twin.grad.device == place
    twin.detach().zero_()
    assert x.tolist() == rows.tolist()
    restored = pickle.loads(pickle.dumps(x))
    assert restored.device == minidnn.device("cpu")
    assert restored.tolist() == rows.tolist()


def test_memory_is_exchanged_by_dlpack(rows: Tensor, place: Device) -> None:
    x = rows.to(place)
    shared = minidnn.from_dlpack(x)
    shared[0, 0] = 7
    assert shared.device == place
    assert x[0, 0].item() == 7
    with pytest.raises((BufferError, RuntimeError)):
        np.from_dlpack(x)
    with pytest.raises(TypeError, match="source must speak DLPack, got list"):
        minidnn.from_dlpack([1])


def test_anomalies_are_found(place: Device) -> None:
    with minidnn.anomaly_mode(), pytest.raises(ValueError, match="Logarithm produced -inf"):
        minidnn.zeros(2, device=place).log()


def test_devices_by_name(place: Device) -> None:
    assert minidnn.device(place) is place
    assert str(minidnn.device("cpu")) == "cpu"
    minidnn.synchronize()
    with pytest.raises(TypeError, match="device must be a name such as 'cpu' or a Device, got 3"):
        minidnn.device(3)
