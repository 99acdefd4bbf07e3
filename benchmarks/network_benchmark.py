"""Whole networks at inference: ours, ours fused, PyTorch eager, PyTorch channels_last and ONNX Runtime.

Everyone has the same weights, images and number of threads. Logits are held to PyTorch's in float64. Where
our time goes is measured too (see `in_place`), in passes that are not those of the race.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

import minidnn
from benchmarks import checks, cost, in_place, memory, shapes, twins
from benchmarks.kernel_benchmark import OURS
from benchmarks.machine import Peak
from benchmarks.measuring import Contender, Effort, Timing, interleave
from benchmarks.peers import CHANNELS_LAST, EAGER, without_graph
from benchmarks.results import Row
from benchmarks.twins import Twins
from kernels.array import Array
from models.registry import entry

FUSED, ONNX = "minidnn fused", "onnxruntime"
# Of the largest logit; the tests hold every architecture's float32 logits to it.
BOUND = 1e-4
# A network is measured for so many times longer than a layer, and in so many rounds at least.
LONGER, FEWEST = 30, 5
# So long OpenMP's threads spin at most; ONNX Runtime, in turn after PyTorch, else took twice its time.
REST_SECONDS = 6e-3
# Left alone, ONNX Runtime's threads spin for tens of milliseconds after a run, and whoever is next shares the
# cores with them: networks of many small kernels took twice their time. A millisecond still spans the
# gaps within a run and between two runs, so it costs ONNX Runtime itself nothing.
SHORT_SPIN = ("session.intra_op.spin_duration_us", "1000")

Run = Callable[[], Any]
Read = Callable[[Any], Array]


def measure(network: str, batch: int, peak: Peak, effort: Effort) -> Row:
    """Measure one network and return its row.

    Raises:
        RefusedError: wrong logits, or more speed than the machine has.
    """
    pair = twins.build(network)
    images = pair.images(batch, entry(network).input_shape)
    truth = pair.theirs.forward_only(images.astype(np.float64))
    pair.narrow()
    runs = _contenders(pair, images, peak.threads)
    with minidnn.no_grad(), without_graph():
        before = _errors(runs, truth, "before")
        contenders = [Contender(name, run) for name, (run, _) in runs.items()]
        timings = interleave(contenders, longer(effort, rest=REST_SECONDS))
        parts = in_place.measure(runs[OURS][0], longer(effort, rest=REST_SECONDS))
        after = _errors(runs, truth, "after")
        peaks = {name: memory.peak_bytes(run) for name, (run, _) in runs.items()}
    direct, least = operations(network, batch)
    row: Row = {
        "network": network,
        "batch": batch,
        "direct_operations": direct,
        "bound": BOUND,
        "in_place": parts,
        "contenders": {},
    }
    for name, timing in timings.items():
        checks.check_speed(name, "FLOP", least / timing.median, peak.flops)
        row["contenders"][name] = contender_row(timing, before[name], after[name], peaks[name])
    return row


def longer(effort: Effort, rest: float = 0.0) -> Effort:
    """The effort for a whole network."""
    return replace(effort, seconds=LONGER * effort.seconds, fewest=FEWEST, rest=rest)


def contender_row(timing: Timing, before: float, after: float, peak_bytes: int | None) -> Row:
    """What is kept of one contender."""
    return {**asdict(timing), "error_before": before, "error_after": after, "peak_bytes": peak_bytes}


def operations(network: str, batch: int) -> tuple[int, int]:
    """Operations of a network's layers: by the direct algorithms, and the least that Winograd's leaves."""
    direct = least = 0
    for layer in shapes.of_network(network):
        if layer.mode == "inference":
            arguments = layer.arguments_for(batch)
            direct += layer.multiplicity * cost.direct_operations(layer.operation, arguments)
            least += layer.multiplicity * cost.performed_operations(
                layer.operation, arguments, least_version(layer)
            )
    return direct, least


def least_version(layer: shapes.Layer) -> str:
    """The algorithm with the fewest operations that fits: Winograd's for 3x3 at stride 1."""
    if layer.operation != "conv2d_forward":
        return ""
    window = layer.arguments[3]
    m = cost.LARGEST_TILE
    fits = window.kernel == (3, 3) and window.stride == (1, 1) and window.dilation == (1, 1)
    return f"winograd_{m}x{m}" if fits else ""


def _contenders(pair: Twins, images: Array, threads: int) -> dict[str, tuple[Run, Read]]:
    """By name: a call, and how to read its result."""
    import torch

    ours, theirs = pair.ours.model, pair.theirs.model
    x, tx = minidnn.Tensor(images), torch.from_numpy(images)
    last, last_x = twins.channels_last(theirs), tx.to(memory_format=torch.channels_last)
    runs: dict[str, tuple[Run, Read]] = {OURS: (lambda: ours(x), _our_logits)}
    fuse = getattr(minidnn, "fuse", None)
    if fuse is not None:
        fused = fuse(ours)
        runs[FUSED] = (lambda: fused(x), _our_logits)
    runs[EAGER] = (lambda: theirs(tx), _their_logits)
    runs[CHANNELS_LAST] = (lambda: last(last_x), _their_logits)
    if importlib.util.find_spec("onnxruntime") is not None:
        runs[ONNX] = (_onnx(theirs, tx, threads), lambda result: result[0])
    return runs


def _our_logits(result: Any) -> Array:
    logits: Array = result.numpy()
    return logits


def _their_logits(result: Any) -> Array:
    logits: Array = result.numpy()
    return logits


def _errors(runs: dict[str, tuple[Run, Read]], truth: Array, when: str) -> dict[str, float]:
    return {
        name: checks.check_values(name, when, checks.error([read(run())], [truth]), BOUND)
        for name, (run, read) in runs.items()
    }


def _onnx(model: Any, images: Any, threads: int) -> Run:
    """The network in ONNX Runtime, its graph optimised and its weights packed beforehand."""
    import onnxruntime
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its successor, which needs more packages
        torch.onnx.export(model, (images,), file, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(*SHORT_SPIN)
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, feed)
