"""The pictures of the floors: their parts, and that all of the house is in them."""

from __future__ import annotations

import importlib.util
import itertools
import shutil

import pytest

from tests.docs.pages import DOCS, ROOT

SPEC = importlib.util.spec_from_file_location("draw_floors", DOCS / "draw_floors.py")
assert SPEC is not None
assert SPEC.loader is not None
draw_floors = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(draw_floors)


def test_arrows_that_others_imply_are_left_out() -> None:
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert draw_floors.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


@pytest.mark.parametrize("name", draw_floors.DRAWINGS)
def test_every_picture_is_drawn_and_shown(name: str) -> None:
    text = draw_floors.DRAWINGS[name]()
    assert text.count(" -> ") >= 5
    assert f"](pictures/{name}.svg)" in (DOCS / "architecture.md").read_text()
    assert (DOCS / "pictures" / f"{name}.svg").is_file()


def test_the_engine_is_whole() -> None:
    text = draw_floors.minidnn_picture()
    for path in (ROOT / "minidnn").iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            assert f'"{path.stem}"' in text


def test_the_order_of_imports_that_architecture_md_states() -> None:
    def box(name: str) -> str | None:
        return name.partition(".")[2].partition(".")[0] or None

    graph = draw_floors.grouped(draw_floors.modules("minidnn"), box)
    order = ["modes", "autograd", "operators", "tensor_methods", "tensor", "functional", "nn"]
    for lower, upper in itertools.pairwise(order):
        assert lower in draw_floors.reach(graph, upper)
        assert upper not in draw_floors.reach(graph, lower)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(draw_floors, "PICTURES", tmp_path)
    draw_floors.main()
    assert {path.stem for path in tmp_path.glob("*.svg")} == set(draw_floors.DRAWINGS)
