"""A run of one benchmark: threads pinned, peak measured, a file opened, rows measured one by one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import machine, results, threads
from benchmarks.checks import RefusedError
from benchmarks.machine import Peak
from benchmarks.measuring import FULL, QUICK, Effort
from benchmarks.results import Row, Store


@dataclass(frozen=True)
class Job:
    """One row to be measured: its key, what people call it, and how to measure it."""

    key: str
    label: str
    measure: Callable[[], Row]


@dataclass(frozen=True)
class Session:
    """What all benchmarks of a run share.

    Attributes:
        threads: on how many threads everyone runs.
        quick: fewer rounds, for a first look.
        folder: where the results go.
        fresh: forget earlier rows.
        again: measure again what was measured by other sources, and keep the rest of it.
        console: where progress is shown.
    """

    threads: int
    quick: bool
    folder: Path
    fresh: bool
    console: Console
    again: bool = False

    @property
    def effort(self) -> Effort:
        return QUICK if self.quick else FULL

    def open(self, benchmark: str) -> Store:
        """Open the benchmark's file for this machine."""
        header = {
            "benchmark": benchmark,
            "machine": machine.describe(),
            "threads": self.threads,
            "quick": self.quick,
            "sources": results.source_hash(),
            "date": results.today(),
        }
        return Store.open(self.folder / f"{benchmark}.json", header, self.fresh, self.again)

    def measure_peak(self, store: Store) -> Peak:
        """Measure the machine's peak, and keep the best that was ever seen for the file."""
        peak = machine.measure_peak()
        if "peak" in store.header:
            peak = peak.best_with(Peak.from_json(store.header["peak"]))
        store.header["peak"] = peak.to_json()
        rates = f"{peak.flops / 1e9:.0f} GFLOP/s, copying up to {max(peak.copy.values()) / 1e9:.0f} GB/s"
        self.console.print(f"peak on {peak.threads} threads: {rates}")
        return peak

    def run(self, store: Store, jobs: Sequence[Job]) -> int:
        """Measure what is not there yet; 0, or 1 if a row was refused, or 130 after Ctrl-C."""
        todo = [job for job in jobs if not store.has(job.key)]
        if len(todo) < len(jobs):
            self.console.print(f"{len(jobs) - len(todo)} of {len(jobs)} rows are there already")
        # Libraries' objects stay for ever: collections between rows need not look at them again.
        gc.collect()
        gc.freeze()
        try:
            with _progress(self.console) as progress:
                task = progress.add_task("", total=len(todo))
                for job in todo:
                    progress.update(task, description=job.label[:60])
                    self._one(store, job)
                    progress.advance(task)
        except KeyboardInterrupt:
            self.console.print(f"interrupted; {len(store.rows)} rows kept, the same command goes on")
            return 130
        finally:
            gc.unfreeze()
        refused = [job for job in jobs if job.key in store.refused]
        self.console.print(f"{len(store.rows)} rows in {store.path.name}, {len(refused)} refused")
        return 1 if refused else 0

    def _one(self, store: Store, job: Job) -> None:
        try:
            store.add(job.key, job.measure())
        except RefusedError as refusal:
            self.console.print(f"[red]refused[/red] {job.label}: {refusal}")
            store.refuse(job.key, str(refusal))


def start(
    threads_wanted: int | None, quick: bool, folder: Path | None, fresh: bool, again: bool = False
) -> Session:
    """Pin the threads and return the run's session (ValueError above the number of cores)."""
    count = threads_wanted or threads.available()
    threads.pin(count)
    home = folder or results.FOLDER / machine.slug(count)
    return Session(count, quick, home, fresh, Console(stderr=not sys.stdout.isatty()), again)


def _progress(console: Console) -> Progress:
    columns: list[Any] = [BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn()]
    return Progress(*columns, TextColumn("{task.description}"), console=console, transient=True)
