"""Bring your own kernel: the example of docs/race.md passes, and planted faults do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import race
from benchmarks.checks import RefusedError
from kernels import registry

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "my_kernel.py"
FAULTS = [
    ("y += bias[:, None]", "y += 1.001 * bias[:, None]", "relative error .* the bound is"),
    ("y += bias[:, None]", "y += bias[:, None]; x *= 2", "it changed its argument 0"),
    ("y.reshape(batch, -1, height, width)", "y.reshape(batch, -1, width, height)", "shape .* is needed"),
    (
        "y.reshape(batch, -1, height, width)",
        "y.reshape(batch, -1, height, width) * (1 + (__import__('kernels').get_num_threads() > 1) * 1e-7)",
        "other bits on 2 threads than on one",
    ),
    ("groups == 1 and", "groups == 99 and", "my_pointwise takes none of the samples of conv2d_forward"),
]


def test_the_example_is_right_on_every_sample_and_leaves_the_table() -> None:
    before = registry.table()
    with race.loaded(EXAMPLE) as (version,):
        verdict = race.check(version)
        labels = {case.layer.arguments[3].kernel for case in race.cases_for(version)}
    assert (version.operation, version.name, version.backend) == ("conv2d_forward", "my_pointwise", "cpu")
    assert verdict.calls >= 12
    assert verdict.gradients >= 1
    assert verdict.worst <= 1
    assert labels == {(1, 1)}
    assert registry.table() == before


@pytest.mark.parametrize(("right", "wrong", "message"), FAULTS)
def test_a_planted_fault_is_refused(tmp_path, monkeypatch, right: str, wrong: str, message: str) -> None:
    monkeypatch.setattr(race.threads, "available", lambda: 2)
    source = EXAMPLE.read_text()
    assert right in source
    path = tmp_path / "my_kernel.py"
    path.write_text(source.replace(right, wrong))
    with race.loaded(path) as (version,), pytest.raises(RefusedError, match=message):
        race.check(version)


def test_a_wrong_gradient_is_refused(tmp_path) -> None:
    """Of a backward kernel, by differences of the forward one; the samples are not asked here."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from kernels import implements\n"
        "from kernels.activation import tanh_backward\n"
        "@implements(tanh_backward, 'mine', 'forgets the square', backend='cpu')\n"
        "def mine(grad_output, y):\n"
        "    return grad_output * (1 - abs(y))\n"
    )
    message = "mine in tanh, .*: the gradient of input 0 .x. is wrong"
    with race.loaded(path) as (version,), pytest.raises(RefusedError, match=message):
        race.check_gradients(version)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1\n", "mine.py announces no version; decorate one with kernels.implements"),
        (None, "is not a file"),
    ],
)
def test_files_without_a_kernel_are_refused(tmp_path, content, message) -> None:
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message), race.loaded(path):
        pass
