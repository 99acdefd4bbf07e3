"""PyTorch's losses with weights given as arrays. Import it only where torch is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tests.torch_bridge import to_torch


def _from_arrays(module: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    def convert(value: Any) -> Any:
        return to_torch(value) if isinstance(value, np.ndarray) else value

    def make(*arguments: Any, **keywords: Any) -> torch.nn.Module:
        return module(*map(convert, arguments), **{name: convert(value) for name, value in keywords.items()})

    return make


CrossEntropyLoss = _from_arrays(torch.nn.CrossEntropyLoss)
NLLLoss = _from_arrays(torch.nn.NLLLoss)
BCEWithLogitsLoss = _from_arrays(torch.nn.BCEWithLogitsLoss)
MultiMarginLoss = _from_arrays(torch.nn.MultiMarginLoss)
