"""Small tables for Jupyter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]], sums: Sequence[str] = ()) -> str:
    """Return a table; the texts are escaped.

    Args:
        headings: of the columns.
        rows: the cells of each row.
        sums: a last row, if any.
    """
    foot = f"<tfoot>{_row(sums, 'th')}</tfoot>" if sums else ""
    body = "".join(_row(cells, "td") for cells in rows)
    return f"<table><thead>{_row(headings, 'th')}</thead><tbody>{body}</tbody>{foot}</table>"


def _row(cells: Iterable[str], kind: str) -> str:
    inner = "".join(f'<{kind} style="text-align: left">{escape(cell)}</{kind}>' for cell in cells)
    return f"<tr>{inner}</tr>"
