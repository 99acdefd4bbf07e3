"""Every family learns: 60 steps of an optimiser on real digits bring the training loss below a third.

A network that computes what its reference computes can still be one that does not train: gradients that
vanish, an initialisation that saturates, a head that is cut off. Each row trains a member of one family on
one batch of the embedded digits over and over, and without dropout: 60 steps are few, and neither the noise
of the batches nor that of a mask is to hide a network that does not learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

import minidnn
import models
from minidnn import Tensor, data
from minidnn.optim import SGD, Adam
from models import registry

STEPS = 60
CLASSES = 10


@dataclass(frozen=True)
class Row:
    """How a member of a family is trained.

    Attributes:
        name: as `models.create` takes it.
        size: to which the digits are resized: the smallest input that the network takes, 8 (as the digits
            come) if it takes any; a comment says where it is larger.
        arguments: of the builder, beyond classes and channels.
        optimizer: its class.
        lr: its learning rate.
        digits: how many of them make the batch; the first ten are one of each class.
    """

    name: str
    size: int
    arguments: dict[str, Any] = field(default_factory=dict)
    optimizer: type[SGD] | type[Adam] = Adam
    lr: float = 1e-3
    digits: int = 32


NO_DROPOUT = {"dropout": 0.0}
# GoogLeNet's heads want maps of 14x14, Inception v3's of 17x17, which only the papers' images have; those of
# `googlenet_bn`, which pool adaptively, are trained below.
NO_HEADS = {"aux_logits": False, **NO_DROPOUT}
# Without batch norm, deep stacks of ReLUs learn at first only on a third of Adam's usual rate.
GENTLE = 3e-4
ROWS = (
    Row("lenet5", 32),
    Row("dlib_inception", 28),
    Row("alexnet", 63, NO_DROPOUT, lr=GENTLE),
    # Of 62 and 129 million parameters, on which Adam's three passes cost more than the network's own work.
    Row("zfnet", 207, NO_DROPOUT, SGD, lr=0.01, digits=10),
    Row("vgg11_bn", 32, NO_DROPOUT, SGD, lr=0.01, digits=16),
    Row("nin_cifar10", 8, NO_DROPOUT),
    Row("googlenet", 32, NO_HEADS, lr=GENTLE),
    Row("googlenet_bn", 16, {"dropout": 0.0, "dropout_aux": 0.0}),
    # One module and the mean of its maps: shallow enough for a high rate, too small to learn on a low one.
    Row("inception_naive", 8, lr=0.03),
    Row("inceptionnet_three_towers", 8, {"input_size": (8, 8)}),
    Row("inceptionnet_with_heads", 8, NO_HEADS, lr=GENTLE),
    Row("inception_v2", 8),
    Row("inception_v3", 75, NO_HEADS, digits=16),
    Row("inception_v4", 75, NO_DROPOUT, digits=16),
    Row("inception_resnet_v1", 75, NO_DROPOUT, digits=16),
    Row("resnet18", 8),
    Row("resnet20", 8),
    Row("preresnet18", 8),
    Row("densenet121", 32, digits=16),
    Row("xception", 8, NO_DROPOUT, digits=16),
    Row("mixnet_s", 8, NO_DROPOUT, digits=16),
    # It takes 20, where its last maps are 1x1: the ReLU behind the classifier then leaves half of the classes
    # without a gradient from the start. With 3x3 places a class seldom is dead in all of them.
    Row("squeezenet1_1", 64, NO_DROPOUT, lr=5e-4, digits=16),
    Row("shufflenet_v2_x1_0", 8),
    Row("deepface", 72, {"image_size": 72, **NO_DROPOUT}, lr=GENTLE),
    # A quarter of the width bears, and needs, a higher rate. At 8, where v1's last maps are 1x1, it learns
    # too, but its loss still jumps at the end.
    Row("mobilenet_v1", 16, {"width_mult": 0.25, **NO_DROPOUT}, lr=3e-3),
    Row("mobilenet_v2", 8, {"width_mult": 0.25, **NO_DROPOUT}, lr=3e-3),
    Row("mobilenet_v3_small", 8, {"width_mult": 0.5, **NO_DROPOUT}),
    Row("efficientnet_b0", 8, {"stochastic_depth": 0.0, **NO_DROPOUT}, digits=16),
    Row("yolo_v1_classifier", 32, lr=GENTLE, digits=16),
)


def family(name: str) -> str:
    """The file that the model stands in."""
    return registry.entry(name).builder.__module__


def batch(row: Row) -> tuple[Tensor, Tensor]:
    """The first digits, with mean 0 and deviation 1 over all pixels, and their labels."""
    digits = data.digits(8, "train")
    images = data.resize(digits.inputs[: row.digits], row.size)  # (N, 1, size, size)
    return Tensor((images - images.mean()) / images.std()), Tensor(digits.targets[: row.digits])


def test_no_family_is_forgotten() -> None:
    assert {family(row.name) for row in ROWS} == {family(name) for name in models.names()}


def test_every_batch_has_all_classes() -> None:
    for row in ROWS:
        assert set(data.digits(8, "train").targets[: row.digits]) == set(range(CLASSES)), row.name


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_learns(row: Row) -> None:
    minidnn.manual_seed(0)
    model = models.create(row.name, num_classes=CLASSES, in_channels=1, **row.arguments)
    optimizer = row.optimizer(model.parameters(), lr=row.lr)
    images, labels = batch(row)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        output = model(images)
        loss = models.auxiliary_loss(output, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # A start that is worse than guessing must not make it easy: its part of the fall does not count.
    heads = len(output) - 1 if isinstance(output, tuple) else 0
    guessing = math.log(CLASSES) * (1 + 0.3 * heads)
    assert sum(losses[-5:]) / 5 < min(losses[0], guessing) / 3, losses
