"""DeepFace against the paper's figure 2."""

from __future__ import annotations

import pytest

import models
from tests.models.shapes import output_shapes


@pytest.mark.slow
def test_sizes_and_parameters_are_the_papers() -> None:
    model = models.deepface()
    shapes = output_shapes(model, (1, 3, 152, 152))
    assert [shapes[name] for name in ("c1", "m2", "c3", "l4", "l5", "l6")] == [
        (32, 142, 142),
        (32, 71, 71),
        (16, 63, 63),
        (16, 55, 55),
        (16, 25, 25),
        (16, 21, 21),
    ]
    counts = {name: sum(p.data.size for p in layer.parameters()) for name, layer in model.named_children()}
    assert sum(counts.values()) == 118_923_774
    # "more than 95% of the parameters come from the local and fully connected layers"
    assert 1 - (counts["c1"] + counts["c3"]) / sum(counts.values()) > 0.95
    assert shapes[""] == (4030,)


def test_other_sizes_channels_and_classes() -> None:
    model = models.deepface(num_classes=3, in_channels=1, dropout=0.1, image_size=(75, 72))
    assert model.dropout.p == 0.1
    assert output_shapes(model, (2, 1, 75, 72))[""] == (3,)


def test_refuses_images_that_are_too_small() -> None:
    with pytest.raises(ValueError, match="smaller than the window's"):
        models.deepface(image_size=(80, 71))
