"""Compiled kernels on disk: found again, never stale, never half written, never from a stranger."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.registry import cpu_target

from kernels import registry
from kernels.cpu import cache_folder, compilation, kernel_store
from kernels.cpu.kernel_store import identity
from tests.kernels.cpu.project_copy import ProjectCopy, finished


@pytest.fixture
def project(tmp_path: Path) -> ProjectCopy:
    return ProjectCopy(tmp_path)


def kept_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_second_process_loads(project: ProjectCopy) -> None:
    assert project.run() == "7.0 compiled"
    files = kept_files(project.cache)
    assert project.run() == "7.0 loaded"
    assert kept_files(project.cache) == files
    assert project.cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("imported", "called"),
    [
        ("from kernels.callee import factor", "factor"),
        ("from kernels import callee\nfactor = callee.factor", "factor"),
        ("import kernels.callee as other\nfactor = other.factor", "factor"),
    ],
    ids=["name", "module", "module under another name"],
)
def test_an_edited_callee_in_another_file_is_noticed(
    project: ProjectCopy, imported: str, called: str
) -> None:
    project.import_as(imported, called)
    assert project.run() == "7.0 compiled"
    project.callee.write_text(project.callee.read_text().replace("x * 2", "x * 4"))
    assert project.run() == "13.0 compiled"
    project.callee.write_text(project.callee.read_text().replace("x * 4", "x * 2"))
    assert project.run() == "7.0 loaded"


def flipped(content: bytes) -> bytes:
    """The content with one bit changed in its middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: b"", lambda content: bytes(len(content)), flipped],
    ids=["truncated", "empty", "zeros", "a flipped bit"],
)
def test_damaged_files_are_not_read(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x.kernel"
    kernel_store._write(path, b"content")
    assert kernel_store._read(path) == b"content"
    path.write_bytes(damage(path.read_bytes()))
    assert kernel_store._read(path) is None


def test_damaged_files_are_written_again(project: ProjectCopy) -> None:
    project.run()
    files = kept_files(project.cache)
    for name, content in files.items():
        (project.cache / name).write_bytes(flipped(content))
    assert project.run() == "7.0 compiled"
    assert kept_files(project.cache).keys() == files.keys()
    assert project.run() == "7.0 loaded"


def test_processes_that_compile_at_the_same_time(project: ProjectCopy) -> None:
    processes = [project.start() for _ in range(4)]
    for process in processes:
        assert finished(process).startswith("7.0 ")
    assert all(name.endswith(".kernel") for name in kept_files(project.cache))
    assert project.run() == "7.0 loaded"


SCALINGS = """
import sys
import numpy as np
from kernels.cpu.compilation import parallel, share_of

def scaling(factor):
    @parallel
    def kernel(task, tasks, y, x):
        y, x = share_of(y, task, tasks), share_of(x, task, tasks)
        for i in range(y.size):
            y[i] = factor * x[i]
    return kernel

for factor in map(float, sys.argv[1:]):
    y = np.empty(6)
    scaling(factor)(2, y, np.ones(6))
    print(y.tolist())
"""


def test_kernels_that_different_processes_compiled_stay_apart(project: ProjectCopy) -> None:
    """Of one name and of one signature, each the first that its process compiled."""
    (project.folder / "kernels" / "scalings.py").write_text(SCALINGS)
    program = "import sys; sys.argv[1:] = {!r}; import kernels.scalings"
    two, three = [2.0] * 6, [3.0] * 6
    assert project.run(program.format(["2"])) == str(two)
    assert project.run(program.format(["3"])) == str(three)
    assert project.run(program.format(["2", "3"])).splitlines() == [str(two), str(three)]


FORKED = """
import os
from numba.core import bytecode
import kernels.cpu.kernel_store

child = os.fork()
if child:
    os.waitpid(child, 0)
print(next(bytecode.FunctionIdentity._unique_ids), flush=True)
"""


def test_forked_processes_compile_under_names_of_their_own(project: ProjectCopy) -> None:
    one, other = map(int, project.run(FORKED).splitlines())
    assert abs(one - other) > 1000


# ---- the folder ------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files; the chosen folder is forgotten before and after."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(folder))
    cache_folder._safe_folder.cache_clear()
    yield folder
    cache_folder._safe_folder.cache_clear()


def stand_in(temporary: Path) -> Path:
    return temporary / f"minidnn-{os.getuid()}"


def test_the_folder_is_the_users_own(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIDNN_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MINIDNN_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_folder.cache_folder() == tmp_path / "shared" / "minidnn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder.cache_folder() == tmp_path / "home" / ".cache" / "minidnn"


def test_a_user_without_a_home(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MINIDNN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder.cache_folder() == stand_in(temporary)


def test_where_nothing_can_be_written_temporary_files_serve(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MINIDNN_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert cache_folder.cache_folder() == stand_in(temporary)


def test_where_others_can_write_nothing_is_read(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("MINIDNN_CACHE_DIR", str(open_to_all))
    assert cache_folder.cache_folder() == stand_in(temporary)


def test_a_strangers_folder_is_refused(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIDNN_CACHE_DIR", str(tmp_path / "theirs"))
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)  # whatever is made now belongs to somebody else
    assert cache_folder.cache_folder() is None


def test_without_any_folder_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_store, "cache_folder", lambda: None)

    @compilation.compiled
    def twice(x: float) -> float:
        return x * 2

    assert twice(4.0) == 8.0


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    kernel_store._write(tmp_path / "x.kernel", b"content")
    assert not kept_files(tmp_path)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    kernel_store._write(tmp_path / "x.kernel", b"content")
    assert not kept_files(tmp_path)


# ---- the key ---------------------------------------------------------------------------------------


def test_functions_of_one_line_differ() -> None:
    roots, exponentials = lambda x: np.sqrt(x), lambda x: np.exp(x)
    ones, twos = lambda x: x + 1, lambda x: x + 2
    pairs, triples = lambda x: x in (1, 2), lambda x: x in (1, 3)
    late, later = lambda x, y=1: x + y, lambda x, y=2: x + y
    functions = [roots, exponentials, ones, twos, pairs, triples, late, later]
    assert len({identity(function) for function in functions}) == len(functions)


def test_functions_of_a_factory_differ_by_what_they_hold() -> None:
    def factory(held: Any) -> Callable[[float], float]:
        return lambda x: held(x) if callable(held) else held * x

    compiled_one = compilation.compiled(lambda x: x - 1)
    compiled_two = compilation.compiled(lambda x: x - 2)
    parallel_one = compilation.parallel(lambda task, tasks, x: None)
    parallel_two = compilation.parallel(lambda task, tasks, x: 5)
    held = [1, 2, lambda x: x, lambda x: -x, compiled_one, compiled_two, parallel_one, parallel_two]
    assert len({identity(factory(value)) for value in held}) == len(held)


def test_the_compilers_options_are_part_of_the_key() -> None:
    def total(x: Any) -> float:
        return float(x.sum())

    stores = [compilation.compiled(total)._cache, compilation.compiled(total, summing=True)._cache]
    codegen = cpu_target.target_context.codegen()
    assert len({store._path("(float64)", codegen) for store in stores}) == 2


def test_every_kernel_has_a_key_that_another_process_finds() -> None:
    """Addresses, and sets in the order of this process's hashes, would make every process compile again."""
    registry.table()
    stores = [held for held in gc.get_objects() if type(held) is kernel_store._Store]
    assert len(stores) > 50
    for store in stores:
        assert " at 0x" not in identity(store._function)
        options = [kernel_store._ordered(value) for value in store._options.values()]
        assert not any(isinstance(value, set | frozenset) for value in options)
