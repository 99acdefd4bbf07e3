"""A run: resumed, interrupted, refused."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.checks import RefusedError
from benchmarks.results import Store
from benchmarks.session import Job, Session
from tests.benchmarks.test_results import HEADER


@pytest.fixture
def session(tmp_path) -> Session:
    return Session(1, True, tmp_path, False, Console(file=io.StringIO(), width=200))


def output(session: Session) -> str:
    return session.console.file.getvalue()


def jobs(*behaviours) -> list[Job]:
    return [Job(f"row {i}", f"row {i}", behaviour) for i, behaviour in enumerate(behaviours)]


def interrupt() -> dict:
    raise KeyboardInterrupt


def refuse() -> dict:
    raise RefusedError("above the peak")


def test_ctrl_c_keeps_what_was_measured_and_the_next_run_goes_on(session: Session) -> None:
    path = session.folder / "kernels.json"
    measured: list[int] = []

    def row(number: int):
        def measure() -> dict:
            measured.append(number)
            return {"value": number}

        return measure

    assert session.run(Store.open(path, HEADER), jobs(row(0), interrupt, row(2))) == 130
    assert "interrupted; 1 rows kept" in output(session)
    assert Store.read(path).rows == {"row 0": {"value": 0}}
    assert session.run(Store.open(path, HEADER), jobs(row(0), row(1), row(2))) == 0
    assert measured == [0, 1, 2]
    assert list(Store.read(path).rows) == ["row 0", "row 1", "row 2"]


def test_a_refused_row_fails_the_run_but_not_the_others(session: Session) -> None:
    path = session.folder / "kernels.json"
    store = Store.open(path, HEADER)
    assert session.run(store, jobs(refuse, lambda: {"value": 1})) == 1
    assert "refused row 0: above the peak" in output(session)
    again = Store.read(path)
    assert (list(again.rows), again.refused) == (["row 1"], {"row 0": "above the peak"})
    assert session.run(Store.open(path, HEADER), jobs(lambda: {"value": 0}, refuse)) == 0
