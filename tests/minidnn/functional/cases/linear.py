"""Cases of the fully connected layer."""

from __future__ import annotations

from tests.minidnn.case import Case

CASES = [
    Case("linear", "plain", lambda draw: (draw.normal(5, 7), draw.normal(3, 7), draw.normal(3))),
    Case("linear", "no-bias", lambda draw: (draw.normal(5, 7), draw.normal(3, 7))),
    Case("linear", "one-vector", lambda draw: (draw.normal(4), draw.normal(3, 4), draw.normal(3))),
    Case("linear", "three-axes", lambda draw: (draw.normal(2, 3, 4), draw.normal(5, 4), draw.normal(5))),
    Case("linear", "four-axes", lambda draw: (draw.normal(2, 1, 3, 4), draw.normal(5, 4), draw.normal(5))),
    Case("linear", "empty-batch", lambda draw: (draw.normal(0, 4), draw.normal(3, 4), draw.normal(3))),
    Case("linear", "empty-axis", lambda draw: (draw.normal(2, 0, 4), draw.normal(3, 4), draw.normal(3))),
    Case("linear", "no-features", lambda draw: (draw.normal(2, 0), draw.normal(3, 0), draw.normal(3))),
    Case("linear", "weight-of-one-axis", lambda draw: (draw.normal(2, 3, 4), draw.normal(4), draw.normal())),
    Case("linear", "two-vectors", lambda draw: (draw.normal(4), draw.normal(4))),
]
