"""One picture per floor of the house, drawn from the folders and imports as they are.

    python docs/draw_floors.py        # writes docs/pictures/*.svg; needs Graphviz's `dot`

A box is a file, a folder or a group of files; an arrow says that something in it imports something in the
other box. Arrows that others imply are left out. Files never import each other in a circle; where groups of
them do, the arrow goes where most imports go.
"""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
STYLE = """\
  graph [rankdir=TB, bgcolor=white, pad=0.3, nodesep=0.25, ranksep=0.45, fontname="Helvetica"];
  node [shape=box, style="rounded,filled", fillcolor="#eef3fb", color="#5b7db1"];
  node [fontname="Helvetica", fontsize=11];
  edge [color="#8a97ab", arrowsize=0.6];
"""
# A module's box, or None for what the picture leaves out.
Grouping = Callable[[str], str | None]
Graph = dict[str, set[str]]


def modules(*floors: str) -> dict[str, Path]:
    """Every module of these folders by its dotted name; a package's own file has the package's name."""
    found = {}
    for floor in floors:
        for path in sorted((ROOT / floor).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Iterable[str]) -> set[str]:
    """The known modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names & set(known)


def grouped(files: Mapping[str, Path], grouping: Grouping) -> Graph:
    """Which boxes import which, from the imports of their files."""
    counts: Counter[tuple[str, str]] = Counter()
    boxes = {box for box in map(grouping, files) if box}
    for name, path in files.items():
        box = grouping(name)
        targets = imported(path, files)
        # `from package import module` names both; what is meant is the module.
        targets = {t for t in targets if not any(other.startswith(f"{t}.") for other in targets)}
        for other in {grouping(target) for target in targets} - {box, None}:
            if box:
                counts[box, str(other)] += 1
    graph: Graph = {box: set() for box in boxes}
    for box, other in sorted(counts, key=lambda pair: (-counts[pair], pair)):
        if box not in reach(graph, other):
            graph[box].add(other)
    return graph


def reach(graph: Graph, start: str) -> set[str]:
    """Every box to which arrows lead from one, itself included."""
    seen, stack = set(), [start]
    while stack:
        box = stack.pop()
        if box not in seen:
            seen.add(box)
            stack.extend(graph[box])
    return seen


def reduced(graph: Graph) -> Graph:
    """Without the arrows that a longer way implies."""
    return {
        box: {
            other for other in others if not any(other in reach(graph, next_) for next_ in others - {other})
        }
        for box, others in graph.items()
    }


def dot(graph: Graph, labels: Mapping[str, str]) -> str:
    """The picture in Graphviz's language."""
    lines = [f'  "{box}" [label="{labels.get(box, box)}"];' for box in sorted(graph)]
    lines += [f'  "{box}" -> "{other}";' for box in sorted(graph) for other in sorted(graph[box])]
    return "digraph floor {\n" + STYLE + "\n".join(lines) + "\n}\n"


# ---- the floors ------------------------------------------------------------------------------------


def kernels_picture() -> str:
    """Operations by the files of their folders, and what these stand on."""
    files = modules("kernels")
    folders = sorted(path.parent.name for path in (ROOT / "kernels").glob("*/reference.py"))
    roles = {"reference": "reference.py", "cpu": "cpu*.py", "gpu": "gpu*.py, *.cu"}

    def box(name: str) -> str | None:
        parts = name.split(".")
        if len(parts) == 1 or parts[1] == "creation":
            return None
        if parts[1] in ("cpu", "cuda"):
            return f"kernels/{parts[1]}/"
        if parts[1] not in folders:
            return "registry.py" if parts[1] == "registry" else "shared"
        if len(parts) == 2:
            return "contracts"
        return roles.get(parts[2].split("_")[0], "shared")

    graph = reduced(grouped(files, box))
    per_backend = {
        role: sum((ROOT / "kernels" / folder / f"{stem}.py").exists() for folder in folders)
        for stem, role in roles.items()
    }
    shared = sorted(name.split(".")[1] for name in files if box(name) == "shared" and name.count(".") == 1)
    labels = {
        "contracts": f"__init__.py: the contracts\\n{len(folders)} folders\\n\\n" + columns(folders, 4),
        "shared": "what operations share\\n" + columns(shared, 4),
        "registry.py": "registry.py\\n(operation, backend, version) -> function",
        "kernels/cpu/": "kernels/cpu/\\nvectors, tiles, threads",
        "kernels/cuda/": "kernels/cuda/\\nlaunching, headers, the emulator",
        "reference.py": f"reference.py\\nNumPy: {per_backend['reference.py']} folders",
        "cpu*.py": f"cpu*.py\\nNumba: {per_backend['cpu*.py']} folders",
        "gpu*.py, *.cu": f"gpu*.py, *.cu\\nCUDA: {per_backend['gpu*.py, *.cu']} folders",
    }
    return dot(graph, labels)


def columns(names: Iterable[str], across: int) -> str:
    """Names as lines of a label."""
    names = list(names)
    rows = [", ".join(names[i : i + across]) for i in range(0, len(names), across)]
    return "\\n".join(rows)


def minidnn_picture() -> str:
    """Files and folders of the engine."""

    def box(name: str) -> str | None:
        parts = name.split(".")
        return None if len(parts) == 1 else parts[1]

    graph = reduced(grouped(modules("minidnn"), box))
    labels = {name: f"{name}/" if (ROOT / "minidnn" / name).is_dir() else f"{name}.py" for name in graph}
    return dot(graph, labels)


def models_picture() -> str:
    """Architectures and the parts that several of them share."""
    program = ("command_line", "explorer", "summary", "weights", "conversion", "preprocessing", "published")
    program += ("verification", "labels", "registry")

    def box(name: str) -> str | None:
        parts = name.split(".")
        return None if len(parts) == 1 or parts[1] in program else parts[1]

    graph = reduced(grouped(modules("models"), box))
    used = {other for others in graph.values() for other in others}
    simple: dict[str, list[str]] = {}
    for name in sorted(graph):
        if name not in used and len(graph[name]) <= 1:
            simple.setdefault("".join(graph[name]), []).append(name)
    kept = {
        name: others for name, others in graph.items() if not any(name in group for group in simple.values())
    }
    labels = {}
    for shared, group in simple.items():
        kept[f"group {shared}"] = {shared} - {""}
        labels[f"group {shared}"] = columns(group, 3)
    return dot(kept, labels)


def judges_picture() -> str:
    """What stands on top of the floors, and which of them it looks at."""
    files = modules("kernels", "minidnn", "models", "tests", "benchmarks", "examples")

    def box(name: str) -> str | None:
        parts = name.split(".")
        if parts[0] != "tests":
            return parts[0]
        return f"tests/{parts[1]}" if len(parts) > 2 else "tests: tools, whole-house rules"

    return dot(reduced(grouped(files, box)), {})


DRAWINGS: dict[str, Callable[[], str]] = {
    "kernels": kernels_picture,
    "minidnn": minidnn_picture,
    "models": models_picture,
    "judges": judges_picture,
}


def main() -> None:
    """Write every picture."""
    for name, draw in DRAWINGS.items():
        svg = subprocess.run(
            ["dot", "-Tsvg"], input=draw(), capture_output=True, text=True, check=True
        ).stdout
        (PICTURES / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
