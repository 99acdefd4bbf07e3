"""Network in network: its layers, and that no fully connected layer is left."""

from __future__ import annotations

from itertools import chain

import models
from minidnn.nn import Linear
from tests.models.shapes import output_shapes


def test_sizes_of_the_imagenet_form() -> None:
    model = models.nin()
    shapes = output_shapes(model, (1, 3, 224, 224))
    sizes = [shapes[f"features.{i}"][1:] for i in (0, 1, 2, 3, 4, 5, 7)]
    assert sizes == [(n, n) for n in (54, 27, 27, 13, 13, 6, 6)]
    assert shapes["features.7"] == (1000, 6, 6)
    counts = [sum(p.data.size for p in layer.parameters()) for layer in model.features]
    assert [count for count in counts if count] == [53_568, 746_240, 1_180_800, 5_614_568]


def test_sizes_of_the_cifar_form() -> None:
    model = models.nin_cifar10()
    shapes = output_shapes(model, (1, 3, 32, 32))
    assert [shapes[f"features.{i}"][1:] for i in (0, 1, 3, 4, 6)] == [(n, n) for n in (32, 16, 16, 8, 8)]
    counts = [sum(p.data.size for p in layer.parameters()) for layer in model.features]
    assert [count for count in counts if count] == [60_928, 535_104, 370_954]


def test_scores_are_means_of_maps() -> None:
    models_made = (models.nin(num_classes=5, in_channels=1), models.nin_cifar10(num_classes=5, in_channels=1))
    for model in models_made:
        shapes = output_shapes(model, (2, 1, 67, 75))
        assert shapes["pool"] == (5, 1, 1)
        assert shapes[""] == (5,)
    assert not any(isinstance(module, Linear) for module in chain(*(m.modules() for m in models_made)))
