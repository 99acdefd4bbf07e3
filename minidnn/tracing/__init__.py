"""Traces: what every operation of a model did, forward and backward, and what it cost."""

from minidnn.statistics import Statistics
from minidnn.tracing.recording import trace
from minidnn.tracing.records import (
    MODEL_INPUT,
    ArrayRecord,
    KernelCall,
    ModuleRecord,
    OperationArrays,
    OperationRecord,
    SourceLine,
)
from minidnn.tracing.trace import Trace

__all__ = [
    "MODEL_INPUT",
    "ArrayRecord",
    "KernelCall",
    "ModuleRecord",
    "OperationArrays",
    "OperationRecord",
    "SourceLine",
    "Statistics",
    "Trace",
    "trace",
]
