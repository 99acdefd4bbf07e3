"""Tensor's operators and methods: names, arguments and meaning as in PyTorch.

A method brings its operands to one dtype (promotion.py), reads its arguments, and hands the work to a
Function of `minidnn.operators`. One room per kind of method; each inherits the rooms whose methods it calls.
"""

from minidnn.tensor_methods.conversion import read_targets
from minidnn.tensor_methods.in_place import InPlace
from minidnn.tensor_methods.interchange import Interchange, describe
from minidnn.tensor_methods.promotion import common_dtype, converted, meet
from minidnn.tensor_methods.python_object import PythonObject
from minidnn.tensor_methods.reading import as_array
from minidnn.tensor_methods.reduction import Extremes

__all__ = [
    "Extremes",
    "TensorMethods",
    "as_array",
    "common_dtype",
    "converted",
    "describe",
    "meet",
    "read_targets",
]


class TensorMethods(InPlace, PythonObject, Interchange):
    """All methods that Tensor inherits. `Tensor` itself adds memory and history."""
