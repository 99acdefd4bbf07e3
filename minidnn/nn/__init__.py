"""Layers and losses as modules, with PyTorch's names, arguments and initialisation."""

from minidnn.nn.container import Concat, ModuleList, Sequential
from minidnn.nn.module import Module, Parameter

__all__ = ["Concat", "Module", "ModuleList", "Parameter", "Sequential"]
