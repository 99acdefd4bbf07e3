"""What the DenseNets are compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.reference.catalogue import Reference, torchvision_models

# densenet264 by hand, growth 32: a layer that sees c channels has 2c + 128c + 2*128 + 9*128*32
# = 130c + 37,120 parameters, a transition 2c + c*c/2:
#   stem                   3*64*49 + 2*64                       9,536
#   block 1, transition    130*864 + 6*37,120;      c = 256     335,040 + 33,280
#   block 2, transition    130*3,648 + 12*37,120;   c = 512     919,680 + 132,096
#   block 3, transition    130*80,896 + 64*37,120;  c = 2,304   12,892,160 + 2,658,816
#   block 4, batch norm    130*91,392 + 48*37,120;  c = 2,688   13,662,720 + 5,376
#   classifier             2,688*1000 + 1000                    2,689,000
PARAMETERS = {
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet264": 33_337_704,
}


def torchvision(name: str) -> Any:
    densenet = torchvision_models().densenet
    if name == "densenet264":
        return densenet.DenseNet(growth_rate=32, block_config=(6, 12, 64, 48), num_init_features=64)
    return getattr(densenet, name)(weights=None)


REFERENCES = [
    Reference(
        name,
        partial(torchvision, name),
        "torchvision 0.28.0 DenseNet with the paper's table 1, column 264"
        if name == "densenet264"
        else f"torchvision 0.28.0 {name}",
        parameters=parameters,
        shape=(2, 3, 64, 33),  # the last map is 2x1; the transitions leave out odd rows
        training_shape=(4, 3, 64, 33),
        slow=name != "densenet121",
        stages=(
            "features.denseblock1",
            "features.denseblock2",
            "features.denseblock3",
            "features.denseblock4",
            "features.norm5",
        ),
    )
    for name, parameters in PARAMETERS.items()
]
