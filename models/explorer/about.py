"""What is known of a kind of operation: its docstring, and the formula and paper of its explanation."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from minidnn.autograd import Function
from minidnn.costs.multiply_adds import FUNCTIONS
from minidnn.explanation import explain
from minidnn.explanation.catalogue import entry
from minidnn.tracing import OperationRecord
from models.explorer.schema import About

# Functions whose explanation has another name than they.
_EXPLANATIONS: Mapping[str, str] = {
    "BatchNormTraining": "batch_norm",
    "BatchNormInference": "batch_norm",
    "Reshape": "flatten",
}


def about(function: str) -> About:
    """Return what is known of a class of Function."""
    docstring = _docstring(function)
    try:
        name, _ = entry(_EXPLANATIONS.get(function, function))
    except ValueError:  # nobody explains it
        return About(docstring)
    explanation = explain(name)
    return About(docstring, explanation.formula, explanation.paper, name)


def _docstring(function: str) -> str:
    """What the Function says of itself; empty for one that is defined elsewhere and gone."""
    kinds: list[type[Function]] = [Function]
    while kinds:
        kind = kinds.pop()
        if kind.__name__ == function:
            return inspect.getdoc(kind) or ""
        kinds += kind.__subclasses__()
    return ""


def cost_formula(record: OperationRecord) -> str:
    """Return how the multiply-adds come about, in symbols and numbers; empty where there are none."""
    rule = FUNCTIONS.get(record.function)
    if rule is None:
        return ""
    found = rule([array.shape for array in record.inputs], record.outputs[0].shape)
    return f"{found.formula} = {found.filled_in} = {found.value:,}".replace(" x ", " × ")
