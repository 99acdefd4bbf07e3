"""What the EfficientNets are compared with."""

from __future__ import annotations

from typing import Any

from tests.models.reference import Reference, torchvision_models

# Both sides become odd on the way; the last batch norm sees 2 * 3 * 2 = 12 values per channel.
SHAPE = (2, 3, 72, 56)
PARAMETERS = {
    "b0": 5_288_548,
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
    "b7": 66_347_960,
}


def reference(variant: str) -> Reference:
    name = f"efficientnet_{variant}"

    def build() -> Any:
        return getattr(torchvision_models(), name)()

    return Reference(
        name,
        build,
        f"torchvision 0.28.0 {name}",
        parameters=PARAMETERS[variant],
        shape=SHAPE,
        training_shape=SHAPE,
        slow=variant not in ("b0", "b1"),
        stages=tuple(f"features.{index}" for index in range(9)),
    )


REFERENCES = [reference(variant) for variant in PARAMETERS]
