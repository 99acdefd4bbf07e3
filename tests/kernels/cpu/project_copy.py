"""A copy of the kernels in a folder of its own, whose files a test may edit, and programs run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import kernels

KERNELS = Path(kernels.__file__).parent

CALLEE = """
from kernels.cpu.compilation import compiled

@compiled
def factor(x):
    return x * 2
"""
CALLER = """
{imported}
from kernels.cpu.compilation import compiled

@compiled
def scaled(x):
    return {called}(x) + 1

print(scaled(3.0), "loaded" if sum(scaled.stats.cache_hits.values()) else "compiled")
"""


class ProjectCopy:
    """The files of `kernels` beside a tiny kernel of two files.

    Attributes:
        cache: where its compiled kernels are kept.
        callee: the file of the function that the kernel calls.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.cache = folder / "cache"
        shutil.copytree(KERNELS, self.folder / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
        self.callee = self.folder / "kernels" / "callee.py"
        self.callee.write_text(CALLEE)
        self.import_as("from kernels.callee import factor", "factor")

    def import_as(self, imported: str, called: str) -> None:
        """How the kernel's file imports its callee."""
        self._caller().write_text(CALLER.format(imported=imported, called=called))

    def _caller(self) -> Path:
        return self.folder / "kernels" / "caller.py"

    def start(self, program: str = "import kernels.caller", **variables: str) -> subprocess.Popen[str]:
        """Run a program in a process of its own."""
        environment = {"PYTHONPATH": str(self.folder), "MINIDNN_CACHE_DIR": str(self.cache), **variables}
        return subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str = "import kernels.caller", **variables: str) -> str:
        """Run a program to its end and return what it printed."""
        return finished(self.start(program, **variables))


def finished(process: subprocess.Popen[str], timeout: float = 120) -> str:
    """Wait for a process and return what it printed; a failure or a hang fails the test."""
    try:
        printed, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return printed.strip()
