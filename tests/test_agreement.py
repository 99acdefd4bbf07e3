"""The agreement matrix's parts: what it extracts, how it measures, prints, reads back and compares."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

import kernels
from kernels import registry
from tests import agreement
from tests.agreement import Page, Row, alike, differences, edge_contract, in_words, parse, render

KEY = ("linear", "linear_forward", "reference", "matmul")


def page() -> Page:
    errors = {"float32": "1e-07", "float64": "exact", "PyTorch": "1e-16"}
    rows = {
        ("linear", "linear_forward", "reference", "loops"): Row("by hand", dict(errors)),
        KEY: Row("a | b in one", dict(errors)),
        ("pool2d", "max_pool2d_forward", "reference", "loops"): Row("by hand", dict(errors)),
    }
    return Page(rows, {"linear_forward": "N may be 0: a, b.", "max_pool2d_forward": "pads with -inf."})


def test_edge_contract_is_taken_from_the_docstring() -> None:
    def contract() -> None:
        """Return something.

        Shapes: x (N,).
        Edge contract: the first line,
            the second | line.
        Source: a paper.

        Raises:
            ValueError: never.
        """

    assert edge_contract(contract) == "the first line, the second | line."

    def silent() -> None:
        """Return something."""

    assert edge_contract(silent) == ""


def test_every_operation_has_an_edge_contract() -> None:
    for operation in kernels.operations():
        assert edge_contract(registry.contract(operation)), operation


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "not measured"),
        (0.0, "exact"),
        (1.1e-16, "1e-16"),
        (4e-16, "1e-15"),
        (2e-7, "1e-07"),
        (1.0, "1e+00"),
    ],
)
def test_errors_in_words(error: float | None, words: str) -> None:
    assert in_words(error) == words


def test_page_is_read_back_as_written() -> None:
    assert parse(render(page())) == page()
    assert differences(page(), parse(render(page()))) == []


@pytest.mark.parametrize(
    ("column", "now", "then", "verdict"),
    [
        ("float64", "1e-16", "1e-15", True),
        ("float64", "exact", "1e-15", True),
        ("float64", "exact", "1e-14", False),
        ("float64", "1e-18", "1e-15", True),
        ("float64", "1e-13", "1e-15", False),
        ("float32", "exact", "1e-07", True),
        ("float32", "1e-06", "exact", False),
        ("PyTorch", "not measured", "not measured", True),
        ("PyTorch", "1e-16", "not measured", False),
    ],
)
def test_one_order_of_magnitude_is_the_same(column: str, now: str, then: str, verdict: bool) -> None:
    assert alike(column, now, then) is verdict
    assert alike(column, then, now) is verdict


def test_each_difference_is_named() -> None:
    now, then = page(), page()
    now.rows[KEY].errors["float64"] = "1e-09"
    now.rows[KEY].idea = "new"
    now.edges["max_pool2d_forward"] = "pads with zero."
    then.rows["linear", "linear_forward", "cpu", "old"] = then.rows.pop(
        ("linear", "linear_forward", "reference", "loops")
    )
    assert differences(now, then) == [
        "linear linear_forward cpu old: no longer registered",
        "linear linear_forward reference loops: not on the page",
        "linear linear_forward reference matmul: float64 error 1e-09, the page says exact",
        "linear linear_forward reference matmul: the idea is 'new', the page says 'a | b in one'",
        "max_pool2d_forward: the edge contract is 'pads with zero.', the page says 'pads with -inf.'",
    ]


def test_what_cannot_be_measured_keeps_the_committed_word() -> None:
    now, then = page(), page()
    now.rows[KEY].errors["PyTorch"] = "not measured"
    agreement.keep_unmeasured(now, then)
    assert now == then


def test_measuring_finds_a_planted_error_and_skips_what_does_not_fit() -> None:
    contract = registry.contract("linear_backward_bias")

    @kernels.implements(
        contract, "biased", "a planted error", backend="reference", fits=lambda dy: len(dy) == 5
    )
    def biased(grad_output: np.ndarray) -> np.ndarray:
        return grad_output.sum(axis=0) * np.asarray(1 + 1e-5, grad_output.dtype)

    @kernels.implements(contract, "absent", "fits nothing", backend="cpu", fits=lambda dy: False)
    def absent(grad_output: np.ndarray) -> np.ndarray:
        raise AssertionError("must not run")

    try:
        rows = agreement.measure(["linear_backward_bias"]).rows
    finally:
        for backend in ("reference", "cpu"):
            ladder = registry._versions["linear_backward_bias", backend]
            ladder[:] = [row for row in ladder if row.name not in ("biased", "absent")]
    found = {version: row.errors for (_, _, _, version), row in rows.items()}
    assert found["biased"]["float64"] == found["biased"]["float32"] == "1e-05"
    assert found["loops"]["float64"] == "exact"
    assert found["loops"]["float32"] in ("1e-07", "1e-08", "exact")
    assert set(found["absent"].values()) == {"not measured"}


def test_a_wrong_shape_ends_the_measurement() -> None:
    contract = registry.contract("linear_backward_bias")

    @kernels.implements(contract, "misshapen", "a planted error", backend="reference")
    def misshapen(grad_output: np.ndarray) -> np.ndarray:
        return grad_output

    try:
        with pytest.raises(SystemExit, match="linear_backward_bias-ragged: reference misshapen is wrong: sh"):
            agreement.measure(["linear_backward_bias"])
    finally:
        ladder = registry._versions["linear_backward_bias", "reference"]
        ladder[:] = [row for row in ladder if row.name != "misshapen"]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(agreement, "PAGE", tmp_path / "docs" / "agreement.md")
    monkeypatch.setattr(agreement, "measure", lambda operations: copy.deepcopy(page()))
    assert agreement.main(["--check"]) == 1
    assert agreement.main([]) == 0
    assert agreement.main(["--check"]) == 0
    text = agreement.PAGE.read_text()
    agreement.PAGE.write_text(text.replace("| exact |", "| 1e-10 |"))
    assert agreement.main(["--check"]) == 1
    agreement.PAGE.write_text(text.replace("Every version", "Some versions"))
    capsys.readouterr()
    assert agreement.main(["--check"]) == 1
    assert "edited by hand" in capsys.readouterr().out
