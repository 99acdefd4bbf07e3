"""What traces are written as: table, JSON, Chrome's events, graphs, HTML."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import minidnn
from minidnn import Tensor, nn
from minidnn.tracing import Trace
from tests.minidnn.tracing.networks import CASES, traced

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def printed(trace: Trace) -> list[list[str]]:
    """The cells of the table, row by row."""
    console = Console(width=400, file=io.StringIO())
    with console.capture() as capture:
        console.print(trace.table())
    lines = [line for line in capture.get().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_table_has_a_row_per_operation_and_sums() -> None:
    rows = printed(traced("lenet5"))
    assert len(rows) == 13
    assert rows[0][:6] == ["c1", "Conv2d", "2x6x28x28", "156", "235.2 k", "45.4 KiB"]
    assert rows[8][1:6] == ["Reshape", "2x120", "", "", "view"]
    assert rows[-1][:5] == ["12 operations", "", "", "61,706", "833 k"]
    first = traced("lenet5").operations[0].outputs[0].statistics
    assert rows[0][9] == f"{first.mean:.2g} ± {first.standard_deviation:.2g}"


@pytest.mark.parametrize("name", CASES)
def test_json_holds_every_field(name: str, tmp_path: Path) -> None:
    trace = traced(name)
    trace.to_json(tmp_path / "trace.json")
    content = json.loads((tmp_path / "trace.json").read_text())
    assert content["format"] == "minidnn trace, version 1"
    assert len(content["operations"]) == len(trace.operations)
    for stored, record in zip(content["operations"], trace.operations, strict=True):
        assert stored.keys() == vars(record).keys() - {"arrays"}
        assert stored["parents"] == list(record.parents)
        assert stored["forward_source"] == {
            "file": record.forward_source.file,
            "line": record.forward_source.line,
        }
        output = record.outputs[0].statistics
        assert stored["outputs"][0]["statistics"]["mean"] == output.mean
        assert stored["outputs"][0]["statistics"]["counts"] == list(output.counts)
    assert [module["path"] for module in content["modules"]] == [module.path for module in trace.modules]


def test_json_has_no_infinities(tmp_path: Path) -> None:
    class Clips(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.clamp(min=-np.inf)

    trace = minidnn.trace(Clips(), np.ones(3, np.float32), backward=False)
    trace.to_json(tmp_path / "trace.json")
    text = (tmp_path / "trace.json").read_text()
    assert json.loads(text)["operations"][0]["arguments"]["low"] == "-inf"
    assert not re.search(r"\b(NaN|Infinity)\b", text)


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        traced("lenet5").to_json(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CASES)
def test_chrome_events_nest(name: str, tmp_path: Path) -> None:
    """The fields that the format asks for; on a thread, bars lie one in the other or apart."""
    trace = traced(name)
    trace.to_chrome(tmp_path / "trace.json")
    content = json.loads((tmp_path / "trace.json").read_text())
    events = content["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    assert {event["ph"] for event in events} == {"M", "X"}
    for bar in bars:
        assert isinstance(bar["name"], str)
        assert bar["ts"] >= 0
        assert bar["dur"] >= 0
        assert {bar["pid"], bar["tid"]} <= {1, 2}
    for thread in (1, 2):
        ends: list[float] = []
        for bar in (bar for bar in bars if bar["tid"] == thread):
            while ends and bar["ts"] >= ends[-1] - 1e-6:
                ends.pop()
            assert all(bar["ts"] + bar["dur"] <= end + 1e-3 for end in ends), bar
            ends.append(bar["ts"] + bar["dur"])
    operations = [bar for bar in bars if bar["cat"] == "operation"]
    assert [bar["name"] for bar in operations if bar["tid"] == 1] == [
        record.function for record in trace.operations
    ]
    spent = sum(record.forward_seconds + (record.backward_seconds or 0) for record in trace.operations)
    assert sum(bar["dur"] for bar in operations) == pytest.approx(1e6 * spent)
    last = max(bar["ts"] + bar["dur"] for bar in bars)
    assert last == pytest.approx(1e6 * spent)
    backward = [bar["args"]["module"] for bar in operations if bar["tid"] == 2]
    assert backward[0] in {record.module for record in trace.operations if record.makes_result}


def nodes_and_edges(dot: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    nodes = dict(re.findall(r'^(\w+) \[label="(.*)"\];$', dot, re.MULTILINE))
    edges = set(re.findall(r"^(\w+) -> (\w+);$", dot, re.MULTILINE))
    return nodes, edges


def test_the_graph_of_lenet() -> None:
    nodes, edges = nodes_and_edges(traced("lenet5").to_dot())
    assert len(nodes) == 12
    chain = ["input", *(f"n{index}" for index in range(12)), "output"]
    assert edges == set(itertools.pairwise(chain))
    assert nodes["n0"].startswith(r"c1: Conv2d\n2x6x28x28\n156 parameters\n235.2 k mult-adds\n")
    assert nodes["n8"].startswith(r"Reshape\n2x120\n")


def test_folding_sums_a_module_up() -> None:
    """A projection's convolution (6 x 4) and batch norm (12): 36 parameters, 4 x 3 x 6 x 4 products twice."""
    trace = traced("residual block")
    nodes, edges = nodes_and_edges(trace.to_dot(depth=1))
    (folded,) = (name for name, label in nodes.items() if label.startswith("downsample"))
    assert nodes[folded].startswith(r"downsample: Sequential\n2x6x4x3\n36 parameters\n576 mult-adds\n")
    assert ("input", folded) in edges
    open_nodes, _ = nodes_and_edges(trace.to_dot())
    assert len(open_nodes) == len(nodes) + 1
    assert not any(label.startswith("bn1: Add") for label in open_nodes.values())  # counts batches
    assert trace.to_dot().count("subgraph") == 1


