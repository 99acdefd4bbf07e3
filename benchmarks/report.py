"""The report from stored results: one HTML page that needs nothing else, pictures, a table in Markdown."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Results, geometric_mean, ratio, ratios
from benchmarks.kernel_benchmark import OURS
from benchmarks.layer_sums import HEAD as SUM_HEAD
from benchmarks.layer_sums import SUM_MARGIN, layer_sums, operation_sums
from benchmarks.layer_sums import cells as sum_cells
from benchmarks.network_benchmark import FUSED, ONNX
from benchmarks.peers import CHANNELS_LAST, EAGER
from benchmarks.results import Row, Store
from benchmarks.targets import Outcome, Target, outcomes, said

PAGE, SUMMARY = "report.html", "summary.md"
WORDS = {None: "not measured", True: "reached", False: "missed"}


class Raw(str):
    """A cell that is HTML already."""


def write(folder: Path) -> list[Path]:
    """Write the page, the pictures and the summary beside the results, and return the files.

    Raises:
        ValueError: the folder has no results.
        ImportError: matplotlib is missing.
    """
    results = Results.read(folder)
    drawn = _draw(results, folder)
    judged = outcomes(results)
    page, summary = folder / PAGE, folder / SUMMARY
    page.write_text(_page(results, judged, drawn))
    summary.write_text(markdown(results, judged))
    return [page, summary, *drawn]


def _draw(results: Results, folder: Path) -> list[Path]:
    try:
        from benchmarks import pictures
    except ImportError as missing:
        raise ImportError("the pictures need matplotlib: pip install 'minidnn[bench]'") from missing
    return pictures.draw(results, folder)


def aims(folder: Path, targets: Sequence[Target] | None = None) -> Iterable[str]:
    """For the terminal: every aim, whether it was reached, with the number, and for misses the worst rows."""
    for outcome in outcomes(Results.read(folder), targets):
        yield f"{WORDS[outcome.reached]:<13} {_measured(outcome):>12}  {_what(outcome)}: {_aim(outcome)}"
        if outcome.reached is False:
            yield from (f"{'':<29}{line}" for line in _behind(outcome))


def markdown(results: Results, judged: Sequence[Outcome]) -> str:
    """The table for README: what was aimed at and what was measured."""
    lines = [_machine_line(results), "", "| aim | figure | measured | |", "| --- | --- | --- | --- |"]
    for outcome in judged:
        if outcome.value is not None:
            cells = (
                _what(outcome),
                _aim(outcome),
                _measured(outcome),
                "reached" if outcome.reached else "missed",
            )
            lines.append("| " + " | ".join(cells) + " |")
    rows = list(results.rows("networks").values())
    if rows:
        lines += ["", *_markdown_networks(rows)]
    sums = [sum_cells(each) for each in layer_sums(results) if each.parts]
    if sums:
        lines += ["", "| " + " | ".join(SUM_HEAD) + " |", "| --- " * len(SUM_HEAD) + "|"]
        lines += ["| " + " | ".join(cells) + " |" for cells in sums]
    return "\n".join(lines) + "\n"


def _markdown_networks(rows: Sequence[Row]) -> list[str]:
    names = [name for name in (OURS, FUSED, EAGER, CHANNELS_LAST, ONNX) if name in rows[0]["contenders"]]
    lines = [
        "| inference, ms | " + " | ".join(names) + " |",
        "| --- " * (len(names) + 1) + "|",
    ]
    for row in rows:
        times = [f"{1e3 * row['contenders'][name]['median']:.1f}" for name in names]
        lines.append(f"| {row['network']} | " + " | ".join(times) + " |")
    return lines


def _machine_line(results: Results) -> str:
    """Machine, versions and date of what was measured, in a sentence."""
    headers = [store.header for store in results.stores.values()]
    machine = headers[0]["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    later = [row for store in results.stores.values() for row in store.later()]
    dates = sorted({dated["date"] for dated in (*headers, *later)})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    quick = "; a quick look, with fewer rounds" if any(header["quick"] for header in headers) else ""
    again = f"; {len(later)} rows measured again by later sources" if later else ""
    return (
        f"{machine['cpu']} ({machine['vector_bits']}-bit vectors), {headers[0]['threads']} threads, "
        f"Python {machine['python']}, {versions}; {when}{quick}{again}."
    )


def _what(outcome: Outcome) -> str:
    return f"{outcome.target.what} ({outcome.count})"


def _behind(outcome: Outcome) -> list[str]:
    return [f"{figure.label}: {said(figure.value, outcome.target.unit)}" for figure in outcome.worst]


def _aim(outcome: Outcome) -> str:
    target = outcome.target
    return (
        f"{target.figure} {'at most' if target.at_most else 'at least'} {target.aim:g} {target.unit}".strip()
    )


def _measured(outcome: Outcome) -> str:
    return "not measured" if outcome.value is None else said(outcome.value, outcome.target.unit)


# --- the page

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 13px; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
th { position: sticky; top: 0; background: #f4f4f4; }
.missed { color: #a33; } .reached { color: #171; }
.wide { overflow-x: auto; } img { max-width: 100%; height: auto; background: #fff; }
summary { cursor: pointer; font-weight: 600; margin: .5rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } th { background: #2a2a2a; } th, td { border-color: #3a3a3a; }
  .missed { color: #f99; } .reached { color: #8d8; }
}
"""


