"""What the MixNets are compared with."""

from __future__ import annotations

from typing import Any

from models.mixnet import timm_key
from tests.reference.catalogue import Reference

# Both sides become odd on the way; the last batch norm sees 2 * 3 * 2 = 12 values per channel.
SHAPE = (2, 3, 72, 56)
PARAMETERS = {"mixnet_s": 4_134_606, "mixnet_m": 5_014_382, "mixnet_l": 7_329_252}


def reference(name: str) -> Reference:
    def build() -> Any:
        from tests.torchvision_bridge import torchvision_ops

        torchvision_ops()  # timm imports torchvision
        import timm

        return timm.create_model(name)

    return Reference(
        name,
        build,
        f"timm 1.0.29 {name}",
        parameters=PARAMETERS[name],
        shape=SHAPE,
        training_shape=SHAPE,
        key=timm_key,
        slow=name != "mixnet_s",
        stages=("conv_stem", *(f"blocks.{index}" for index in range(6)), "conv_head"),
    )


REFERENCES = [reference(name) for name in PARAMETERS]
