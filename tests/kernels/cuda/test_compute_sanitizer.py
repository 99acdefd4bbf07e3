"""compute-sanitizer on a GPU; without one, how it is called and what its answers mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cuda import compute_sanitizer
from tests.kernels.cuda.compute_sanitizer import TOOLS


@pytest.mark.gpu
@pytest.mark.parametrize("tool", TOOLS)
def test_some_samples_on_a_gpu(tool: str) -> None:
    """All of them by script: see compute_sanitizer.py."""
    if lacking := compute_sanitizer.missing():
        pytest.skip(lacking)
    assert compute_sanitizer.run(tool, draw=40) == ""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in compute-sanitizer's place: it keeps its arguments and answers as the test says."""
    program = tmp_path / compute_sanitizer.PROGRAM
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n. {tmp_path}/answer\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "nothing_found"),
    [
        ("echo ========= COMPUTE-SANITIZER; echo done; echo ========= ERROR SUMMARY: 0 errors", True),
        ("echo ========= Invalid __global__ read; echo done; exit 9", False),
        ("echo relu_forward-odd: each: wrong values; echo done", False),
        ("echo ========= COMPUTE-SANITIZER", False),  # it never came to an end
    ],
)
def test_what_its_answers_mean(stand_in: Path, answer: str, nothing_found: bool) -> None:
    (stand_in / "answer").write_text(answer)
    report = compute_sanitizer.run("memcheck", draw=3, only=("pool",))
    assert (report == "") is nothing_found
    given = (stand_in / "arguments").read_text()
    assert given.startswith("--tool memcheck --error-exitcode 9 ")
    assert given.rstrip().endswith("tests.kernels.cuda.sweep gpu --in-this-process --only pool --draw 3")


def test_without_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> None:
        raise ValueError(f"device {name!r} cannot be used")

    monkeypatch.setattr(compute_sanitizer, "find", lacking)
    with pytest.raises(SystemExit, match="device 'gpu' cannot be used"):
        compute_sanitizer.main([])
    monkeypatch.setattr(compute_sanitizer, "find", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert compute_sanitizer.missing() == "compute-sanitizer was not found: install the CUDA toolkit"
