"""minidnn: a deep-learning engine to read, trust and race.

import minidnn
from minidnn import functional, nn

model = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.Flatten(), nn.LazyLinear(10))
loss = functional.cross_entropy(model(images), labels)
loss.backward()
"""

import kernels

if getattr(kernels, "BELONGS_TO", None) != "minidnn":
    _shadow = getattr(kernels, "__file__", None) or list(kernels.__path__)
    raise ImportError(f"minidnn needs its own package 'kernels', but {_shadow} shadows it; rename it")

from kernels import get_num_threads, set_num_threads
from minidnn import data, functional, init, nn, optim
from minidnn.autograd import Function, anomaly_mode, enable_grad, is_grad_enabled, no_grad
from minidnn.gradcheck import gradcheck
from minidnn.random import manual_seed
from minidnn.serialization import load, save
from minidnn.tensor import Tensor, apply, apply_many, as_tensor, from_dlpack, from_numpy, tensor

__version__ = "0.1.0"

__all__ = [
    "Function",
    "Tensor",
    "anomaly_mode",
    "apply",
    "apply_many",
    "as_tensor",
    "data",
    "enable_grad",
    "from_dlpack",
    "from_numpy",
    "functional",
    "get_num_threads",
    "gradcheck",
    "init",
    "is_grad_enabled",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save",
    "set_num_threads",
    "tensor",
]
