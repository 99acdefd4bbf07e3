"""The table of gradient checks: complete, and every row right."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from minidnn import functional, nn
from minidnn.check_row import LayerCheck
from minidnn.layer_checks import CHECKS, GROUPS, select
from minidnn.numeric_derivative import NotAnalyticError

# Names of nn that need no row, and why.
EXEMPT = {
    "Module": "computes nothing",
    "ModuleList": "computes nothing",
    "Parameter": "computes nothing",
    "LazyConv2d": "becomes a Conv2d at its first call",
    "LazyLinear": "becomes a Linear at its first call",
    "utils": "is no layer",
}


def identity(row: LayerCheck) -> str:
    return f"{row.layer}-{row.configuration}"


def test_every_layer_and_function_has_a_row() -> None:
    covered = {row.layer for row in CHECKS}
    assert set(functional.__all__) - covered == set()
    assert set(nn.__all__) - covered == set(EXEMPT)


def test_rows_are_told_apart() -> None:
    assert len({identity(row) for row in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("row", CHECKS, ids=identity)
def test_fast(row: LayerCheck) -> None:
    report = row.run("fast")
    assert report.passed, report.message
    # Far better than the tolerance: a step or a kink that is badly chosen shows here first.
    assert report.worst_error < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("row", CHECKS, ids=identity)
def test_full(row: LayerCheck, seed: int) -> None:
    report = row.run("full", seed=seed)
    assert report.passed, report.message
    assert report.worst_error < 1e-6


@pytest.mark.slow
def test_complex_steps_wherever_the_kernels_are_analytic() -> None:
    analytic = set()
    for row in CHECKS:
        try:
            report = row.run("full", "complex")
        except NotAnalyticError:
            continue
        assert report.passed, f"{identity(row)}: {report.message}"
        assert report.worst_error < 1e-9, identity(row)
        analytic.add(row.layer)
    must = {"conv2d", "conv_transpose2d", "avg_pool2d", "adaptive_avg_pool2d", "linear", "batch_norm", "tanh"}
    assert must <= analytic
    assert not {"max_pool2d", "relu", "roi_pool", "abs"} & analytic


def test_select_finds_layers_and_groups() -> None:
    assert select([]) == GROUPS
    found = select(["CONV2D", "roi_align"])
    assert list(found) == ["convolution", "regions"]
    assert {row.layer for rows in found.values() for row in rows} == {
        "conv2d",
        "Conv2d",
        "roi_align",
        "RoIAlign",
    }
    assert select(["pooling"]) == {"pooling": GROUPS["pooling"]}


def test_select_offers_near_names() -> None:
    with pytest.raises(ValueError, match=r"^unknown layer 'batchnrom'; did you mean .*batch_norm"):
        select(["conv2d", "batchnrom"])
    with pytest.raises(
        ValueError, match=r"^unknown layer 'xyzzy'; the groups of layers are convolution, pooling"
    ):
        select(["xyzzy"])


def transposed(gradient: np.ndarray) -> np.ndarray:
    return gradient.swapaxes(-1, -2) if gradient.shape[-1] == gradient.shape[-2] else gradient


def without_last_row(gradient: np.ndarray) -> np.ndarray:
    return gradient * (np.arange(gradient.shape[-2]) < gradient.shape[-2] - 1)[:, np.newaxis]


@pytest.mark.parametrize("mode", ["full", "fast"])
@pytest.mark.parametrize(
    ("home", "kernel", "mistake", "layer", "argument"),
    [
        ("convolution", "conv2d_backward_weight", transposed, "conv2d", "weight"),
        ("convolution", "conv2d_backward_input", without_last_row, "conv2d", "x"),
        ("convolution", "conv_transpose2d_backward_weight", np.negative, "conv_transpose2d", "weight"),
        ("pooling", "average_pool2d_backward", without_last_row, "avg_pool2d", "x"),
        ("roi", "roi_align_backward", lambda gradient: 1.01 * gradient, "roi_align", "x"),
        ("normalization", "local_response_norm_backward", np.zeros_like, "local_response_norm", "x"),
    ],
)
def test_a_mistake_in_a_kernel_is_found(
    home: str,
    kernel: str,
    mistake: Any,
    layer: str,
    argument: str,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module(f"minidnn.functional.{home}")
    right = getattr(module, kernel)
    monkeypatch.setattr(module, kernel, lambda *arguments: mistake(right(*arguments)))
    reports = [row.run(mode) for rows in select([layer]).values() for row in rows]
    messages = [report.message for report in reports if not report.passed]
    assert any(f"({argument}) is wrong at index [" in message for message in messages)
