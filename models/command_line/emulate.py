"""`minidnn emulate`: an operation's GPU kernels, run and counted on a machine without a GPU."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kernels.cuda.emulator import Access, Launch, LibraryCall
    from kernels.registry import Version

_LEGEND = (
    "A request is what the 32 threads of a warp access together. Global memory answers in sectors of 32 "
    "bytes: 4 for 32 neighbouring float32. Shared memory has 32 banks of 4 bytes: lanes that want different "
    "words of one bank wait for each other. Caches are not counted."
)


@dataclass(frozen=True)
class Run:
    """What a version did.

    Attributes:
        version: the row of the registry.
        arguments: what it was given: the example, in float16 where the version takes halves only.
        steps: its launches and library calls in order; None where it does not take the arguments.
    """

    version: Version
    arguments: Sequence[Any]
    steps: Sequence[Launch | LibraryCall] | None


def emulate(
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="For example conv2d, conv2d_backward_input or relu.")
    ],
    version: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME", help="Its rung of the ladder, from 1.", show_default="what runs by itself"
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="1x3x8x8", help="Of the first array.", show_default="a small example"),
    ] = None,
) -> None:
    """Run the GPU kernels of OPERATION on the emulator and count what they access, line by line.

    The last table compares all versions: what each gains over the one before is in its counts. No GPU is
    needed, but a C++ compiler.
    """
    from rich.console import Console

    from kernels import device
    from models.command_line.example_calls import example

    name = find_operation(operation)
    _check_version(name, version)
    device.find("emulator")  # says what is missing
    arguments = example(name, None if size is None else parse_size(size))
    runs = [_run(row, arguments) for row in _ladder(name)]
    chosen = _chosen(version, runs, arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 160)
    _show(console, chosen)
    console.print(_ladder_table(runs, chosen))
    console.print(_LEGEND, markup=False)


# ---- what is asked for ------------------------------------------------------------------------------


def find_operation(name: str) -> str:
    """Return the operation of that name, with or without its "_forward" (ValueError: there is none)."""
    from kernels import registry

    known = registry.operations()
    for candidate in (name, f"{name}_forward", f"{name}_forward_training"):
        if candidate in known:
            return candidate
    family = [other for other in known if registry.contract(other).__module__ == f"kernels.{name}"]
    if family:
        raise ValueError(f"operation {name!r} is a family; name one of: {', '.join(family)}")
    return registry.contract(name).__name__  # says what is near


def parse_size(text: str) -> tuple[int, ...]:
    """Return the lengths in a text like 1x3x8x8 (ValueError: it is not like that)."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", text):
        raise ValueError(f"--size must be lengths from 1 like 1x3x8x8, got {text!r}")
    return tuple(map(int, text.split("x")))


def _ladder(operation: str) -> list[Version]:
    """The operation's GPU versions (ValueError: there are none)."""
    from kernels import registry

    ladder = [row for row in registry.table() if row.operation == operation and row.backend == "gpu"]
    if not ladder:
        raise ValueError(f"{operation} has no GPU version")
    return ladder


def _check_version(operation: str, wanted: str | None) -> None:
    """Require that there is such a rung, by name or number."""
    names = [row.name for row in _ladder(operation)]
    numbers = [str(number) for number in range(1, len(names) + 1)]
    if wanted is not None and wanted not in (*names, *numbers):
        ladder = ", ".join(" ".join(rung) for rung in zip(numbers, names, strict=True))
        raise ValueError(f"{operation} has no GPU version {wanted!r}; it has: {ladder}")


def _chosen(wanted: str | None, runs: Sequence[Run], arguments: Sequence[Any]) -> Run:
    """The run of the version that was asked for, or that runs by itself (ValueError: it does not fit)."""
    from kernels import registry

    operation = runs[0].version.operation
    if wanted is None:
        wanted = registry.choose(registry.contract(operation), *_moved(operation, arguments)).name
    run = next(run for number, run in enumerate(runs, 1) if wanted in (run.version.name, str(number)))
    if run.steps is None:
        raise ValueError(f"version {run.version.name} of {operation} does not take arguments of this size")
    return run


# ---- running ----------------------------------------------------------------------------------------


def _run(version: Version, example: Sequence[Any]) -> Run:
    """Run a version on copies of the arguments and count."""
    import kernels
    from kernels import registry
    from kernels.cuda import emulator

    contract = registry.contract(version.operation)
    for arguments in (example, [_halves(argument) for argument in example]):
        with kernels.use(**_everywhere(version)):
            moved = _moved(version.operation, arguments)
            if version.fits(*moved):
                with emulator.count_accesses() as steps:
                    contract(*moved)
                return Run(version, arguments, steps)
    return Run(version, example, None)


def _halves(argument: Any) -> Any:
    import numpy as np

    is_array = isinstance(argument, np.ndarray) and argument.dtype == np.float32
    return argument.astype(np.float16) if is_array else argument


