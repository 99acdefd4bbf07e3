"""Results on disk: whole after every row, resumed, never mixed."""

from __future__ import annotations

import json

import pytest

from benchmarks.results import Store

HEADER = {"machine": {"cpu": "x"}, "threads": 2, "quick": False, "sources": "abc", "date": "2026-01-01"}


def test_every_row_is_on_disk_when_it_was_added(tmp_path) -> None:
    path = tmp_path / "inner" / "kernels.json"
    store = Store.open(path, HEADER)
    store.add("one", {"value": 1})
    assert json.loads(path.read_text())["rows"] == {"one": {"value": 1}}
    store.add("two", {"value": 2})
    again = Store.read(path)
    assert (again.rows, again.header) == ({"one": {"value": 1}, "two": {"value": 2}}, HEADER)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path) -> None:
    store = Store.open(tmp_path / "kernels.json", HEADER)
    store.add("one", {"value": 1})
    with pytest.raises(TypeError):
        store.add("two", {"value": object()})
    assert Store.read(store.path).rows == {"one": {"value": 1}}


def test_a_run_goes_on_where_it_stopped_and_keeps_its_date(tmp_path) -> None:
    path = tmp_path / "kernels.json"
    Store.open(path, HEADER).add("one", {"value": 1})
    store = Store.open(path, {**HEADER, "date": "2026-02-02"})
    assert store.rows == {"one": {"value": 1}}
    assert store.header["date"] == "2026-01-01"
    assert Store.open(path, HEADER, fresh=True).rows == {}


@pytest.mark.parametrize(
    "change", [{"machine": {"cpu": "y"}}, {"threads": 1}, {"quick": True}, {"sources": "d"}]
)
def test_rows_of_something_else_are_never_mixed_in(tmp_path, change) -> None:
    path = tmp_path / "kernels.json"
    Store.open(path, HEADER).add("one", {"value": 1})
    (name,) = change
    with pytest.raises(ValueError, match=f"kernels.json was measured with another {name} .*--fresh"):
        Store.open(path, {**HEADER, **change})


def test_rows_of_other_sources_are_measured_again_where_asked_and_name_theirs(tmp_path) -> None:
    path = tmp_path / "kernels.json"
    first = Store.open(path, HEADER)
    first.add("one", {"value": 1})
    first.add("two", {"value": 2})
    new = {**HEADER, "sources": "d", "date": "2026-02-02"}
    store = Store.open(path, new, again=True)
    assert not store.has("one")
    store.add("one", {"value": 3})
    assert Store.read(path).rows == {
        "one": {"value": 3, "sources": "d", "date": "2026-02-02"},
        "two": {"value": 2},
    }
    assert Store.read(path).header == HEADER
    resumed = Store.open(path, new, again=True)
    assert resumed.has("one")
    assert not resumed.has("two")
    assert resumed.later() == [resumed.rows["one"]]
    # By the sources of the header: what was measured later is what would have to be measured again.
    assert [Store.open(path, HEADER).has(key) for key in ("one", "two")] == [False, True]


def test_again_mixes_no_other_machine_in(tmp_path) -> None:
    path = tmp_path / "kernels.json"
    Store.open(path, HEADER).add("one", {"value": 1})
    with pytest.raises(ValueError, match="another threads"):
        Store.open(path, {**HEADER, "threads": 1}, again=True)


def test_refused_rows_are_noted_and_measured_again(tmp_path) -> None:
    path = tmp_path / "kernels.json"
    store = Store.open(path, HEADER)
    store.add("one", {"value": 1})
    store.refuse("one", "too fast")
    assert (Store.read(path).rows, Store.read(path).refused) == ({}, {"one": "too fast"})
    again = Store.open(path, HEADER)
    again.add("one", {"value": 2})
    assert (Store.read(path).rows, Store.read(path).refused) == ({"one": {"value": 2}}, {})
