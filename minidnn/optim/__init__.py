"""Optimisers, with PyTorch's names and arguments; schedules of the learning rate are in `schedule`,
averages of the weights in `swa_utils`."""

from minidnn.optim import schedule, swa_utils
from minidnn.optim.adam import Adam, AdamW
from minidnn.optim.optimizer import Optimizer
from minidnn.optim.rmsprop import RMSprop
from minidnn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "schedule", "swa_utils"]
