"""What the EfficientNets are compared with."""

from __future__ import annotations

from typing import Any

from models.efficientnet import timm_key
from tests.reference.catalogue import Reference, torchvision_models

# Both sides become odd on the way. With few images in the calibrating batch some channels' variances come out
# tiny, and deep variants then amplify rounding errors: the larger ones are given more images.
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


def images(variant: str) -> int:
    """How many images the training batch has; the last batch norm sees 3 * 2 values of each."""
    return {"b0": 2, "b5": 24, "b6": 16, "b7": 16}.get(variant, 8)


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
        training_shape=(images(variant), *SHAPE[1:]),
        slow=variant != "b0",
        damped="" if variant == "b0" else "block.3.1.weight",
        stages=tuple(f"features.{index}" for index in range(9)),
    )


REFERENCES = [reference(variant) for variant in PARAMETERS]


def timm_efficientnet_b0() -> Any:
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()  # timm imports torchvision
    import timm

    return timm.create_model("tf_efficientnet_b0")


VARIANTS = [
    Reference(
        "efficientnet_b0_tensorflow",
        timm_efficientnet_b0,
        "timm 1.0.29 tf_efficientnet_b0",
        parameters=PARAMETERS["b0"],
        # Each side is even and odd at some stride: TensorFlow's padding tells them apart.
        shape=(2, 3, 36, 33),
        training_shape=(8, 3, 36, 33),
        arguments={"padding": "tensorflow"},
        key=timm_key,
        variant_of="efficientnet_b0",
    )
]
