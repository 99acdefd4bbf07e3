"""Every architecture fused equals itself within rounding, with filled weights and calibrated statistics."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from minidnn import fuse, no_grad
from minidnn.functional.normalization import BatchNormInference
from minidnn.fusion.recording import record
from minidnn.fusion.rewriting import fold_batch_norms
from minidnn.nn import Module
from models import names
from tests.reference import bounds, digest
from tests.reference.catalogue import Reference, references

FLOAT64 = 1e-10

# One of each kind of block in the quick suite, all others in the slow one.
QUICK = {"lenet5", "squeezenet1_1", "resnet20", "preresnet18", "mobilenet_v3_small", "shufflenet_v2_x1_0"}
ROWS = [
    pytest.param(reference, marks=[] if name in QUICK else [pytest.mark.slow], id=name)
    for name, reference in references().items()
]

# Batch norms that follow a sum, a concatenation or pooling: those of pre-activation, and DenseNet's.
NORMS_LEFT = {"densenet121": 62, "preresnet18": 9, "preresnet50": 17, "preresnet110": 54}


def filled(reference: Reference) -> digest.Ours:
    """The model in float64 as the references' tests fill it, in evaluation mode."""
    ours = digest.ours(reference)
    if ours.is_normalised():
        digest.calibrate(ours, reference.training_shape or (digest.CALIBRATION_BATCH, *reference.shape[1:]))
    ours.set_training(False)
    return ours


def output(model: Module, images: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(images).numpy()


def relative(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())


@pytest.mark.parametrize("reference", ROWS)
def test_equal_to_the_original(reference: Reference) -> None:
    model = filled(reference).model
    images = digest.evaluation_images(reference, reference.shape)
    want = output(model, images)
    fused = fuse(model)
    assert relative(output(fused, images), want) < FLOAT64
    assert relative(output(fused.float(), images.astype(np.float32)), want) < bounds.FLOAT32_LOGITS.limit
    assert np.array_equal(output(model, images), want)


def test_no_architecture_is_forgotten() -> None:
    assert tuple(row.id for row in ROWS) == names()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_b0", "googlenet_bn", *NORMS_LEFT])
def test_which_batch_norms_are_left(name: str) -> None:
    reference = references()[name]
    model = digest.ours(reference).model.eval()
    program = fold_batch_norms(record(model, digest.evaluation_images(reference, reference.shape)))
    left = sum(isinstance(step.function, BatchNormInference) for step in program.steps)
    assert left == NORMS_LEFT.get(name, 0)


@pytest.mark.slow
def test_a_vgg_is_little_but_its_layers() -> None:
    """13 convolutions, 5 + 1 pools, a reshape, 3 linear layers and the ReLUs behind two of them."""
    reference = references()["vgg16_bn"]
    fused = fuse(digest.ours(reference).model)
    images = digest.evaluation_images(reference, reference.shape)
    counts = Counter(step.function.name for step in fused.program(images).steps)
    assert counts.pop("PreparedConv2d") == 13
    assert counts.total() == 6 + 1 + 3 + 2
    assert counts["ReLU"] == 2
