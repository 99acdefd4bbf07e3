"""The VGGs against the paper's table, and their convolutions against torchvision's."""

from __future__ import annotations

from typing import Any

import pytest

import models
from models.vgg import COLUMNS, stacked
from tests.models.shapes import output_shapes
from tests.reference import bounds, digest
from tests.reference.architectures.vgg import column_a_lrn, column_c
from tests.reference.catalogue import Reference, identity, torchvision_models
from tests.reference.digest import Ours, Theirs

# Counted by hand from table 1; the paper's table 2 gives the sums with the fully connected layers.
CONVOLUTION_PARAMETERS = {
    "A": 9_220_480,
    "A-LRN": 9_220_480,
    "B": 9_404_992,
    "C": 9_996_096,
    "D": 14_714_688,
    "E": 20_024_384,
}
FULLY_CONNECTED = 102_764_544 + 16_781_312 + 4_097_000
PUBLISHED_MILLIONS = {"A": 133, "A-LRN": 133, "B": 133, "C": 134, "D": 138, "E": 144}
LAYERS = {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_the_tables(column: str) -> None:
    features = stacked(COLUMNS[column], 3, batch_norm=False)
    count = sum(parameter.data.size for parameter in features.parameters())
    assert count == CONVOLUTION_PARAMETERS[column]
    assert round((count + FULLY_CONNECTED) / 1e6) == PUBLISHED_MILLIONS[column]
    weights = [name for name, _ in features.named_parameters() if name.endswith("weight")]
    assert len(weights) + 3 == LAYERS[column]


def their_features(column: str, batch_norm: bool) -> Any:
    vgg = torchvision_models().vgg
    own = {"A-LRN": column_a_lrn, "C": column_c}
    return own[column]() if column in own else vgg.make_layers(vgg.cfgs[column], batch_norm)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("column", "batch_norm"),
    [*((column, False) for column in COLUMNS), *((column, True) for column in "ABDE")],
)
def test_convolutions_equal_torchvisions(column: str, batch_norm: bool) -> None:
    """Outputs and gradients of what tells the columns apart, in both modes where they differ."""
    pytest.importorskip("torch")
    try:
        their = Theirs(their_features(column, batch_norm).double(), identity)
    except ImportError as missing:
        pytest.skip(str(missing))
    our = Ours(stacked(COLUMNS[column], 3, batch_norm).double())
    assert bounds.key_complaints(our, their) == []
    shape = (1, 3, 32, 48)
    reference = Reference(column, lambda: None, "torchvision's layers", 0, shape, None)
    our.fill(reference)
    their.fill(reference)
    training = (4, *shape[1:]) if batch_norm else None
    want = digest.digest(their, reference, shape, training)
    got = digest.digest(our, reference, shape, training)
    assert bounds.complaints(bounds.errors(got, want), our.names()) == []


@pytest.mark.slow
def test_the_columns_builders_name_them() -> None:
    model = models.vgg16_conv1(num_classes=3, in_channels=1, dropout=0.1)
    names = set(model.state_dict())
    assert {"features.0.weight", "features.28.bias", "classifier.0.weight", "classifier.6.bias"} <= names
    assert model.features[14].kernel_size == (1, 1)
    assert output_shapes(model, (1, 1, 32, 40))[""] == (3,)
