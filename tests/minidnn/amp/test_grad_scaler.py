"""The loss scaler: its rule by hand, beside PyTorch's, and in the training loop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, amp, manual_seed, nn, optim
from minidnn.data import ArrayDataset, DataLoader
from minidnn.nn.utils import clip_grad_norm_
from minidnn.training import Trainer, TrainingInterrupted
from tests.minidnn.training.run import LineReport


def weight(*values: float) -> Tensor:
    return Tensor(np.array(values, np.float32), requires_grad=True)


def give(parameter: Tensor, *gradient: float) -> None:
    parameter.grad = Tensor(np.array(gradient, np.float32))


def test_it_scales_the_loss_and_unscales_the_gradient() -> None:
    scaler, parameter = amp.GradScaler(init_scale=8), weight(1.0, 2.0)
    optimizer = optim.SGD([parameter], lr=0.5)
    loss = (parameter * parameter).sum()
    assert scaler.scale(loss).item() == 8 * 5
    scaler.scale(loss).backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [16, 32]
    scaler.unscale_(optimizer)
    assert parameter.grad.tolist() == [2, 4]
    scaler.step(optimizer)
    assert parameter.tolist() == [0, 0]


@pytest.mark.parametrize("broken", [np.inf, -np.inf, np.nan])
def test_a_step_with_a_broken_gradient_is_left_out(broken: float) -> None:
    scaler, parameter = amp.GradScaler(init_scale=8, growth_interval=2), weight(1.0, 2.0)
    optimizer = optim.SGD([parameter], lr=1.0)
    scales = []
    for gradient in (8.0, broken, 8.0, 8.0, 8.0):
        give(parameter, 0.0, gradient)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    # The broken one halves the scale and begins the count of whole ones again.
    assert scales == [8, 4, 4, 8, 8]
    assert parameter.tolist() == [1, 2 - (1 + 2 + 2 + 1)]


def test_each_optimizer_is_judged_alone_and_the_scale_by_all() -> None:
    scaler, one, other = amp.GradScaler(init_scale=8), weight(1.0), weight(1.0)
    for parameter, gradient in ((one, np.inf), (other, 8.0)):
        give(parameter, gradient)
        scaler.step(optim.SGD([parameter], lr=0.5))
    scaler.update()
    assert (one.item(), other.item(), scaler.get_scale()) == (1, 0.5, 4)


def test_the_scale_stays_within_float32() -> None:
    scaler, parameter = amp.GradScaler(init_scale=2.0**127, growth_interval=1), weight(1.0)
    give(parameter, 1.0)
    scaler.step(optim.SGD([parameter], lr=0.0))
    scaler.update()
    assert scaler.get_scale() == 2.0**127


def test_the_scale_stays_above_nothing() -> None:
    scaler, parameter = amp.GradScaler(init_scale=2.0**-124), weight(1.0)
    for gradient in (*[np.nan] * 40, scaler.get_scale()):
        give(parameter, gradient)
        scaler.step(optim.SGD([parameter], lr=0.0))
        scaler.update()
    assert scaler.get_scale() == np.finfo(np.float32).tiny


def test_a_new_scale_is_taken_as_it_is() -> None:
    scaler = amp.GradScaler()
    scaler.update(new_scale=12)
    assert scaler.get_scale() == 12


def test_what_is_not_enabled_passes_everything_on() -> None:
    scaler, parameter = amp.GradScaler(enabled=False), weight(1.0)
    optimizer, loss = optim.SGD([parameter], lr=0.5), parameter.sum()
    assert scaler.scale(loss) is loss
    give(parameter, 1.0)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    assert (parameter.item(), scaler.get_scale(), scaler.is_enabled(), scaler.state_dict()) == (
        0.5,
        1,
        False,
        {},
    )


def stepped() -> tuple[amp.GradScaler, optim.SGD]:
    scaler, parameter = amp.GradScaler(), weight(1.0)
    optimizer = optim.SGD([parameter], lr=0.5)
    give(parameter, 1.0)
    scaler.step(optimizer)
    return scaler, optimizer


def half_gradient() -> optim.SGD:
    parameter = weight(1.0)
    parameter.grad = Tensor(np.ones(1, np.float16))
    return optim.SGD([parameter], lr=0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: amp.GradScaler(init_scale=0), ValueError, "init_scale must be above 0, got 0"),
        (lambda: amp.GradScaler(growth_factor=1), ValueError, "growth_factor must be above 1, got 1"),
        (lambda: amp.GradScaler(backoff_factor=1.0), ValueError, "backoff_factor must be below 1, got 1.0"),
        (lambda: amp.GradScaler(growth_interval=0), ValueError, "growth_interval must be at least 1, got 0"),
        (lambda: amp.GradScaler().update(), ValueError, "update needs a step (or unscale_) of an optimizer"),
        (lambda: amp.GradScaler().update(-1), ValueError, "new_scale must be above 0, got -1"),
        (lambda: amp.GradScaler().step(optim.SGD([weight(1.0)])), ValueError, "with gradients, got none"),
        (
            lambda: amp.GradScaler().step(half_gradient()),
            TypeError,
            "must be float32 or float64, got float16",
        ),
        (lambda: amp.GradScaler.step(*stepped()), ValueError, "step was already called for this optimizer"),
        (lambda: amp.GradScaler.unscale_(*stepped()), ValueError, "unscale_ was already called for this"),
        (lambda: amp.GradScaler().load_state_dict({}), ValueError, "must have scale, growth_factor,"),
    ],
)
def test_refuses(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.reference
def test_it_goes_as_pytorch_s(generator: np.random.Generator) -> None:
    """The same gradients, every fifth broken: the same scales, weights and states after every step."""
    torch = pytest.importorskip("torch")
    options = {"init_scale": 24.0, "growth_factor": 1.5, "backoff_factor": 0.25, "growth_interval": 3}
    scaler, theirs = amp.GradScaler(**options), torch.amp.GradScaler("cpu", **options)
    parameter, twin = weight(0.5, -1.0, 2.0), torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    optimizer, other = (
        optim.SGD([parameter], lr=0.1, momentum=0.9),
        torch.optim.SGD([twin], lr=0.1, momentum=0.9),
    )
    for step in range(60):
        factors = generator.standard_normal(3).astype(np.float32)
        if generator.random() < 0.2:
            factors[generator.integers(3)] = generator.choice([np.inf, -np.inf, np.nan])
        optimizer.zero_grad()
        other.zero_grad()
        scaler.scale((parameter * factors).sum()).backward()
        theirs.scale((twin * torch.from_numpy(factors)).sum()).backward()
        if step % 2:
            scaler.unscale_(optimizer)
            theirs.unscale_(other)
        scaler.step(optimizer)
        theirs.step(other)
        scaler.update()
        theirs.update()
        np.testing.assert_allclose(parameter.detach().numpy(), twin.detach().numpy(), rtol=1e-5)
        mine, wanted = scaler.state_dict(), theirs.state_dict()
        assert mine == pytest.approx(wanted, rel=1e-6)
    resumed = amp.GradScaler()
    resumed.load_state_dict(theirs.state_dict())
    assert resumed.state_dict() == theirs.state_dict()


# ---- in the training loop ----------------------------------------------------------------------------------


def regression(checkpoint: Path | None, scaler: amp.GradScaler | None, report: Any = None) -> Trainer:
    """A classifier of vectors by their largest number; gradients are clipped, and summed over two batches."""
    manual_seed(3)
    numbers = np.random.default_rng(8).standard_normal((40, 6)).astype(np.float32)
    samples = ArrayDataset(numbers, numbers[:, :3].argmax(axis=1))
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    return Trainer(
        model,
        optim.SGD(model.parameters(), lr=0.2, momentum=0.9),
        DataLoader(samples, 8, shuffle=True, seed=2),
        DataLoader(samples, 40),
        checkpoint=checkpoint,
        clip_gradients=lambda parameters: clip_grad_norm_(parameters, 1.0),
        accumulate=2,
        scaler=scaler,
        report=report,
    )


def weights(trainer: Trainer) -> np.ndarray:
    return np.concatenate([value.numpy().ravel() for value in trainer.model.state_dict().values()])


def test_a_run_in_mixed_precision_follows_the_one_in_float32() -> None:
    """Clipping sees unscaled gradients, whatever the scale; halves have eleven bits."""
    single = regression(None, None)
    single.fit(2)
    mixed = regression(None, amp.GradScaler(init_scale=2.0**10))
    mixed.fit(2)
    moved = weights(single) - weights(regression(None, None))
    difference = np.abs(weights(mixed) - weights(single)).max()
    assert 0 < difference < 0.01 * np.abs(moved).max()


def test_a_scale_that_is_too_large_is_found_out() -> None:
    """The first steps overflow in float16 and are left out; the run still learns."""
    scaler = amp.GradScaler(init_scale=2.0**30)
    trainer = regression(None, scaler)
    history = trainer.fit(8)
    assert scaler.get_scale() < 2.0**22
    assert history[-1].train_loss < 0.9 * history[0].train_loss
    assert np.isfinite(weights(trainer)).all()


class Stop(LineReport):
    def batch(self, epoch: int, batch: int, totals: Any) -> None:
        if (epoch, batch) == (2, 4):
            raise TrainingInterrupted("stopped")


def test_a_stopped_run_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minidnn.training import loop

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    path = tmp_path / "run.safetensors"
    whole = regression(None, amp.GradScaler(init_scale=2.0**24, growth_interval=2))
    whole.fit(3)
    with pytest.raises(TrainingInterrupted):
        regression(path, amp.GradScaler(init_scale=2.0**24, growth_interval=2), Stop()).fit(3)
    resumed = regression(path, amp.GradScaler(init_scale=2.0**24, growth_interval=2))
    resumed.fit(3, resume=True)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.scaler is not None
    assert whole.scaler is not None
    assert resumed.scaler.state_dict() == whole.scaler.state_dict()
    with pytest.raises(ValueError, match="mixed precision True, but this run has mixed precision None"):
        regression(path, None).fit(3, resume=True)