def test_folding_closes_no_circles() -> None:
    """LeNet's one activation stands between all layers."""
    for name in CASES:
        for depth in (1, 2, None):
            _, edges = nodes_and_edges(traced(name).to_dot(depth))
            targets: dict[str, set[str]] = {}
            for start, end in edges:
                targets.setdefault(start, set()).add(end)
            seen = {"input"}
            front = targets.get("input", set())
            for _ in range(len(edges)):
                seen |= front
                front = {end for start in front for end in targets.get(start, ())}
            assert not front, (name, depth)
            assert "output" in seen


@needs_dot
@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_graphviz_draws_every_node(name: str, depth: int | None, tmp_path: Path) -> None:
    trace = traced(name)
    trace.to_svg(tmp_path / "graph.svg", depth=depth)
    root = xml.etree.ElementTree.parse(tmp_path / "graph.svg").getroot()
    drawn = {
        element.findtext("{*}title")
        for element in root.iter("{http://www.w3.org/2000/svg}g")
        if element.get("class") == "node"
    }
    nodes, _ = nodes_and_edges(trace.to_dot(depth))
    assert drawn == {*nodes, "input", "output"}


@needs_dot
def test_names_are_quoted() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module('a "quoted" \\ <name>', nn.Sequential(nn.Linear(2, 2), nn.Tanh()))

        def forward(self, x: Tensor) -> Tensor:
            return next(self.children())(x)

    dot = minidnn.trace(Odd(), np.ones((1, 2), np.float32)).to_dot()
    drawn = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, check=True).stdout
    text = "".join(xml.etree.ElementTree.fromstring(drawn).itertext())
    assert 'a "quoted" ' in text
    assert " <name>" in text


def test_without_graphviz_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="to_svg needs the program dot of Graphviz"):
        traced("lenet5").to_svg(tmp_path / "graph.svg")
    assert list(tmp_path.iterdir()) == []


def test_a_depth_must_be_positive() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1"):
        traced("lenet5").to_dot(depth=0)
    with pytest.raises(TypeError, match="depth"):
        traced("lenet5").to_dot(depth=1.5)


class Balanced(HTMLParser):
    """Every tag is closed, in order; collects the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_traces_in_jupyter() -> None:
    page = Balanced(traced("lenet5")._repr_html_())
    assert page.texts.count("Conv2d") == 3
    assert "12 operations" in page.texts


def test_tensors_in_jupyter() -> None:
    tensor = Tensor(np.float32([[1.5, 0.0, np.inf]]), requires_grad=True)
    texts = Balanced(tensor._repr_html_()).texts
    facts = dict(zip(texts[::2], texts[1::2], strict=False))
    assert facts["shape"] == "1 x 3"
    assert facts["dtype"] == "float32"
    assert facts["requires_grad"] == "True"
    assert facts["minimum, maximum"] == "0, 1.5"
    assert facts["zeros"] == "1 of 3"
    assert facts["NaN or infinite"] == "1"
    assert texts[-1] == repr(tensor)
    computed = Balanced((tensor * 2.0)._repr_html_()).texts
    assert computed[computed.index("computed by") + 1] == "Multiply"
    assert "grad_fn=<Multiply>" in computed[-1]
    assert Balanced(Tensor(np.zeros((0, 2), np.float32))._repr_html_()).texts[:2] == ["shape", "0 x 2"]
    assert Balanced(Tensor(np.float32(3))._repr_html_()).texts[1] == "a number"


def test_modules_in_jupyter() -> None:
    shared = nn.Linear(3, 3)
    texts = Balanced(nn.Sequential(shared, nn.ReLU(), shared)._repr_html_()).texts
    assert texts[:3] == ["path", "module", "parameters"]
    assert "Linear(in_features=3, out_features=3, bias=True)" in texts
    assert texts[-1] == "12"
