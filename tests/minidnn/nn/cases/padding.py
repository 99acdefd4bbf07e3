"""Cases of the padding layers."""

from __future__ import annotations

from typing import Any

from tests.minidnn.case import ModuleCase


def padding(module: str, label: str, *shape: int, arguments: tuple[Any, ...]) -> ModuleCase:
    return ModuleCase(module, label, arguments, {}, lambda draw: (draw.normal(*shape),))


CASES = [
    padding("ZeroPad2d", "all-sides", 2, 3, 4, 5, arguments=(2,)),
    padding("ZeroPad2d", "each-side", 3, 4, 5, arguments=((1, 0, 2, 3),)),
    padding("ZeroPad2d", "crop", 2, 3, 4, 5, arguments=((-1, 0, 2, -3),)),
    padding("ZeroPad2d", "matrix", 4, 5, arguments=(1,)),
    padding("ConstantPad2d", "all-sides", 2, 3, 4, 5, arguments=(1, 2.5)),
    padding("ConstantPad2d", "each-side", 2, 3, 4, 5, arguments=((1, 0, 2, 3), -1.0)),
    padding("ReflectionPad2d", "all-sides", 2, 3, 4, 5, arguments=(3,)),
    padding("ReflectionPad2d", "each-side", 3, 4, 5, arguments=((1, 0, 2, 3),)),
    padding("ReplicationPad2d", "all-sides", 2, 3, 4, 5, arguments=(6,)),
    padding("ReplicationPad2d", "each-side", 3, 4, 5, arguments=([1, 0, 2, 3],)),
]
