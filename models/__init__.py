"""The architectures, one file per family.

import models

models.names()                                  # every model's name
model = models.create("lenet5", num_classes=10)
model = models.lenet5(activation="relu", pooling="max")
"""

from models.efficientnet import (
    EfficientNet,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
)
from models.lenet import LeNet5, lenet5
from models.mixnet import MixNet, mixnet_l, mixnet_m, mixnet_s
from models.mobilenet_v1 import MobileNetV1, mobilenet_v1
from models.mobilenet_v2 import MobileNetV2, mobilenet_v2
from models.mobilenet_v3 import MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from models.registry import create, names
from models.shufflenet import ShuffleNetV2, shufflenet_v2_x1_0

__all__ = [
    "EfficientNet",
    "LeNet5",
    "MixNet",
    "MobileNetV1",
    "MobileNetV2",
    "MobileNetV3",
    "ShuffleNetV2",
    "create",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "lenet5",
    "mixnet_l",
    "mixnet_m",
    "mixnet_s",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "names",
    "shufflenet_v2_x1_0",
]
