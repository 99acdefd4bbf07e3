"""Every CUDA kernel of the project as machine code: registers, shared memory, and no spills.

python -m tests.kernels.cuda.machine_code             write docs/machine_code.md
python -m tests.kernels.cuda.machine_code --check     compile everything, and compare with the page

Which sets of macros the sources are compiled with is found by calling every gpu version on the registry's
samples with a module that only takes down what it is asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels
from kernels import registry
from kernels.cuda import emulator, launch, tiles
from tests.kernels import halves
from tests.kernels.cuda import nvrtc, transfer
from tests.kernels.cuda.sweep import samples
from tests.kernels.sample import Draw, Sample

PAGE = Path(__file__).parents[3] / "docs" / "machine_code.md"
ARCHITECTURES = ("sm_80", "sm_90")
# With at most so many registers, blocks of 256 threads fill at least half of a multiprocessor, which has
# 65536 registers and room for 2048 threads.
MOST_REGISTERS = 64
# Kernels that may have more: those that walk over a whole convolution with 64-bit indices on four axes.
MORE_REGISTERS = dict.fromkeys(("direct_forward", "direct_backward_input", "direct_backward_weight"), 80)
# And the matrix product, whose threads hold 16 elements each: two blocks per multiprocessor.
MORE_REGISTERS["product"] = 128
# And the gradient of bilinear interpolation, which looks for its outputs along both axes.
MORE_REGISTERS["bilinear_backward"] = 80
# And Winograd's transforms of 6 x 6 numbers of 64 bits, which take two registers each.
MORE_REGISTERS.update(transform_inputs=128, transform_outputs=112)
# And the products on register tiles, whose threads hold up to 64 elements: as many blocks as that one.
MORE_REGISTERS.update(gather_sum=128, correlate=128)
# Words in the names of the operations with such products.
TILED = ("conv2d",)
FLOATS, HALVES = (np.float32, np.float64), (np.float16,)
SEED = 5


@dataclass(frozen=True, order=True)
class Build:
    """A source with its macros."""

    source: str
    options: tuple[str, ...]
    text: str

    @property
    def macros(self) -> str:
        return " ".join(option[2:] for option in self.options if option.startswith("-D"))


@contextmanager
def _taking_down(found: set[Build]) -> Iterator[None]:
    """Within it modules are not compiled but added to `found`, and launches do nothing."""

    class Module:
        def __init__(self, code: str, options: tuple[str, ...]) -> None:
            found.add(Build(code.split('"', 2)[1], options, code))

        def get_function(self, name: str) -> Any:
            return lambda *arguments, **keywords: None

    before = emulator.RawModule
    _forget_modules()
    emulator.RawModule = Module  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        emulator.RawModule = before  # type: ignore[misc]
        _forget_modules()


def _forget_modules() -> None:
    launch._module.cache_clear()
    launch._compiled.cache_clear()


def builds() -> list[Build]:
    """Every source with every set of macros that the samples ask for."""
    found: set[Build] = set()
    with _taking_down(found):
        _call_versions(samples(), FLOATS)
        _call_versions(halves.SAMPLES, HALVES)
        _convert_halves()
        with _every_product_is_large():
            _call_versions(samples(TILED), FLOATS)
            _call_versions(halves.SAMPLES, HALVES)
    return sorted(found)


def _call_versions(chosen: Sequence[Sample], dtypes: Sequence[Any]) -> None:
    for sample in chosen:
        for dtype in dtypes:
            for version in transfer.device_versions(sample.operation):
                moved = transfer.arguments_for(version, sample.make(Draw(SEED, dtype)))
                if moved is not None:
                    with kernels.use(**{version.operation: version.name}):
                        registry.contract(version.operation)(*moved)


def _convert_halves() -> None:
    """To floats and back, which no sample does."""
    for here, there in ((np.float32, np.float16), (np.float16, np.float32)):
        registry.contract("cast")(emulator.asarray(np.ones(3, here)), there)


@contextmanager
def _every_product_is_large() -> Iterator[None]:
    """Within it one block is enough for the largest tiles, which no sample would get."""
    before, tiles.ENOUGH_BLOCKS = tiles.ENOUGH_BLOCKS, 1
    try:
        yield
    finally:
        tiles.ENOUGH_BLOCKS = before


def excess(kernel: nvrtc.Kernel) -> str:
    """What a kernel uses beyond its budget; "" if nothing."""
    budget = MORE_REGISTERS.get(kernel.name, MOST_REGISTERS)
    if kernel.spilled:
        return f"{kernel.name} spills {kernel.spilled} bytes"
    if kernel.registers > budget:
        return f"{kernel.name} takes {kernel.registers} registers, {budget} are allowed"
    return ""


def page() -> tuple[str, list[str]]:
    """The page, and what is over budget."""
    lines, faults = [], []
    for build in builds():
        found = {
            architecture: nvrtc.compile_source(build.text, build.source, build.options, architecture)
            for architecture in ARCHITECTURES
        }
        for architecture, every in found.items():
            faults += [
                f"{build.source} {architecture}: {fault}" for kernel in every if (fault := excess(kernel))
            ]
        for pair in zip(
            *(sorted(every, key=lambda kernel: kernel.name) for every in found.values()), strict=True
        ):
            registers = " | ".join(str(kernel.registers) for kernel in pair)
            lines.append(
                f"| {build.source} | {build.macros} | {pair[0].name} | {registers} | {pair[0].shared} |"
            )
    return _HEAD.format(version=nvrtc.version(), most=MOST_REGISTERS) + "\n".join(lines) + "\n", faults


_HEAD = """# Machine code of the CUDA kernels

Made by `python -m tests.kernels.cuda.machine_code` with NVRTC {version}; the tests compile every kernel again
and allow no spill and at most {most} registers of a thread (`MORE_REGISTERS` there lists the exceptions). The
kernels have been compiled and run on the emulator, not yet measured on hardware.

| source | macros | kernel | registers, sm_80 | registers, sm_90 | shared memory, bytes |
| --- | --- | --- | ---: | ---: | ---: |
"""


def kernels_of(text: str) -> list[str]:
    """The page's rows without the numbers, which depend on the compiler's version."""
    return [" | ".join(line.split(" | ")[:3]) for line in text.splitlines() if line.startswith("| ")][2:]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.cuda.machine_code", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    wanted = parser.parse_args(arguments)
    text, faults = page()
    if not wanted.check:
        PAGE.write_text(text)
    elif kernels_of(text) != kernels_of(PAGE.read_text()):
        faults.append(f"{PAGE.name} lists other kernels than there are: write it again")
    print("\n".join(faults) or f"{len(kernels_of(text))} kernels, within their budgets")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
