"""What every model was checked against, and the worst errors seen (models/verification.csv).

The table is written by `python -m tests.reference.make` only, from a comparison with the reference in
float64, and of the logits in float32, at small inputs; see tests/reference/digest.py for what is compared.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

PATH = Path(__file__).parent / "verification.csv"


@dataclass(frozen=True)
class Verification:
    """One model's line; errors are relative, None where there was nothing to compare.

    Attributes:
        name: the model.
        reference: the independent implementation.
        parameters: trained parameters of both.
        mult_adds: for one image of the size it was designed for (see models/summary.py).
        logits_error: in evaluation mode.
        gradient_error: the worst of all parameters, in evaluation mode.
        training_gradient_error: the worst of all parameters, in training mode.
        float32_logits_error: of our float32 logits from the reference's float64 ones.
    """

    name: str
    reference: str
    parameters: int
    mult_adds: int
    logits_error: float | None
    gradient_error: float | None
    training_gradient_error: float | None
    float32_logits_error: float | None

    @property
    def worst_error(self) -> float:
        """The largest error in float64."""
        return max(
            error or 0.0 for error in (self.logits_error, self.gradient_error, self.training_gradient_error)
        )


COLUMNS = tuple(column.name for column in fields(Verification))


def verifications() -> dict[str, Verification]:
    """Read the table: every model's line by its name."""
    with PATH.open(newline="") as file:
        lines = list(csv.DictReader(file))
    return {
        line["name"]: Verification(
            line["name"],
            line["reference"],
            int(line["parameters"]),
            int(line["mult_adds"]),
            *(float(line[column]) if line[column] else None for column in COLUMNS[4:]),
        )
        for line in lines
    }
