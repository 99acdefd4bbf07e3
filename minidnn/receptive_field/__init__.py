"""Receptive fields: which pixels a unit can see, by the layers' windows, and which it really looks at."""

from minidnn.receptive_field.axis import AxisField
from minidnn.receptive_field.effective import effective_receptive_field
from minidnn.receptive_field.theoretical import ReceptiveField, receptive_fields

__all__ = ["AxisField", "ReceptiveField", "effective_receptive_field", "receptive_fields"]