def _page(results: Results, judged: Sequence[Outcome], drawn: Sequence[Path]) -> str:
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>minidnn: benchmarks</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{STYLE}</style></head><body><h1>minidnn: benchmarks</h1>",
        f"<p>{html.escape(_machine_line(results))}</p>{_peak(results)}",
        "<p>Ratios are PyTorch eager's time divided by the contender's, the median over rounds in which all "
        "took turns; more is faster than PyTorch.</p>",
        "<h2>Aims</h2>",
        _targets(judged),
        *[_picture(path) for path in drawn],
        _networks(results),
        _sums(results),
        _training(results),
        _engine(results),
        _families(results),
        *[_kernel_table(name, store) for name, store in results.stores.items() if _has_calls(store)],
        _refused(results),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _peak(results: Results) -> str:
    stores = [store for store in results.stores.values() if "peak" in store.header]
    if not stores:
        return ""
    peak = stores[0].header["peak"]
    sizes = sorted(map(int, peak["copy"]))
    copies = ", ".join(f"{peak['copy'][str(size)] / 1e9:.0f} at {_size(size)}" for size in sizes)
    return (
        f"<p>Measured peak on {peak['threads']} threads: {peak['flops'] / 1e9:.0f} GFLOP/s; "
        f"copying, GB/s by working set: {copies}.</p>"
    )


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 2**20 else f"{size >> 10} KiB"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def cell(tag: str, value: Any) -> str:
        return f"<{tag}>{value if isinstance(value, Raw) else html.escape(str(value))}</{tag}>"

    header = "".join(cell("th", name) for name in head)
    body = "".join("<tr>" + "".join(cell("td", value) for value in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"


def _targets(judged: Sequence[Outcome]) -> str:
    rows = []
    for outcome in judged:
        word = WORDS[outcome.reached]
        worst = "; ".join(_behind(outcome))
        shown = Raw(f"<span class='{word}'>{word}</span>")
        rows.append((_what(outcome), _aim(outcome), _measured(outcome), shown, worst))
    return _table(("aim (rows)", "figure", "measured", "", "furthest behind"), rows)


def _picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f"<p><img alt='{html.escape(path.stem)}' src='data:image/png;base64,{data}'></p>"


def _networks(results: Results) -> str:
    rows = results.rows("networks").values()
    names = [
        name
        for name in (OURS, FUSED, EAGER, CHANNELS_LAST, ONNX)
        if any(name in r["contenders"] for r in rows)
    ]
    if not rows:
        return ""
    lines = []
    for row in rows:
        times = [_milliseconds(row["contenders"].get(name)) for name in names]
        best = min(
            (name for name in (OURS, FUSED) if name in row["contenders"]), key=lambda n: _median(row, n)
        )
        distance = ratio(row, best, ONNX)
        lines.append((row["network"], row["batch"], *times, _number(ratio(row, OURS)), _number(distance)))
    head = ("network", "batch", *(f"{name}, ms" for name in names), "eager / ours", "ONNX Runtime / our best")
    return "<h2>Networks at inference</h2>" + _table(head, lines)


def _median(row: Row, name: str) -> float:
    return float(row["contenders"][name]["median"])


def _sums(results: Results) -> str:
    sums = layer_sums(results)
    if not sums:
        return ""
    text = (
        "<p>Layers by themselves: the time of every kernel call of a network, measured one at a time in "
        "bursts, with its data in the caches, as often as the network makes it. Layers in place: the same "
        "calls timed within the network's pass. Engine: the pass without them, Python only. What is in place "
        f"and the engine add up to the network where they differ from it by at most {SUM_MARGIN:.0%}; what "
        "the layers by themselves lack is what caches spare them, and the engine.</p>"
    )
    operations = [
        (
            each.operation,
            each.calls,
            *(f"{1e3 * seconds:.2f}" for seconds in (each.alone, each.in_place)),
            said(each.in_place / each.alone),
        )
        for each in operation_sums(results)
    ]
    head = ("operation, all networks", "calls", "by themselves, ms", "in place, ms", "times as long")
    return (
        "<h2>Do the layers add up?</h2>"
        + text
        + _table(SUM_HEAD, [sum_cells(each) for each in sums])
        + (_table(head, operations) if operations else "")
    )


def _training(results: Results) -> str:
    rows, memory = [], []
    for key, row in results.rows("training").items():
        contenders = row["contenders"]
        if key.endswith("memory"):
            sides = [f"{contenders[side]['peak_bytes'] / 2**20:.0f}" for side in (OURS, "pytorch")]
            memory.append((row["network"], row["batch"], *sides))
        else:
            times = [_milliseconds(contenders.get(name)) for name in (OURS, EAGER, CHANNELS_LAST)]
            rows.append((row["network"], row["batch"], *times, _number(ratio(row, OURS))))
    if not rows and not memory:
        return ""
    head = ("network", "batch", f"{OURS}, ms", f"{EAGER}, ms", f"{CHANNELS_LAST}, ms", "eager / ours")
    return (
        "<h2>Training step</h2>"
        + _table(head, rows)
        + _table(("peak memory", "batch", f"{OURS}, MiB", f"{EAGER}, MiB"), memory)
    )


def _engine(results: Results) -> str:
    rows = [
        (
            key,
            *(f"{1e6 * row['contenders'][name]['median']:.1f}" for name in (OURS, EAGER)),
            _number(ratio(row)),
        )
        for key, row in results.rows("engine").items()
        if EAGER in row["contenders"]
    ]
    return (
        "<h2>Engine</h2>" + _table(("", f"{OURS}, us", f"{EAGER}, us", "eager / ours"), rows) if rows else ""
    )


def _families(results: Results) -> str:
    """Ratios by operation: the geometric mean, the worst and the best."""
    operations = dict.fromkeys(row["operation"] for row in results.rows("kernels").values())
    rows = []
    for operation in operations:
        figures = ratios(results.kernels(operation))
        if figures:
            values = [figure.value for figure in figures]
            rows.append(
                (operation, len(values), said(geometric_mean(figures)), said(min(values)), said(max(values)))
            )
    head = ("operation", "calls", "geometric mean", "worst", "best")
    return "<h2>Kernels, by operation</h2>" + _table(head, rows) if rows else ""


def _has_calls(store: Store) -> bool:
    return any("operation" in row for row in store.rows.values())


def _kernel_table(name: str, store: Store) -> str:
    """Every row with every contender."""
    head = (
        "call",
        "contender",
        "version",
        "time, us",
        "p20 to p80",
        "GFLOP/s",
        "GFLOP/s, direct count",
        "GB/s",
        "operations / byte",
        "% of roofline",
        "PyTorch eager / it",
        "peak memory, KiB",
        "first call, ms",
        "error",
    )
    rows = [cells for row in store.rows.values() for cells in _kernel_rows(row)]
    return f"<details><summary>{html.escape(name)}: every call</summary>{_table(head, rows)}</details>"


def _kernel_rows(row: Row) -> Iterable[Sequence[Any]]:
    contenders = row["contenders"]
    for name, c in contenders.items():
        eager = contenders.get(EAGER)
        rate = (f"{c['flops'] / 1e9:.1f}", f"{row['direct_operations'] / c['median'] / 1e9:.1f}")
        yield (
            f"{row['operation']} {row['label']}",
            name,
            c["version"],
            f"{1e6 * c['median']:.1f}",
            f"{1e6 * c['p20']:.1f} to {1e6 * c['p80']:.1f}",
            *(rate if row["direct_operations"] else ("", "")),
            f"{c['bytes_per_second'] / 1e9:.1f}",
            f"{row['intensity']:.1f}",
            f"{100 * c['roofline']:.0f}",
            _number(eager["ratios"].get(name) if eager else None),
            "" if c["peak_bytes"] is None else f"{c['peak_bytes'] / 1024:.0f}",
            f"{1e3 * c['first_call']:.1f}",
            "" if c["error_after"] is None else f"{max(c['error_before'], c['error_after']):.0e}",
        )


def _refused(results: Results) -> str:
    rows = [
        (name, key, reason) for name, store in results.stores.items() for key, reason in store.refused.items()
    ]
    return "<h2>Refused</h2>" + _table(("benchmark", "row", "why"), rows) if rows else ""


def _milliseconds(contender: Row | None) -> str:
    return f"{1e3 * contender['median']:.2f}" if contender else ""


def _number(value: float | None) -> str:
    return "" if value is None else said(value)
