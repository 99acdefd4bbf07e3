"""Peak memory of a training step, in a process of its own.

    python -m benchmarks.training_memory minidnn resnet50 --batch 8

Prints, as JSON, the resident memory after the imports and before anything is built, and the process's
high-water mark after two steps (the second has the optimiser's momentum). The difference is what the training
needed: parameters, gradients, momentum, activations and scratch. The marks are the kernel's VmHWM, which,
unlike ru_maxrss, does not begin with what the parent process held when it started this one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np

import models
from benchmarks import memory, threads, twins
from benchmarks.results import Row
from models.registry import entry
from tests.reference import digest
from tests.reference.catalogue import references

SIDES = ("minidnn", "pytorch")
STEPS = 2


def measure(network: str, batch: int, thread_count: int) -> Row:
    """Peak bytes of both sides, each from a fresh process."""
    found = {}
    for side in SIDES:
        command = [sys.executable, "-m", "benchmarks.training_memory", side, network]
        command += ["--batch", str(batch), "--threads", str(thread_count)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[side] = json.loads(output)
    return {"network": network, "batch": batch, "steps": STEPS, "contenders": found}


def probe(side: str, network: str, batch: int) -> dict[str, int]:
    """Train in this process, and tell resident memory before and the peak after."""
    # One small step first: libraries load code and start threads on first use.
    _train(side, "lenet5", 1)
    before = memory.read_status("VmRSS")
    _train(side, network, batch)
    peak = memory.read_status("VmHWM")
    return {"baseline_bytes": before, "mark_bytes": peak, "peak_bytes": peak - before}


def _train(side: str, network: str, batch: int) -> None:
    """Build one side's network, as its library initialises it, and take STEPS steps."""
    images = np.random.default_rng(0).standard_normal((batch, *entry(network).input_shape), np.float32)
    step: twins.Step
    if side == "minidnn":
        step = twins.OurStep(digest.Ours(models.create(network)), images)
    else:
        reference = references()[network]
        step = twins.TheirStep(digest.Theirs(reference.build(), reference.key), images)
    step.network.train(True)
    for _ in range(STEPS):
        step()


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of a training step.")
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=threads.available())
    arguments = parser.parse_args()
    threads.pin(arguments.threads)
    print(json.dumps(probe(arguments.side, arguments.network, arguments.batch)))


if __name__ == "__main__":
    main()
