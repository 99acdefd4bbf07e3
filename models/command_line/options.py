"""Options that several subcommands have."""

from __future__ import annotations

from pathlib import Path
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

# Of the commands that look at one image passing through a network.
ImageShown = Annotated[
    Path | None,
    typer.Option(
        "--image",
        metavar="FILE",
        help="What the network is shown.",
        show_default="a handwritten digit, or a scene of digits for models of colour images",
    ),
]
WeightsShown = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="A file of weights: PyTorch's (.pth, .pt), safetensors, or a checkpoint of `minidnn train`.",
        show_default="untrained",
    ),
]
