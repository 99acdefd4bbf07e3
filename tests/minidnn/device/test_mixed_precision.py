"""Mixed precision where it belongs: on a device a network's steps are the host's within a few halves."""

from __future__ import annotations

from typing import Any

import numpy as np

import minidnn
from minidnn import Device, Tensor, amp, functional, nn, optim


def steps(place: Any, mixed: bool) -> tuple[list[float], np.ndarray]:
    """Losses and weights of three steps from the same weights; the first one overflows if it is mixed."""
    minidnn.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4))
    images, labels = minidnn.randn(3, 2, 6, 6).to(place), minidnn.tensor([3, 0, 1], device=place)
    model.to(place)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scaler = amp.GradScaler(init_scale=2.0**30, backoff_factor=2.0**-20, enabled=mixed)
    losses = []
    for _ in range(3 + mixed):
        optimizer.zero_grad()
        with amp.autocast(mixed):
            loss = functional.cross_entropy(model(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert scaler.get_scale() == (2.0**10 if mixed else 1)
    state = [value.cpu().numpy().ravel() for value in model.parameters()]
    return losses[mixed:], np.concatenate(state)


def test_steps_in_halves_are_the_host_s(place: Device) -> None:
    losses, state = steps(place, mixed=True)
    there, here = steps("cpu", mixed=True), steps("cpu", mixed=False)
    np.testing.assert_allclose(losses, there[0], rtol=2e-3)
    np.testing.assert_allclose(state, there[1], atol=2e-3)
    # They are not float32's, but near.
    assert not np.allclose(state, here[1], atol=1e-6)
    np.testing.assert_allclose(state, here[1], atol=0.02)


def test_halves_are_made_on_the_device(place: Device, generator: np.random.Generator) -> None:
    numbers = np.concatenate(
        [generator.standard_normal(20) * 10.0 ** generator.integers(-9, 6, 20), [np.inf]]
    )
    single = numbers.astype(np.float32)
    with np.errstate(over="ignore"):
        halves = single.astype(np.float16)
    got = Tensor(single).to(place).to(np.float16)
    np.testing.assert_array_equal(got.cpu().numpy(), halves)
    np.testing.assert_array_equal(got.to(np.float32).cpu().numpy(), halves.astype(np.float32))
