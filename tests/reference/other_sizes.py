"""Models beside their references live, at another input size, batch size and number of classes.

python -m tests.reference.other_sizes [NAME...]     compare live (the slow ones by default), and keep the
                                                    errors in other_sizes.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.reference import bounds, digest
from tests.reference.bounds import GRADIENTS, LOGITS, TRAINING_GRADIENTS, Bound
from tests.reference.catalogue import Reference, references, variants
from tests.reference.digest import Ours, Shape, Theirs

CLASSES = 7
RESULTS = Path(__file__).parent / "other_sizes.csv"
# The columns, and what their errors are of; empty for a model without batch norm, which trains as it infers.
COLUMNS = {
    "logits_error": LOGITS,
    "gradient_error": GRADIENTS,
    "training_gradient_error": TRAINING_GRADIENTS,
}


def compare(reference: Reference) -> tuple[dict[Bound, np.ndarray], list[str]]:
    """Return the relative errors of ours, and what is out of bounds.

    Raises:
        ImportError: the reference cannot be built here.
    """
    built = reference.build()
    our = digest.ours(reference, num_classes=CLASSES)
    their = Theirs(built.double(), reference.key)
    _resize_heads(our, their)
    their.fill(reference)
    shape = other_shape(reference, reference.shape)
    training = reference.training_shape and other_shape(reference, reference.training_shape)
    want = digest.digest(their, reference, shape, training)
    assert want["evaluation/logits"].shape == (shape[0], CLASSES)
    found = bounds.errors(digest.digest(our, reference, shape, training), want)
    return found, bounds.complaints(found, our.names())


def other_shape(reference: Reference, shape: Shape) -> Shape:
    """One image more, and another height and width where the architecture takes them."""
    batch, channels, height, width = shape
    return batch + 1, channels, *((height, width) if reference.fixed_size else (width + 17, height))


def _resize_heads(our: Ours, their: Theirs) -> None:
    """Give the reference our model's number of classes: the layers whose parameters differ in shape."""
    import torch

    shapes = {name: parameter.shape for name, parameter in our.parameters().items()}
    for name, parameter in their.parameters().items():
        if tuple(parameter.shape) != shapes[name]:
            parameter.data = torch.empty(shapes[name], dtype=torch.float64)


def results() -> dict[str, dict[str, str]]:
    """The kept rows by name."""
    if not RESULTS.exists():
        return {}
    with RESULTS.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _keep(reference: Reference, found: Mapping[Bound, np.ndarray]) -> None:
    """Add or replace a row; the file is whole at any moment."""
    shape = "x".join(map(str, other_shape(reference, reference.shape)))
    row = {"name": reference.name, "reference": reference.source, "images": shape, "classes": str(CLASSES)}
    for column, bound in COLUMNS.items():
        values = found.get(bound)
        row[column] = "" if values is None or not values.size else f"{values.max():.1e}"
    rows = {**results(), reference.name: row}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] for name in sorted(rows))
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(text.getvalue())
    os.replace(temporary, RESULTS)


def main(arguments: Sequence[str] | None = None) -> int:
    known = references() | variants()
    parser = argparse.ArgumentParser(prog="python -m tests.reference.other_sizes", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default those that .ci/run leaves out")
    slow = [name for name, reference in known.items() if reference.slow]
    names = parser.parse_args(arguments).names or slow
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no reference is called {', '.join(unknown)}")
    wrong = 0
    for name in names:
        try:
            found, complaints = compare(known[name])
        except ImportError as missing:
            print(f"{name}: the reference cannot be built here: {missing}", flush=True)
            continue
        _keep(known[name], found)
        wrong += bool(complaints)
        print(f"{name}: {'; '.join(complaints) or 'right'}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
