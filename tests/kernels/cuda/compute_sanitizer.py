"""The registry's samples on a GPU under NVIDIA's compute-sanitizer, which comes with the CUDA toolkit.

python -m tests.kernels.cuda.compute_sanitizer             all samples, with all of its tools
python -m tests.kernels.cuda.compute_sanitizer racecheck   with one of them
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence

from kernels.device import find
from tests.kernels.cuda import sweep

PROGRAM = "compute-sanitizer"
# accesses out of bounds and misaligned; races in shared memory; memory that nobody wrote; barriers
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
FOUND = 9


def missing() -> str:
    """What this machine lacks for it; "" if nothing."""
    try:
        find("gpu")
    except ValueError as lacking:
        return str(lacking)
    return "" if shutil.which(PROGRAM) else f"{PROGRAM} was not found: install the CUDA toolkit"


def run(tool: str, draw: int | None = None, only: Sequence[str] = ("",)) -> str:
    """Return what a tool reports of the samples, or what is wrong with their values; "" if nothing is."""
    watched = [
        PROGRAM,
        "--tool",
        tool,
        "--error-exitcode",
        str(FOUND),
        *sweep.command(sweep.ON_GPU, draw, only),
    ]
    result = subprocess.run(watched, capture_output=True, text=True, check=False)
    said = result.stdout.splitlines()
    wrong = [line for line in said if not line.startswith("=========") and line != "done"]
    if result.returncode or wrong or "done" not in said:
        return f"{result.stdout}\n{result.stderr}"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernels.cuda.compute_sanitizer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tool", nargs="*", choices=(*TOOLS, []), help="all by default")
    parser.add_argument("--only", nargs="+", default=("",), help="words in the operations' names")
    wanted = parser.parse_args(arguments)
    if lacking := missing():
        sys.exit(lacking)
    reports = {tool: run(tool, only=wanted.only) for tool in wanted.tool or TOOLS}
    for tool, report in reports.items():
        print(f"{tool}: {report or 'nothing found'}")
    sys.exit(any(reports.values()))


if __name__ == "__main__":
    main()
