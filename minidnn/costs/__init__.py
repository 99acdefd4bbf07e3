"""What layers cost: multiply-adds, other operations, parameters and bytes, every formula once.

- Multiply-adds are those of convolutions and matrix products, as the papers count them.
- Operations are all others, each of +, -, x, /, a comparison, exp, log, sqrt and a power counting as one.
- FLOPs are 2 multiply-adds + operations.
- Bytes are those of all arrays that a pass reads and writes, each once: the least that must move.

`multiply_adds.py` counts from the shapes of arrays; `weighted.py`, `pooling.py` and `elementwise.py` from a
layer's arguments, before there is an array.
"""

from minidnn.costs.count import Count, product
from minidnn.costs.layer_cost import LayerCost, Moved, Pass
from minidnn.costs.multiply_adds import (
    convolution,
    function_multiply_adds,
    linear,
    locally_connected,
    matrix_product,
    transposed_convolution,
)

__all__ = [
    "Count",
    "LayerCost",
    "Moved",
    "Pass",
    "convolution",
    "function_multiply_adds",
    "linear",
    "locally_connected",
    "matrix_product",
    "product",
    "transposed_convolution",
]
