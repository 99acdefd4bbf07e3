"""In the engine nothing but kernels computes with a tensor's elements: NumPy would not find them on a device.

A walk over the syntax of minidnn/ finds every call of a NumPy function and every store into a tensor's array.
What is left of them is listed here with its reason; an exception that nothing needs any more fails too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parent.parent / "minidnn"

# Functions of dtypes, shapes and NumPy's own settings, which see no elements.
WITHOUT_ELEMENTS = {"broadcast_shapes", "dtype", "errstate", "finfo", "promote_types"}

# Folders and files that work on arrays of their own in host memory, which belong to no tensor on a device.
ON_THE_HOST = {
    "data": "reads files and prepares batches, before they are sent to a device",
    "detection": "boxes, masks and targets are host arrays, for no gradient passes through them",
    "explanation": "the numbers of worked examples, in host memory; their layers compute by operations",
    "fusion": "folds batch norms in float64, and compares two results, on copies in host memory",
    "tracing": "looks at copies in host memory of what kernels computed, and draws upstream gradients",
    "receptive_field": "adds up a gradient that was brought to the host",
    "gradient_flow.py": "norms from the statistics of gradients, which are host numbers",
    "statistics.py": "looks at elements in host memory",
    "check_row.py": "draws a check's inputs",
    "gradcheck.py": "judges the kernels, so it computes without them, on what the host was given",
    "layer_checks.py": "the table of a check's inputs",
    "numeric_derivative.py": "as gradcheck.py",
    "visualisation": "makes pictures, in host memory, of what models gave; the models compute by operations",
    "mapped_file.py": "views of files",
    "torch_files.py": "views of files",
    "random.py": "the generator's state",
}

# Single functions elsewhere.
SINGLE = {
    "creation.py": {"array": "copies what a user hands in", "from_dlpack": "of the host's memory"},
    "operators/indexing.py": {"asarray": "reads indices that are lists or numbers"},
    "tensor_methods/indexing.py": {"asarray": "reads values that are numbers or lists"},
    "tensor_methods/interchange.py": {
        "array": "for NumPy, of what `numpy()` gave",
        "array2string": "prints a copy in host memory",
    },
    "tensor_methods/promotion.py": {"asarray": "reads operands that are lists"},
    "tensor_methods/reading.py": {"array": "reads numbers and lists", "asarray": "likewise"},
    "serialization.py": {"asarray": "of arrays that were brought to the host to be stored"},
}

FILES = sorted(path for path in ENGINE.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ENGINE).as_posix()


def numpy_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every call np.NAME(...) or np.MODULE.NAME(...)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names, function = [], node.func
            while isinstance(function, ast.Attribute):
                names.append(function.attr)
                function = function.value
            if isinstance(function, ast.Name) and function.id in ("np", "numpy") and names:
                yield node.lineno, ".".join(reversed(names))


def stores(tree: ast.AST) -> Iterator[int]:
    """The lines that write into `something.data[...]` or `something._array[...]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                held = target.value if isinstance(target, ast.Subscript) else None
                if isinstance(held, ast.Attribute) and held.attr in ("data", "_array"):
                    yield node.lineno


def is_on_the_host(path: Path) -> bool:
    name = relative(path)
    return name in ON_THE_HOST or name.split("/")[0] in ON_THE_HOST


@pytest.mark.parametrize("path", [path for path in FILES if not is_on_the_host(path)], ids=relative)
def test_elements_are_left_to_kernels(path: Path) -> None:
    tree = ast.parse(path.read_text())
    allowed = WITHOUT_ELEMENTS | SINGLE.get(relative(path), {}).keys()
    found = [f"line {line}: np.{name}" for line, name in numpy_calls(tree) if name not in allowed]
    found += [f"line {line}: a store into a tensor's array" for line in stores(tree)]
    assert not found, f"{relative(path)} computes with NumPy: {', '.join(found)}"


def test_every_exception_is_needed() -> None:
    trees = {relative(path): ast.parse(path.read_text()) for path in FILES}
    called = {path: {name for _, name in numpy_calls(tree)} for path, tree in trees.items()}
    for name in ON_THE_HOST:
        assert any(names for path, names in called.items() if name in (path, path.split("/")[0])), name
    for path, functions in SINGLE.items():
        assert functions.keys() <= called[path], path
    assert set().union(*called.values()) >= WITHOUT_ELEMENTS


def test_the_walk_finds_what_is_forbidden() -> None:
    tree = ast.parse("y = np.linalg.norm(x)\nx.data[0] = 1\nx._array[...] += 2\nx.grad = np.dtype(int)")
    assert list(numpy_calls(tree)) == [(1, "linalg.norm"), (4, "dtype")]
    assert list(stores(tree)) == [2, 3]
