"""Saving and loading: what comes back, what other programs see, and what damaged files do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from minidnn import Tensor, optim, random
from minidnn.nn import Module, Parameter
from minidnn.serialization import load, load_checkpoint, save, save_checkpoint
from tests.program import ENVIRONMENT

NESTED = {
    "array": np.arange(6.0).reshape(2, 3).T,
    "tensor": Tensor(np.array([1, 2**40])),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3)),
    "flags": np.array([True, False]),
    "numbers": {0: 1, 1: np.float64(0.1), 7: 2**127, "nan": float("nan")},
    "sequence": (1, "x", None, [True, (np.ones(2, np.uint8),)]),
    "text": 'with "quotes", a \\ and ünïcode',
    "tensor.": {"": {}},
}


def same(got: Any, want: Any) -> bool:
    if isinstance(want, np.ndarray | Tensor):
        array = np.asarray(want.numpy() if isinstance(want, Tensor) else want)
        return got.dtype == array.dtype and got.shape == array.shape and np.array_equal(got.numpy(), array)
    if isinstance(want, dict):
        return list(got) == list(want) and all(same(got[key], want[key]) for key in want)
    if isinstance(want, list | tuple):
        return type(got) is type(want) and all(same(a, b) for a, b in zip(got, want, strict=True))
    return got == want or (got != got and want != want)


def test_nested_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save(NESTED, tmp_path / "state.safetensors")
    assert same(load(tmp_path / "state.safetensors"), NESTED)


def test_names_that_collide_stay_apart(tmp_path: Path) -> None:
    state = {"a": {"b": np.ones(1)}, "a.b": np.zeros(1), "__metadata__": np.full(1, 2.0)}
    save(state, tmp_path / "state.safetensors")
    assert same(load(tmp_path / "state.safetensors"), state)


def test_other_programs_see_the_arrays_under_dotted_names(tmp_path: Path) -> None:
    save({"layer": {"weight": np.ones((2, 3)).T}, "bias": np.zeros(2)}, tmp_path / "state.safetensors")
    arrays = safetensors.numpy.load_file(tmp_path / "state.safetensors")
    assert {name: array.shape for name, array in arrays.items()} == {"layer.weight": (3, 2), "bias": (2,)}


def test_files_of_other_programs_are_loaded(tmp_path: Path) -> None:
    safetensors.numpy.save_file(
        {"w": np.ones((2, 2), np.float16)}, tmp_path / "other.safetensors", {"by": "me"}
    )
    state = load(tmp_path / "other.safetensors")
    assert list(state) == ["w"]
    assert state["w"].dtype == np.float16
    state["w"].numpy()[...] = 3


class Line(Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = Parameter(np.array([2.0, 3.0]))
        self.register_buffer("offset", Tensor(np.array(1.0)))


def test_modules_are_saved_by_their_state(tmp_path: Path) -> None:
    save(Line(), tmp_path / "line.safetensors")
    other = Line()
    other.slope.data[...] = 0
    other.load_state_dict(load(tmp_path / "line.safetensors"))
    assert other.slope.numpy().tolist() == [2, 3]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1], "state must be a Module or a mapping, got list"),
        ({"a": {"b": object()}}, "state['a.b'] holds a object, which cannot be stored"),
        ({"a": np.ones(2, complex)}, "state['a'] has dtype complex128, which cannot be stored"),
        ({"a": {1.5: 0}}, "state['a'] has the key 1.5; keys must be texts or integers"),
    ],
)
def test_save_refuses_what_cannot_be_stored(tmp_path: Path, state: Any, message: str) -> None:
    path = tmp_path / "state.safetensors"
    save({"old": 1}, path)
    with pytest.raises(TypeError, match=re.escape(message)):
        save(state, path)
    assert load(path) == {"old": 1}


def damaged(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    return {
        "empty": b"",
        "only the length": whole[:8],
        "half a header": whole[:30],
        "half the arrays": whole[:-9],
        "too long": whole + b"x",
        "text": b"this is a letter, not a safetensors file\n" * 20,
        "zip": b"PK\x03\x04" + bytes(range(256)) * 4,
        "header overwritten": whole[:8] + b"\x00" * 40 + whole[48:],
        "half zeros": whole[:9] + b"\x00" * middle,
    }


@pytest.mark.parametrize("kind", damaged(b"x" * 100))
def test_damaged_and_foreign_files_give_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.safetensors"
    save(NESTED, path)
    content = damaged(path.read_bytes())[kind]
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match="is truncated or not a safetensors file|is empty|is a damaged PyTorch file"
    ) as error:
        load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "metadata", ["", "[]", "5", '{"dict": 3}', '{"tensor": "nowhere"}', '{"a": 1, "b": 2}']
)
def test_damaged_metadata_gives_one_line(tmp_path: Path, metadata: str) -> None:
    path = tmp_path / "state.safetensors"
    safetensors.numpy.save_file({"w": np.ones(2)}, path, {"minidnn": metadata})
    with pytest.raises(ValueError, match="has damaged metadata; it was not written by minidnn"):
        load(path)


def test_a_dtype_that_numpy_lacks_gives_one_line(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    path = tmp_path / "float8.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x00\x00")
    with pytest.raises(ValueError, match="holds elements of type F8_E4M3, which NumPy does not have"):
        load(path)


def test_missing_files_and_folders_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape("nothing.safetensors")):
        load(tmp_path / "nothing.safetensors")
    with pytest.raises(IsADirectoryError, match="is a folder, a file is needed"):
        load(tmp_path)
    with pytest.raises(IsADirectoryError, match="is a folder, a file is needed"):
        save({}, tmp_path)
    with pytest.raises(FileNotFoundError, match="state.safetensors cannot be written: there is no folder"):
        save({}, tmp_path / "no" / "state.safetensors")


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    save({"old": np.ones(3)}, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save({"new": np.zeros(3)}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state.safetensors"]


def test_the_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flush the file, rename, flush the folder: in this order."""
    events: list[str] = []
    flush, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("flush"), flush(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("rename"), rename(self, to)))
    save({"a": 1}, tmp_path / "state.safetensors")
    assert events == ["flush", "rename", "flush"]


