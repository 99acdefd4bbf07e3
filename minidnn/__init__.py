"""minidnn: a deep-learning engine to read, trust and race.

For example:

    import minidnn
    from minidnn import functional, nn

    model = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.Flatten(), nn.LazyLinear(10))
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
"""

from typing import TYPE_CHECKING, Any

import kernels

if getattr(kernels, "BELONGS_TO", None) != "minidnn":
    _shadow = getattr(kernels, "__file__", None) or list(kernels.__path__)
    raise ImportError(f"minidnn needs its own package 'kernels', but {_shadow} shadows it; rename it")

from kernels import get_num_threads, set_num_threads
from minidnn import amp, data, functional, init, nn, optim
from minidnn.autograd import Function
from minidnn.creation import (
    arange,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    ones,
    ones_like,
    rand,
    randn,
    tensor,
    zeros,
    zeros_like,
)
from minidnn.device import Device, device, synchronize
from minidnn.functional.shape import (
    cat,
    chunk,
    clamp,
    clip,
    flatten,
    matmul,
    maximum,
    minimum,
    split,
    stack,
    where,
)
from minidnn.fusion import fuse
from minidnn.gradcheck import gradcheck
from minidnn.modes import anomaly_mode, enable_grad, is_grad_enabled, no_grad
from minidnn.random import manual_seed
from minidnn.serialization import load, save
from minidnn.tensor import Tensor, apply, apply_many, as_tensor

if TYPE_CHECKING:
    from minidnn.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "Device",
    "Function",
    "Tensor",
    "amp",
    "anomaly_mode",
    "apply",
    "apply_many",
    "arange",
    "as_tensor",
    "cat",
    "chunk",
    "clamp",
    "clip",
    "data",
    "device",
    "enable_grad",
    "eye",
    "flatten",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "functional",
    "fuse",
    "get_num_threads",
    "gradcheck",
    "init",
    "is_grad_enabled",
    "load",
    "manual_seed",
    "matmul",
    "maximum",
    "minimum",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "rand",
    "randn",
    "save",
    "set_num_threads",
    "split",
    "stack",
    "synchronize",
    "tensor",
    "trace",
    "where",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> Any:
    """Load `trace` when it is asked for: the import stays light for those who do not."""
    if name != "trace":
        raise AttributeError(f"module 'minidnn' has no attribute {name!r}")
    from minidnn.tracing import trace

    return trace
