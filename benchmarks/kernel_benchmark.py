"""Kernels, one call at a time: `python -m benchmarks kernels` and `python -m benchmarks ladder`.

Every case is a call recorded from a network, or one of its backward calls. Our default choice is raced
against the peers and against the other versions of our ladder; a convolution also on prepared weights.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import checks, cost, memory
from benchmarks.cases import Case, copied, outputs
from benchmarks.machine import Peak
from benchmarks.measuring import Contender, Effort, interleave
from benchmarks.peers import peers, without_graph
from benchmarks.preparation import Prepared, prepare
from benchmarks.results import Row
from benchmarks.threads import has_torch
from kernels import registry
from kernels.array import Array
from kernels.registry import Version

OURS, YOURS = "minidnn", "yours"
PREPARED = "minidnn prepared"
# Versions slower than this many times the default are left to the ladder.
SLOW = 20
SEED = 7


@dataclass(frozen=True)
class Entrant:
    """A contender with what is needed to check it.

    Attributes:
        contender: its name and timed call.
        outputs: makes the call on fresh copies of what it writes, and returns the arrays it gives.
        version: of ours, the version's name: it says what it performs.
        comparable: whether its values are the reference's.
    """

    contender: Contender
    outputs: Any
    version: str = ""
    comparable: bool = True

    @property
    def name(self) -> str:
        return self.contender.name


def measure(
    case: Case,
    backend: str | None,
    peak: Peak,
    effort: Effort,
    every_version: bool = False,
    yours: Sequence[Version] = (),
) -> Row:
    """Measure one case and return its row.

    Args:
        case: the call.
        backend: which of our backends runs; None: the fastest version that fits, of any.
        peak: what no result may exceed.
        effort: how long.
        every_version: race all versions of the ladder, however slow.
        yours: versions that are not on our ladder, but in the race.

    Raises:
        RefusedError: wrong values, or more speed than the machine has.
    """
    arguments = case.draw(SEED)
    truth = case.truth(arguments)
    bound = checks.rounding_bound(cost.reduction_length(case.operation, arguments))
    with registry.use(backend=backend), without_graph():
        entrants = _entrants(case, arguments, backend, every_version, yours)
        before = {entrant.name: _error(entrant, truth, bound, "before") for entrant in entrants}
        if not every_version:
            entrants = _fast_enough(entrants)
        timings = interleave([entrant.contender for entrant in entrants], effort)
        after = {entrant.name: _error(entrant, truth, bound, "after") for entrant in entrants}
        peaks = {entrant.name: memory.peak_bytes(entrant.contender.run) for entrant in entrants}
    direct = cost.direct_operations(case.operation, arguments)
    moved = cost.moved_bytes(arguments, _measured_type(truth))
    row: Row = {
        "operation": case.operation,
        "forward": case.layer.operation,
        "network": case.layer.network,
        "layer": case.layer.key,
        "label": case.label,
        "batch": case.batch,
        "version": entrants[0].version,
        "direct_operations": direct,
        "bytes": moved,
        "intensity": direct / moved,
        "bound": bound,
        "contenders": {},
    }
    for entrant in entrants:
        timing = timings[entrant.name]
        performed = cost.performed_operations(case.operation, arguments, entrant.version)
        checks.check_speed(entrant.name, "FLOP", performed / timing.median, peak.flops)
        checks.check_speed(entrant.name, "B", moved / timing.median, peak.bandwidth_at(moved))
        row["contenders"][entrant.name] = {
            **asdict(timing),
            "version": entrant.version,
            "performed_operations": performed,
            "flops": performed / timing.median,
            "bytes_per_second": moved / timing.median,
            "roofline": peak.seconds(performed, moved) / timing.median,
            "error_before": before[entrant.name],
            "error_after": after[entrant.name],
            "peak_bytes": peaks[entrant.name],
        }
    return row


def _measured_type(truth: Sequence[Array]) -> list[Array]:
    """The outputs in the type that is measured: the truth is wider."""
    return [y.astype(np.float32) if y.dtype == np.float64 else y for y in truth]


def _entrants(
    case: Case, arguments: Sequence[Any], backend: str | None, every_version: bool, yours: Sequence[Version]
) -> list[Entrant]:
    """Ours first, then the rest of our ladder, other people's versions, and the peers."""
    contract = registry.contract(case.operation)
    chosen = registry.choose(contract, *arguments)
    # What a call writes drifts while it is timed; the arguments that checks use stay as they were drawn.
    timed = [copied(a) if i in case.writes else a for i, a in enumerate(arguments)]
    found = [
        Entrant(
            Contender(OURS, partial(contract, *timed)),
            partial(outputs, case.operation, arguments),
            _version_name(chosen),
        )
    ]
    prepared = prepare(case.operation, arguments)
    if prepared is not None:
        found.append(_prepared_entrant(PREPARED, prepared))
    every = every_version or bool(yours)
    for version in _ladder(case.operation, chosen, backend, every):
        if version.fits(*arguments):
            ready = _prepared_rung(version, case, arguments)
            # What counts of a rung is the run; the ladder shows also what preparing costs it.
            if every or not ready:
                found.append(_version_entrant(OURS, version, case, timed, arguments))
            found += ready
    for version in yours:
        if version.fits(*arguments):
            found.append(_version_entrant(YOURS, version, case, timed, arguments))
    if has_torch():
        for peer in peers(case.operation, arguments):
            contender = Contender(peer.name, peer.run)
            found.append(Entrant(contender, peer.outputs, comparable=peer.comparable))
    return found


