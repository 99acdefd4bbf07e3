"""What `python -m benchmarks race` shows: the verdict on every version of a file, then its times."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from benchmarks import race
from benchmarks.checks import RefusedError
from benchmarks.machine import Peak
from benchmarks.results import Row
from benchmarks.session import Session
from kernels.registry import Version


def run(path: Path, session: Session, peak: Peak) -> int:
    """Check and race a file's versions; 1 if one was refused."""
    with race.loaded(path) as versions:
        verdicts = [_verdict(version, session) for version in versions]
    # From here the versions are off the table, so that "minidnn" is what it is without them.
    for version, passed in zip(versions, verdicts, strict=True):
        if passed:
            _race(version, session, peak)
    return 0 if all(verdicts) else 1


def _verdict(version: Version, session: Session) -> bool:
    """Check one version and say how it went."""
    title = f"{version.operation} {version.name}"
    try:
        verdict = race.check(version)
    except RefusedError as refusal:
        session.console.print(f"[red]refused[/red] {title}: {refusal}")
        return False
    session.console.print(
        f"{title}: right on {verdict.calls} calls (worst error {verdict.worst:.0%} of the bound), the same "
        f"bits on every number of threads, gradients right in {verdict.gradients} rows of checks"
    )
    return True


def _race(version: Version, session: Session, peak: Peak) -> None:
    for case in race.cases_for(version):
        try:
            row = race.run(version, case, peak, session.effort)
        except RefusedError as refusal:
            session.console.print(f"[red]refused[/red] {case.label}: {refusal}")
            continue
        session.console.print(_table(row))


def _table(row: Row) -> Table:
    """One layer: contenders from fast to slow."""
    table = Table(title=f"{row['operation']} {row['label']}", title_justify="left")
    rate = "GFLOP/s" if row["direct_operations"] else "GB/s"
    table.add_column("", no_wrap=True)
    for name in ("time, us", "p20", "p80", rate, "% of roof", "its time / yours"):
        table.add_column(name, justify="right")
    yours = next(name for name in row["contenders"] if name.startswith("yours "))
    for name, c in sorted(row["contenders"].items(), key=lambda item: item[1]["median"]):
        table.add_row(
            f"[bold]{name}[/bold]" if name == yours else name,
            f"{1e6 * c['median']:.1f}",
            f"{1e6 * c['p20']:.1f}",
            f"{1e6 * c['p80']:.1f}",
            f"{(c['flops'] if row['direct_operations'] else c['bytes_per_second']) / 1e9:.1f}",
            f"{100 * c['roofline']:.0f}",
            f"{c['ratios'][yours]:.2f}",
        )
    return table