def test_leftovers_of_killed_runs_are_removed_in_time(tmp_path: Path) -> None:
    old, recent = tmp_path / ".s.safetensors.1.partial", tmp_path / ".s.safetensors.2.partial"
    unrelated = tmp_path / ".other.safetensors.1.partial"
    for path in (old, recent, unrelated):
        path.write_bytes(b"half")
    for path in (old, unrelated):
        os.utime(path, (time.time() - 7200,) * 2)
    save({}, tmp_path / "s.safetensors")
    assert sorted(os.listdir(tmp_path)) == [unrelated.name, recent.name, "s.safetensors"]


WRITER = """
import sys
import numpy as np
from minidnn.serialization import save
print("ready", flush=True)
for number in range(10**9):
    save({"number": number, "array": np.full(50_000, number)}, sys.argv[1])
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save({"number": -1, "array": np.full(50_000, -1)}, path)
    for pause in (0.0, 0.013, 0.031, 0.057):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=ENVIRONMENT
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(pause)
            writer.kill()
        state = load(path)
        assert (state["array"].numpy() == state["number"]).all()


# ---- checkpoints -----------------------------------------------------------------------------------------


def run() -> tuple[Line, optim.SGD, optim.schedule.StepLR]:
    model = Line()
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    return model, optimizer, optim.schedule.StepLR(optimizer, 2)


ARGUMENTS = {"lr": 0.5, "data": None}


def test_a_checkpoint_restores_everything(tmp_path: Path) -> None:
    model, optimizer, schedule = run()
    random.manual_seed(3)
    random.generator().random(5)
    model.slope.grad = Tensor(np.array([1.0, -1.0]))
    optimizer.step()
    schedule.step()
    schedule.step()
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, model, optimizer, schedule, position={"epoch": 4}, arguments=ARGUMENTS)
    draws = random.generator().random(7)

    other, other_optimizer, other_schedule = run()
    position = load_checkpoint(path, other, other_optimizer, other_schedule, arguments=ARGUMENTS)
    assert position == {"epoch": 4}
    assert np.array_equal(random.generator().random(7), draws)
    assert other_schedule.last_epoch == 2
    assert other_optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    for line, update in ((model, optimizer), (other, other_optimizer)):
        line.slope.grad = Tensor(np.array([0.3, 0.7]))
        update.step()
    assert np.array_equal(model.slope.numpy(), other.slope.numpy())


def test_a_checkpoint_insists_on_the_same_arguments(tmp_path: Path) -> None:
    model, optimizer, schedule = run()
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, model, optimizer, schedule, position={}, arguments=ARGUMENTS)
    with pytest.raises(
        ValueError, match=re.escape("was made with lr 0.5, but this run has lr 0.1; resume with")
    ):
        load_checkpoint(path, model, optimizer, schedule, arguments={**ARGUMENTS, "lr": 0.1})
    with pytest.raises(ValueError, match="made with a schedule"):
        load_checkpoint(path, model, optimizer, arguments=ARGUMENTS)


def test_other_files_are_not_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save(Line(), path)
    model, optimizer, schedule = run()
    with pytest.raises(ValueError, match="is not a checkpoint of a training run"):
        load_checkpoint(path, model, optimizer, schedule, arguments=ARGUMENTS)
