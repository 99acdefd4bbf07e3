"""SqueezeNet: the paper's table of sizes, and its arguments."""

from __future__ import annotations

import models
from tests.models.shapes import output_shapes


def test_fire_modules_are_the_tables() -> None:
    model = models.squeezenet1_0()
    fires = [module for module in model.features if hasattr(module, "squeeze")]
    squeezes = [fire.squeeze.out_channels for fire in fires]
    expands = [fire.expand3x3.out_channels for fire in fires]
    assert squeezes == [16, 16, 32, 32, 48, 48, 64, 64]
    assert expands == [64, 64, 128, 128, 192, 192, 256, 256]
    shapes = output_shapes(model, (1, 3, 224, 224))
    assert shapes["features.0"] == (96, 109, 109)
    assert [shapes[f"features.{i}"][1] for i in (2, 6, 11)] == [54, 27, 13]
    assert shapes["classifier.1"] == (1000, 13, 13)


def test_other_classes_channels_and_dropout() -> None:
    for model in (models.squeezenet1_0(3, 1, 0.2), models.squeezenet1_1(3, 1, 0.2)):
        assert model.classifier[0].p == 0.2
        assert output_shapes(model, (2, 1, 33, 40))[""] == (3,)
