"""The architectures, one file per family.

import models

models.names()                                  # every model's name
model = models.create("lenet5", num_classes=10)
model = models.lenet5(activation="relu", pooling="max")
"""

from models.lenet import LeNet5, lenet5
from models.registry import create, names

__all__ = ["LeNet5", "create", "lenet5", "names"]
