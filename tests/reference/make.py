"""Make the stored references: PyTorch's digests, for machines that do not have it.

    python -m tests.reference.make NAME...   (with torch and the references' packages)
    python -m tests.reference.make --all

writes tests/reference/stored/NAME.safetensors (tests/reference/digest.py says what is in it) and the model's
line in models/verification.csv, the errors seen here. A model that is not right against its reference gets
neither. Nothing else ever writes these files.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

import models
from models import registry
from models.summary import summarize
from models.verification import COLUMNS, PATH, Verification, verifications
from tests.reference import bounds
from tests.reference.catalogue import Reference, references, variants
from tests.reference.compare import Comparison, report
from tests.reference.digest import Digest

FOLDER = Path(__file__).parent / "stored"
LARGEST = 100_000  # bytes
PACKAGES = ("torch", "torchvision", "timm", "pytorchcv", "keras")


def path_of(reference: Reference) -> Path:
    return FOLDER / f"{reference.name}.safetensors"


def store(reference: Reference, arrays: Digest) -> None:
    """Write a digest and where it comes from."""
    packages = ["numpy", "torch", *re.findall("|".join(PACKAGES[1:]), reference.source)]
    made_with = ", ".join(f"{package} {version(package)}" for package in dict.fromkeys(packages))
    metadata = {"source": reference.source, "made with": made_with, "shape": str(reference.shape)}
    metadata["training shape"] = str(reference.training_shape)
    contents = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    save_file(contents, path_of(reference), metadata)
    size = path_of(reference).stat().st_size
    if size > LARGEST:
        path_of(reference).unlink()
        raise SystemExit(f"{reference.name} needs {size:,} bytes, allowed are {LARGEST:,}")


def load(reference: Reference) -> tuple[Digest, dict[str, str]]:
    """The stored digest and its metadata."""
    with safe_open(path_of(reference), "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def note(reference: Reference, comparison: Comparison) -> None:
    """Enter the errors into models/verification.csv."""
    worst = {bound: values.max() for bound, values in comparison.errors.items() if values.size}
    errors = [
        worst.get(bound)
        for bound in (bounds.LOGITS, bounds.GRADIENTS, bounds.TRAINING_GRADIENTS, bounds.FLOAT32_LOGITS)
    ]
    row = Verification(
        reference.name,
        reference.source,
        reference.parameters,
        summarize(models.create(reference.name), registry.entry(reference.name).input_shape).total(
            "mult_adds"
        ),
        *(None if error is None else float(f"{error:.1e}") for error in errors),
    )
    with one_writer():
        rows = {**(verifications() if PATH.exists() else {}), row.name: row}
        with PATH.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for _, each in sorted(rows.items()):
                writer.writerow(["" if value is None else value for value in vars(each).values()])


@contextmanager
def one_writer() -> Iterator[None]:
    """Keep other runs of this script from the table meanwhile."""
    with Path(__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.make", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models and variants of the catalogue")
    parser.add_argument("--all", action="store_true", help="every model and variant that has a reference")
    chosen = parser.parse_args(arguments)
    if chosen.all == bool(chosen.names):
        parser.error("name the models, or say --all")
    known = references() | variants()
    failed = []
    for name in known if chosen.all else chosen.names:
        comparison = report(known[name])
        if comparison.wrong:
            failed.append(name)
            continue
        store(known[name], comparison.digest)
        if name in references():
            note(known[name], comparison)
    if failed:
        print(f"not right, not stored: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
