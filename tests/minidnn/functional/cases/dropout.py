"""Cases of dropout without chance; its mask has tests of its own."""

from __future__ import annotations

from tests.minidnn.case import Case

CASES = [
    Case("dropout", "evaluation", lambda draw: (draw.normal(3, 5),), {"training": False}),
    Case("dropout", "keep-all", lambda draw: (draw.normal(3, 5), 0.0)),
    Case("dropout", "drop-all", lambda draw: (draw.normal(3, 5), 1.0)),
    Case("dropout", "drop-all-scalar", lambda draw: (draw.normal(),), {"p": 1}),
    Case("dropout", "empty", lambda draw: (draw.normal(0, 5),), {"p": 0.5}),
]
