"""What Jupyter shows: small tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from kernels.array import Array
from minidnn.statistics import summarize


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]], sums: Sequence[str] = ()) -> str:
    """Return a table; the texts are escaped.

    Args:
        headings: of the columns, if any.
        rows: the cells of each row.
        sums: a last row, if any.
    """
    head = f"<thead>{_row(headings, 'th')}</thead>" if headings else ""
    foot = f"<tfoot>{_row(sums, 'th')}</tfoot>" if sums else ""
    body = "".join(_row(cells, "td") for cells in rows)
    return f"<table>{head}<tbody>{body}</tbody>{foot}</table>"


def _row(cells: Iterable[str], kind: str) -> str:
    inner = "".join(f'<{kind} style="text-align: left">{escape(cell)}</{kind}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def tensor_html(array: Array, facts: Sequence[tuple[str, str]], text: str) -> str:
    """Return what Jupyter shows of a tensor: what is known of it, statistics, its values.

    Args:
        array: its elements.
        facts: names and values, such as its gradient's function.
        text: the values, as `repr` shows them.
    """
    found = summarize(array)
    rows = [("shape", " x ".join(map(str, array.shape)) or "a number"), ("dtype", str(array.dtype)), *facts]
    if found is not None:
        rows += [
            ("minimum, maximum", f"{found.minimum:.6g}, {found.maximum:.6g}"),
            ("mean ± standard deviation", f"{found.mean:.6g} ± {found.standard_deviation:.6g}"),
            ("zeros", f"{found.zeros:,} of {array.size:,}"),
        ]
        if found.not_finite:
            rows.append(("NaN or infinite", f"{found.not_finite:,}"))
    return f"{html_table((), rows)}<pre>{escape(text)}</pre>"
