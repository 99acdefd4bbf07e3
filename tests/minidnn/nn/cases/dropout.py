"""Cases of the dropout layer without chance; its mask has tests of its own."""

from __future__ import annotations

from tests.minidnn.case import ModuleCase

CASES = [
    ModuleCase("Dropout", "evaluation", (), {}, lambda draw: (draw.normal(3, 5),), training=False),
    ModuleCase("Dropout", "keep-all", (0.0,), {}, lambda draw: (draw.normal(3, 5),)),
    ModuleCase("Dropout", "drop-all", (), {"p": 1.0}, lambda draw: (draw.normal(3, 5),)),
]
