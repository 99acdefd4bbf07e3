"""Cases of the fully connected layer, flattening and the identity."""

from __future__ import annotations

from tests.minidnn.case import ModuleCase

CASES = [
    ModuleCase("Linear", "plain", (4, 3), {}, lambda draw: (draw.normal(5, 4),)),
    ModuleCase("Linear", "no-bias", (4, 3, False), {}, lambda draw: (draw.normal(2, 3, 4),)),
    ModuleCase("Linear", "one-vector", (4, 3), {}, lambda draw: (draw.normal(4),)),
    ModuleCase("LazyLinear", "batch", (3,), {}, lambda draw: (draw.normal(5, 4),)),
    ModuleCase("LazyLinear", "no-bias", (3,), {"bias": False}, lambda draw: (draw.normal(2, 5, 4),)),
    ModuleCase("Flatten", "default", (), {}, lambda draw: (draw.normal(2, 3, 4, 5),)),
    ModuleCase("Flatten", "middle", (1, 2), {}, lambda draw: (draw.normal(2, 3, 4, 5),)),
    ModuleCase("Flatten", "all", (), {"start_dim": 0}, lambda draw: (draw.normal(3, 4),)),
    ModuleCase("Flatten", "negative", (-3, -2), {}, lambda draw: (draw.normal(2, 3, 4, 5),)),
    ModuleCase("Flatten", "empty-batch", (), {}, lambda draw: (draw.normal(0, 3, 4),)),
    ModuleCase("Identity", "plain", (), {}, lambda draw: (draw.normal(2, 3),)),
    ModuleCase("Identity", "ignored-arguments", (54,), {"unused": 2}, lambda draw: (draw.normal(2, 3),)),
]
