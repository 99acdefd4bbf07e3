"""Softmax and its logarithm on the GPU: a thread or a warp per line, see softmax.cu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from kernels import softmax
from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.lines import WARP, launch_lines, line_sizes, long_lines
from kernels.registry import implements

SOURCE = Source(__file__, "softmax.cu")

Contracts: TypeAlias = tuple[Callable[..., Array], ...]

CONTRACTS: Contracts = (
    softmax.softmax_forward,
    softmax.softmax_backward,
    softmax.log_softmax_forward,
    softmax.log_softmax_backward,
)


def _announce(contract: Callable[..., Array], version: str, idea: str, lanes: int, pays: Any) -> None:
    def run(*arguments: Any) -> Any:
        *given, axis = arguments
        arrays = [contiguous(array) for array in given]
        shape, dtype = arrays[0].shape, arrays[0].dtype
        result = empty_beside(arrays[0], shape, dtype)
        if result.size:
            macros = {"REAL": c_type(dtype)}
            launch_lines(SOURCE, contract.__name__, lanes, [*arrays, result], line_sizes(shape, axis), macros)
        return result

    implements(contract, version, idea, backend="gpu", fits=floating, pays=pays)(run)


def _pays(x: Any, *others: Any) -> bool:
    return long_lines(x.shape, others[-1])


for _contract in CONTRACTS:
    _announce(_contract, "threads", "one thread per line", 1, None)
    _announce(_contract, "warps", "the 32 threads of a warp share a line", WARP, _pays)
