"""Compare models with their references live, and print how far apart they are.

python -m tests.models.compare NAME...
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.models import digest
from tests.models.reference import Reference, references


def compare(reference: Reference) -> list[str]:
    """Print the errors of one model and return what is wrong."""
    start = time.perf_counter()
    their = digest.theirs(reference)
    our = digest.ours(reference)
    wrong = digest.key_complaints(our, their)
    for what, network in (("the reference", their), ("ours", our)):
        if network.count() != reference.parameters:
            wrong.append(f"{what} has {network.count():,} parameters, published are {reference.parameters:,}")
    if wrong:
        return wrong
    middle = time.perf_counter()
    want = digest.digest(their, reference, reference.shape, reference.training_shape)
    torch_seconds = time.perf_counter() - middle
    got = digest.digest(our, reference, reference.shape, reference.training_shape)
    found = digest.errors(got, want)
    found[digest.FLOAT32_LOGITS] = digest.float32_error(our, reference.shape, want["evaluation/logits"])
    for bound, values in found.items():
        if values.size:
            print(f"  {bound.what}: {values.max():.1e}")
    seconds = time.perf_counter() - start
    print(f"  {seconds:.1f} s, {torch_seconds:.1f} s of them for the reference's passes")
    return digest.complaints(found, our.names())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.models.compare", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", choices=list(references()))
    failed = False
    for name in parser.parse_args(arguments).names:
        print(f"{name}, against {references()[name].source}")
        wrong = compare(references()[name])
        failed |= bool(wrong)
        print("\n".join(f"  WRONG: {line}" for line in wrong) or "  right")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