def _version_entrant(
    owner: str, version: Version, case: Case, timed: Sequence[Any], arguments: Sequence[Any]
) -> Entrant:
    name = f"{owner} {_version_name(version)}"
    values = partial(outputs, case.operation, arguments, version.function)
    return Entrant(Contender(name, partial(version.function, *timed)), values, _version_name(version))


def _prepared_rung(version: Version, case: Case, arguments: Sequence[Any]) -> list[Entrant]:
    """A version of the ladder on a weight that it prepared beforehand, where it has that step."""
    prepared = prepare(case.operation, arguments, version.name) if version.backend == "cpu" else None
    if prepared is None:
        return []
    return [_prepared_entrant(f"{OURS} {_version_name(version)} prepared", prepared)]


def _prepared_entrant(name: str, prepared: Prepared) -> Entrant:
    return Entrant(Contender(name, prepared.run), lambda: [prepared.run()], prepared.version)


def _ladder(operation: str, chosen: Version, backend: str | None, every_version: bool) -> list[Version]:
    """The other versions: of the chosen one's backend, or all."""
    rows = [row for row in registry.table() if row.operation == operation and row != chosen]
    if every_version:
        return [row for row in rows if backend in (None, row.backend)]
    # The reference's loops run in Python: they belong to the ladder, on small layers.
    return [row for row in rows if row.backend == chosen.backend != "reference"]


def _version_name(version: Version) -> str:
    return f"{version.backend} {version.name}"


def _error(entrant: Entrant, truth: Sequence[Array], bound: float, when: str) -> float | None:
    """How far the values are from the truth; refused beyond the bound, None where there is no telling."""
    if not entrant.comparable:
        return None
    got = entrant.outputs()
    return checks.check_values(entrant.name, when, checks.error(got, truth[: len(got)]), bound)


def _fast_enough(entrants: list[Entrant]) -> list[Entrant]:
    """Without the versions of our ladder that would only take time; all have run once, to be checked."""
    rungs = [e for e in entrants if e.name.startswith(f"{OURS} ") and e.name != PREPARED]
    limit = SLOW * _one_call(entrants[0])
    slow = [rung for rung in rungs if _one_call(rung) > limit]
    return [entrant for entrant in entrants if entrant not in slow]


def _one_call(entrant: Entrant) -> float:
    start = time.perf_counter()
    entrant.contender.run()
    return time.perf_counter() - start
