"""What ShuffleNet v2 is compared with."""

from __future__ import annotations

from tests.reference.catalogue import Reference, torchvision_models

# Both sides become odd on the way; the last batch norm sees 2 * 3 * 2 = 12 values per channel.
SHAPE = (2, 3, 72, 56)

REFERENCES = [
    Reference(
        "shufflenet_v2_x1_0",
        lambda: torchvision_models().shufflenet_v2_x1_0(),
        "torchvision 0.28.0 shufflenet_v2_x1_0",
        parameters=2_278_604,
        shape=SHAPE,
        training_shape=SHAPE,
        stages=("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"),
    )
]
