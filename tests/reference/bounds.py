"""How far apart two digests may be, and what is said of those that are further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.reference.catalogue import Reference
from tests.reference.digest import Ours, Theirs, evaluation_images


@dataclass(frozen=True)
class Bound:
    """How far apart two digests may be, and what to say if they are further.

    Attributes:
        what: in words.
        limit: the largest relative error.
    """

    what: str
    limit: float


LOGITS = Bound("logits in evaluation mode", 1e-10)
STAGES = Bound("activations in evaluation mode", 1e-9)
GRADIENTS = Bound("gradients in evaluation mode", 1e-8)
TRAINING_OUTPUTS = Bound("outputs in training mode", 1e-8)
TRAINING_GRADIENTS = Bound("gradients in training mode", 1e-8)
FLOAT32_LOGITS = Bound("float32 logits in evaluation mode", 1e-4)


def errors(got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]) -> dict[Bound, np.ndarray]:
    """The relative errors of a digest, an array for everything that is bounded.

    Logits and activations are relative to their largest magnitude, gradients to their norm; in training mode
    to at least a thousandth of the median norm, since some gradients are zero but for rounding there.
    """
    for name in {**got, **want}:
        if name not in got or name not in want or got[name].shape != want[name].shape:
            raise AssertionError(f"{name} is not the same kind of thing in both digests")
    found = {LOGITS: relative(got, want, "evaluation/logits", np.abs(want["evaluation/logits"]).max())}
    found[STAGES] = relative(got, want, "evaluation/stages", want["evaluation/stages"][:, 2:3])
    found[GRADIENTS] = gradient_errors(got, want, "evaluation", 0.0)
    if "training/gradient_norms" in want:
        norms = want["training/output_norms"]
        found[TRAINING_OUTPUTS] = np.maximum(
            relative(got, want, "training/output_norms", norms),
            relative(got, want, "training/output_products", norms),
        )
        typical = float(np.median(want["training/gradient_norms"]))
        found[TRAINING_GRADIENTS] = gradient_errors(got, want, "training", 1e-3 * typical)
    return found


def gradient_errors(
    got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray], mode: str, least: float
) -> np.ndarray:
    scale = np.maximum(want[f"{mode}/gradient_norms"], least)
    return np.maximum(
        relative(got, want, f"{mode}/gradient_norms", scale),
        relative(got, want, f"{mode}/gradient_products", scale),
    )


def relative(
    got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray], name: str, scale: Any
) -> np.ndarray:
    """|got - want| / scale, 0 where both are 0; NaN counts as infinite."""
    difference = np.abs(got[name] - want[name])
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(difference == 0, 0.0, difference / scale)
    return np.nan_to_num(error, nan=np.inf)


def float32_error(network: Ours, reference: Reference, logits: np.ndarray) -> np.ndarray:
    """The error of the calibrated network's logits after its conversion to float32 (which stays)."""
    network.set_training(False)
    network.model.float()
    got = network.forward_only(evaluation_images(reference, reference.shape).astype(np.float32))
    if got.dtype != np.float32:
        raise AssertionError(f"float32 images give {got.dtype} logits")
    return relative({"": got}, {"": logits}, "", np.abs(logits).max())


def complaints(found: Mapping[Bound, np.ndarray], names: Sequence[str]) -> list[str]:
    """What is out of bounds, a line each; `names` are the gradients' rows."""
    lines = []
    for bound, values in found.items():
        if values.size and values.max() > bound.limit:
            message = f"{bound.what}: relative error {values.max():.1e}, at most {bound.limit:.0e} is right"
            if bound in (GRADIENTS, TRAINING_GRADIENTS):
                worst = [names[i] for i in np.argsort(-values)[:4] if values[i] > bound.limit]
                message += f" ({(values > bound.limit).sum()} of {values.size}, worst: {', '.join(worst)})"
            lines.append(message)
    return lines


def key_complaints(our: Ours, their: Theirs) -> list[str]:
    """Where the two state_dicts differ, after `key`."""
    mine = {name: tensor.shape for name, tensor in our.model.state_dict().items()}
    other = {their.key(name): tuple(tensor.shape) for name, tensor in their.model.state_dict().items()}
    lines = [f"only in ours: {name}" for name in mine.keys() - other.keys()]
    lines += [f"only in the reference: {name}" for name in other.keys() - mine.keys()]
    lines += [
        f"{name}: {mine[name]} in ours, {other[name]} in the reference"
        for name in mine.keys() & other.keys()
        if tuple(mine[name]) != other[name]
    ]
    return sorted(lines)