def _everywhere(version: Version) -> dict[str, str]:
    """The selection of a version, also for the step that prepares its weight."""
    step = version.operation.replace("_forward_prepared", "_prepare_weight")
    return {version.operation: version.name, step: version.name}


def _moved(operation: str, arguments: Sequence[Any]) -> list[Any]:
    """The arguments in the emulator's memory."""
    moved = [_to_emulator(argument) for argument in arguments]
    if operation == "conv2d_forward_prepared":
        from kernels.conv2d import conv2d_prepare_weight

        x, weight, _, window, groups, _ = moved
        moved[1] = conv2d_prepare_weight(weight, x.shape, window, groups)
    return moved


def _to_emulator(argument: Any) -> Any:
    import numpy as np

    from kernels.cuda import emulator

    if isinstance(argument, np.ndarray | np.floating):  # NumPy makes a scalar of some results
        return emulator.asarray(argument)
    if isinstance(argument, list | tuple) and any(isinstance(item, np.ndarray) for item in argument):
        return type(argument)(map(_to_emulator, argument))
    return argument


# ---- showing ----------------------------------------------------------------------------------------


def _show(console: Console, run: Run) -> None:
    """The version, its call, and its launches with a table for each."""
    from rich.markup import escape

    from kernels.cuda.emulator import Launch

    version = run.version
    console.print(f"[bold]{version.operation}, {version.name}[/]: {escape(version.idea)}")
    console.print(f"{version.operation}({', '.join(map(_described, run.arguments))})", markup=False)
    for step in run.steps or ():
        console.print()
        if not isinstance(step, Launch):
            console.print(_library_line(step), markup=False)
            continue
        console.print(f"kernel [bold]{escape(step.kernel)}[/]: {_launch_line(step)}")
        console.print(_access_table(step.accesses))
    console.print()


def _described(argument: Any) -> str:
    import numpy as np

    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}[{'x'.join(map(str, argument.shape))}]"
    if isinstance(argument, list | tuple):
        return f"({', '.join(map(_described, argument))})"
    return str(argument)


def _launch_line(launch: Launch) -> str:
    shared = f"{launch.static_shared + launch.dynamic_shared:,} bytes of shared memory a block"
    return f"grid {launch.grid}, block {launch.block}, {shared}, {launch.barriers:g} barriers a block"


def _library_line(call: LibraryCall) -> str:
    shapes = " by ".join("x".join(map(str, shape)) for shape in call.shapes)
    return f"library call {call.name}: {shapes}, not counted"


_ACCESS_COLUMNS: dict[str, Callable[[Access], str]] = {
    "bytes": lambda access: str(access.bytes),
    "accesses": lambda access: f"{access.accesses:,}",
    "requests": lambda access: f"{access.requests:,}",
    "lanes": lambda access: f"{access.lanes:.1f}",
    "sectors a request": lambda access: "" if access.shared else f"{access.sectors_per_request:.1f}",
    "bytes used": lambda access: "" if access.shared else f"{access.use:.0%}",
    "bank conflicts": lambda access: _conflicts(access) if access.shared else "",
}


def _conflicts(access: Access) -> str:
    return "none" if access.passes == access.fewest_passes else f"{access.ways:.1f}-way"


def _access_table(accesses: Sequence[Access]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("line", "access")
    for title in _ACCESS_COLUMNS:
        table.add_column(title, justify="right")
    for access in accesses:
        place = "shared" if access.shared else "global"
        what = escape(f"{place} {access.kind} {access.array}")
        table.add_row(access.line, what, *(show(access) for show in _ACCESS_COLUMNS.values()))
    return table


def _ladder_table(runs: Sequence[Run], chosen: Run) -> Table:
    """All versions: what each accesses in all its launches."""
    from rich.table import Table

    table = Table("", "version", "launches")
    for title in ("barriers", "global loads", "sectors", "global stores", "sectors", "shared", "passes"):
        table.add_column(title, justify="right")
    for number, run in enumerate(runs, 1):
        name = f"[bold]{run.version.name}[/]" if run is chosen else run.version.name
        table.add_row(str(number), name, *_sums(run))
    return table


def _sums(run: Run) -> list[str]:
    from kernels.cuda.emulator import Launch

    if run.steps is None:
        return ["does not take these arguments"]
    launches = [step for step in run.steps if isinstance(step, Launch)]
    libraries = [step.name for step in run.steps if not isinstance(step, Launch)]

    def total(field: str, kind: str) -> int:
        return sum(launch.total(field, shared=False, kind=kind) for launch in launches)

    shared = [access for launch in launches for access in launch.accesses if access.shared]
    blocks = [launch.grid[0] * launch.grid[1] * launch.grid[2] for launch in launches]
    numbers = (
        sum(launch.barriers * count for launch, count in zip(launches, blocks, strict=True)),
        *(total(field, kind) for kind in ("load", "store") for field in ("accesses", "sectors")),
        sum(access.accesses for access in shared),
        sum(access.passes for access in shared),
    )
    names = " + ".join([str(len(launches)), *(f"library {name}" for name in libraries)])
    return [names, *(f"{number:,.0f}" for number in numbers)]
