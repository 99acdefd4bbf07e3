"""Compare models with their references live, and print how far apart they are.

python -m tests.reference.compare NAME...
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.reference import bounds, digest
from tests.reference.bounds import Bound
from tests.reference.catalogue import Reference, references, variants
from tests.reference.digest import Digest


@dataclass
class Comparison:
    """What came out.

    Attributes:
        wrong: what is out of bounds, a line each.
        digest: the reference's.
        errors: the relative errors of ours.
    """

    wrong: list[str]
    digest: Digest = field(default_factory=dict)
    errors: dict[Bound, np.ndarray] = field(default_factory=dict)


def compare(reference: Reference) -> Comparison:
    """Compare keys, shapes and counts first, then all outputs and gradients."""
    their, our = digest.theirs(reference), digest.ours(reference)
    wrong = bounds.key_complaints(our, their)
    for what, network in (("the reference", their), ("ours", our)):
        if network.count() != reference.parameters:
            wrong.append(f"{what} has {network.count():,} parameters, published are {reference.parameters:,}")
    if wrong:
        return Comparison(wrong)
    want = digest.digest(their, reference, reference.shape, reference.training_shape)
    del their
    got = digest.digest(our, reference, reference.shape, reference.training_shape)
    found = bounds.errors(got, want)
    found[bounds.FLOAT32_LOGITS] = bounds.float32_error(our, reference, want["evaluation/logits"])
    return Comparison(bounds.complaints(found, our.names()), want, found)


def report(reference: Reference) -> Comparison:
    """Compare and print."""
    print(f"{reference.name}, against {reference.source}", flush=True)
    start = time.perf_counter()
    comparison = compare(reference)
    for bound, values in comparison.errors.items():
        if values.size:
            print(f"  {bound.what}: {values.max():.1e}")
    verdict = "\n".join(f"  WRONG: {line}" for line in comparison.wrong) or "  right"
    print(f"{verdict} ({time.perf_counter() - start:.1f} s)", flush=True)
    return comparison


def main(arguments: Sequence[str] | None = None) -> int:
    known = references() | variants()
    parser = argparse.ArgumentParser(prog="python -m tests.reference.compare", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", choices=list(known))
    names = parser.parse_args(arguments).names
    comparisons = [report(known[name]) for name in names]
    return int(any(comparison.wrong for comparison in comparisons))


if __name__ == "__main__":
    sys.exit(main())
