"""The GPU's benchmark as far as it goes without one: which calls, rows from a made-up clock, refusals.

The kernels run on the emulator; only the clock and PyTorch's side stand in for what a GPU would say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import kernels
from benchmarks import gpu_benchmark, gpu_machine, gpu_targets, targets
from benchmarks.arguments import ArraySpec
from benchmarks.cases import Case
from benchmarks.checks import RefusedError
from benchmarks.figures import Results
from benchmarks.gpu_timing import Contender, race
from benchmarks.machine import Peak
from benchmarks.measuring import Effort
from benchmarks.results import Store
from benchmarks.shapes import Layer
from kernels.activation import relu_forward
from kernels.cuda import emulator
from kernels.device import EMULATOR
from kernels.window import Window
from tests.benchmarks.made_up_clock import MadeUpClock, needs_compiler

EFFORT = Effort(seconds=1.0, fewest=2, most=5)
RATES = dict.fromkeys(gpu_machine.SIZES, 1e12)
PEAK = Peak(132, 6e13, RATES, RATES)
CONVOLUTION = Layer(
    "resnet50",
    "inference",
    "conv",
    "conv2d_forward",
    (ArraySpec((1, 3, 6, 5)), ArraySpec((4, 3, 3, 3)), None, Window.of(3, 1, 1), 1),
)
RELU = Layer("resnet50", "inference", "relu", "relu_forward", (ArraySpec((1, 3, 6, 5)),))


# ---- which calls -------------------------------------------------------------------------------------


def test_sums_are_those_of_two_networks_at_one_batch_size() -> None:
    chosen = gpu_benchmark.select("conv2d", None, 64)
    assert {case.layer.network for case in chosen} == {"resnet50", "vgg16"}
    assert {case.batch for case in chosen} == {64}
    assert {case.operation for case in chosen} == {
        "conv2d_forward",
        "conv2d_backward_input",
        "conv2d_backward_weight",
    }
    only = gpu_benchmark.select("conv2d_forward", "alexnet", 16)
    assert {(case.layer.network, case.batch) for case in only} == {("alexnet", 16)}


@pytest.mark.parametrize("operation", ["pool2d", "depthwise_conv2d", "batch_norm", "concat"])
def test_what_is_bound_by_memory_is_large(operation: str) -> None:
    chosen = gpu_benchmark.select(operation, None, 64)
    assert chosen
    for case in chosen:
        first = next(gpu_benchmark._arrays(case.layer.arguments_for(case.batch)))
        assert 4 * math.prod(first.shape) >= gpu_benchmark.LARGE
        assert 4 * math.prod((case.batch - 1, *first.shape[1:])) < gpu_benchmark.LARGE
    counts = [sum(case.operation == name for case in chosen) for name in {case.operation for case in chosen}]
    assert max(counts) <= gpu_benchmark.LAYERS_EACH


def test_regions_and_losses_keep_their_batch() -> None:
    for case in gpu_benchmark.select("roi_align", None, 64):
        assert case.batch == case.layer.arguments[0].shape[0] == 1


# ---- time --------------------------------------------------------------------------------------------


def test_contenders_take_turns_and_settings_hold_while_they_run() -> None:
    seen, held = [], []

    class Settings:
        def __enter__(self) -> None:
            held.append(True)

        def __exit__(self, *_: object) -> None:
            held.pop()

    contenders = [
        Contender("a", lambda: seen.append(("a", bool(held)))),
        Contender("b", lambda: seen.append(("b", bool(held))), Settings),
    ]
    # three warm-up calls each, then a and b in turn
    clock = MadeUpClock(9.0, 9.0, 0.25, 9.0, 9.0, 0.25, 1.0, 2.0, 1.0, 4.0)
    timings = race(contenders, Effort(1.0, 1, 2), clock)
    assert seen[:6] == [("a", False)] * 3 + [("b", True)] * 3
    assert seen[6:] == [("a", False), ("b", True)] * 2
    a, b = timings["a"], timings["b"]
    assert (a.median, a.rounds, a.launch) == (1.0, 2, 0.01)
    assert (b.median, b.ratios["a"], a.ratios["b"]) == (3.0, 3.0, (0.5 + 0.25) / 2)


@needs_compiler
def test_the_peak_kernel_computes_what_it_says() -> None:
    out = emulator.empty(2 * gpu_machine.THREADS, np.float32)
    gpu_machine.multiply_add(out, 3, factor=0.5, term=2.0)
    # x -> x / 2 + 2 three times: x / 8 + 3.5
    assert np.array_equal(out.get(), np.full(out.size, sum(i / 8 + 3.5 for i in range(gpu_machine.CHAINS))))


@needs_compiler
def test_the_peak_is_work_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_machine, "TURNS", 2)
    monkeypatch.setattr(gpu_machine, "SIZES", (1 << 12,))
    peak = gpu_machine.measure_peak(MadeUpClock(1e-3), EMULATOR, multiprocessors=1)
    threads = gpu_machine.BLOCKS_EACH * gpu_machine.THREADS
    assert peak.flops == pytest.approx(2 * gpu_machine.CHAINS * 2 * threads / 1e-3)
    assert peak.copy == {1 << 12: pytest.approx((1 << 12) / 1e-3)}


# ---- rows --------------------------------------------------------------------------------------------


@needs_compiler
def test_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_benchmark, "theirs", lambda operation, moved: [])
    case = Case(CONVOLUTION, "conv2d_forward", 2)
    row = gpu_benchmark.measure(case, EMULATOR, MadeUpClock(1e-6), PEAK, EFFORT)
    assert row["direct_operations"] == 2 * 2 * 4 * 30 * 27
    assert row["bytes"] == 4 * (2 * 3 * 30 + 4 * 27 + 2 * 4 * 30)
    ours = row["contenders"]["minidnn"]
    assert ours["median"] == 1e-6
    assert ours["launch"] == pytest.approx(1e-8)
    assert ours["bytes_per_second"] == pytest.approx(row["bytes"] / 1e-6)
    assert ours["copy_share"] == pytest.approx(row["bytes"] / 1e-6 / 1e12)
    assert ours["version"].startswith("gpu ")
    assert ours["error"] < 1e-5
    tf32 = [name for name in kernels.versions("conv2d_forward", "gpu") if name.endswith("tf32")]
    assert set(row["contenders"]) <= {"minidnn", *(["minidnn tf32"] if tf32 else [])}


@needs_compiler
def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_benchmark, "theirs", lambda operation, moved: [])
    case = Case(CONVOLUTION, "conv2d_forward", 2)
    with pytest.raises(
        RefusedError, match=r"minidnn reports .* GFLOP/s, the machine's measured peak is 60000"
    ):
        gpu_benchmark.measure(case, EMULATOR, MadeUpClock(1e-12), PEAK, EFFORT)

    @kernels.implements(relu_forward, "crooked", "wrong", backend="gpu")
    def crooked(x: Any) -> Any:
        return x

    try:
        with pytest.raises(RefusedError, match="minidnn is wrong before timing"):
            gpu_benchmark.measure(Case(RELU, "relu_forward", 2), EMULATOR, MadeUpClock(1.0), PEAK, EFFORT)
    finally:
        kernels.registry.withdraw("relu_forward", "gpu", "crooked")


def test_pytorch_sums_in_four_ways() -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(4)
    x, weight = (generator.standard_normal(shape, np.float32) for shape in ((2, 3, 6, 5), (4, 3, 3, 3)))
    arguments = (x, weight, None, Window.of(3, 1, 1), 1)
    found = gpu_benchmark.theirs("conv2d_forward", arguments)
    assert [entrant.contender.name for entrant in found] == [
        "pytorch",
        "pytorch autotuned",
        "pytorch tf32",
        "pytorch tf32 autotuned",
    ]
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with found[3].contender.settings():
        assert torch.backends.cudnn.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.benchmark
        got = found[3].contender.run().numpy()
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == before
    with kernels.use(backend="reference"):
        want = kernels.registry.contract("conv2d_forward")(*arguments)
    assert np.allclose(got, want, atol=1e-5)
    assert len(gpu_benchmark.theirs("relu_forward", (x,))) == 1


# ---- aims --------------------------------------------------------------------------------------------


def contender(median: float, others: dict[str, float], share: float = 0.5) -> dict[str, Any]:
    return {"median": median, "copy_share": share, "ratios": {name: median / m for name, m in others.items()}}


def test_aims_read_the_rows() -> None:
    times = {
        "minidnn": 2.0,
        "minidnn tf32": 1.0,
        "pytorch": 1.8,
        "pytorch autotuned": 1.5,
        "pytorch tf32": 0.5,
    }
    rows = {
        "a": {
            "operation": "conv2d_forward",
            "network": "vgg16",
            "label": "",
            "bytes": 1 << 30,
            "contenders": {name: contender(median, times) for name, median in times.items()},
        },
        "b": {
            "operation": "relu_forward",
            "network": "vgg16",
            "label": "",
            "bytes": 1 << 27,
            "contenders": {
                "minidnn": contender(1.0, {"pytorch": 1.1}, 0.9),
                "pytorch": contender(1.1, {"minidnn": 1.0}),
            },
        },
        "c": {
            "operation": "relu_forward",
            "network": "vgg16",
            "label": "",
            "bytes": 1 << 20,
            "contenders": {"minidnn": contender(1.0, {}, 0.1)},  # too small to count
        },
    }
    steps = {
        "minidnn": 3.0,
        "minidnn tf32": 2.0,
        "pytorch": 2.4,
        "pytorch autotuned": 1.8,
        "pytorch tf32": 1.6,
    }
    training = {
        "resnet50 batch 64": {
            "network": "resnet50",
            "batch": 64,
            "contenders": {name: contender(median, steps) for name, median in steps.items()},
        }
    }
    stores = {"gpu": stored(rows), "gpu_training": stored(training)}
    outcomes = targets.outcomes(Results(stores), gpu_targets.TARGETS)
    values = [outcome.value for outcome in outcomes]
    assert values == pytest.approx([0.9, 1.1, 0.75, 0.5, 0.6, 0.8])
    assert [outcome.reached for outcome in outcomes] == [True, True, False, False, False, True]


def stored(rows: dict[str, Any]) -> Store:
    store = Store.__new__(Store)
    store.rows = rows
    return store


# ---- without a GPU -----------------------------------------------------------------------------------


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ValueError(f"device {name!r} cannot be used: CuPy is not installed")

    monkeypatch.setattr(gpu_machine.device, "find", missing)
    with pytest.raises(ValueError, match="device 'gpu' cannot be used: CuPy is not installed"):
        gpu_machine.require()


def test_without_pytorch_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(gpu_machine.device, "find", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"torch .* finds none: install its build for your version of CUDA"):
        gpu_machine.require()


def test_results_are_kept_by_gpu_and_kernels() -> None:
    assert gpu_machine.slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
    header = gpu_machine.header("gpu", {"name": "NVIDIA H100"}, threads=2, quick=False)
    assert header["machine"]["gpu"] == {"name": "NVIDIA H100"}
    assert header["sources"].endswith(gpu_machine._kernel_hash())
