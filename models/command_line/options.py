"""Options that several subcommands have."""

from __future__ import annotations

from typing import Annotated

import typer

DeviceName = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="[cpu|gpu|emulator]",
        help="Where to compute: cpu; gpu, an NVIDIA card through CuPy; or emulator, which runs its kernels "
        "on the processor, slowly and with every check.",
    ),
]
