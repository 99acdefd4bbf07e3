"""What the inception networks are compared with.

The parameter counts are published (of timm, torchvision and pytorchcv, or, for GoogLeNet, that of Caffe's
model) unless a comment says how they were derived by hand.
"""

from __future__ import annotations

from typing import Any

from models.inception_resnet import pytorchcv_key
from tests.reference.catalogue import Reference, torchvision_models


def own(name: str) -> Any:
    """A builder of tests/reference/torch_references/inception.py."""

    def build() -> Any:
        from tests.reference.torch_references import inception

        return getattr(inception, name)()

    return build


def timm(name: str) -> Any:
    """A builder of timm's model; only the classifier's dropout is not there."""

    def build() -> Any:
        from tests.torchvision_bridge import torchvision_ops

        torchvision_ops()
        import timm

        return timm.create_model(name)

    return build


def torchvision(name: str) -> Any:
    """A builder of torchvision's model; initialisation does not matter here, and takes long."""
    return lambda: getattr(torchvision_models(), name)(weights=None, aux_logits=True, init_weights=False)


def inception_resnet_v1() -> Any:
    from pytorchcv.models.inceptionresnetv1 import inceptionresnetv1
    from torch import nn

    model = inceptionresnetv1()
    # Its final pooling of 8x8 fits images of 299x299 only; the mean over any map is the same thing there.
    model.features.final_pool = nn.AdaptiveAvgPool2d(1)
    return model


GOOGLENET_STAGES = (
    "conv1",
    "conv3",
    "inception3a",
    "inception3b",
    "inception4a",
    "inception4b",
    "inception4c",
    "inception4d",
    "inception4e",
    "inception5a",
    "inception5b",
)

REFERENCES = [
    Reference(
        "inception_naive",
        own("inception_naive"),
        "torch.nn from Szegedy et al. 2014, figure 2(a)",
        # (192 + 1) 64 + (9 * 192 + 1) 128 + (25 * 192 + 1) 32 = 387,296; (64 + 128 + 32 + 192 + 1) 1000
        parameters=804_296,
        shape=(2, 192, 7, 9),
        training_shape=None,  # no normalisation, dropout or heads: training mode computes the same
        stages=("inception.branch1", "inception.branch2", "inception.branch3", "inception"),
    ),
    Reference(
        "googlenet",
        own("googlenet"),
        "torch.nn from Szegedy et al. 2014, table 1",
        parameters=13_378_280,
        shape=(1, 3, 96, 128),
        training_shape=(1, 3, 223, 240),  # the heads' 4x4 asks for 223 to 256 rows and columns
        slow=True,
        stages=GOOGLENET_STAGES,
    ),
    Reference(
        "googlenet_bn",
        torchvision("googlenet"),
        "torchvision 0.28.0 googlenet",
        parameters=13_004_888,
        shape=(1, 3, 64, 96),
        training_shape=(2, 3, 64, 96),
        stages=GOOGLENET_STAGES,
    ),
    Reference(
        "googlenet_d2l",
        own("googlenet_d2l"),
        "torch.nn from Szegedy et al. 2014, table 1, with the changes of Dive into Deep Learning 8.4",
        # without heads 6,998,552; less 2 * 49 * 64 weights of the first layer and 990 * 1025 of the last
        parameters=5_977_530,
        shape=(1, 1, 96, 64),
        training_shape=None,  # no normalisation, dropout or heads: training mode computes the same
        stages=GOOGLENET_STAGES,
    ),
    Reference(
        "inception_v2",
        own("inception_v2"),
        "torch.nn from Ioffe and Szegedy 2015, figure 5",
        # a convolution of i inputs, o outputs and a kxk window has i o k k + 2 o numbers with its batch norm:
        # 49 * 3 * 64 + 128 = 9,536, 64 * 64 + 128 = 4,224, 9 * 64 * 192 + 384 = 110,976; 3a 219,072,
        # 3b 260,160, 3c 385,088; 4a 609,984, 4b 665,344, 4c 895,936, 4d 1,108,032, 4e 1,439,744;
        # 5a 2,182,272, 5b 2,279,616; linear 1025 * 1000
        parameters=11_194_984,
        shape=(1, 3, 64, 96),
        training_shape=(2, 3, 64, 96),
        stages=(*GOOGLENET_STAGES, "inception3c"),
    ),
    Reference(
        "inception_v3",
        torchvision("inception_v3"),
        "torchvision 0.28.0 inception_v3",
        parameters=27_161_264,
        shape=(1, 3, 107, 139),
        # the head's last batch norm sees 2 * 1 * 4 values: its map of 17x26 is pooled to 5x8
        training_shape=(2, 3, 299, 443),
        slow=True,
        stages=(
            "maxpool2",
            "Mixed_5b",
            "Mixed_5d",
            "Mixed_6a",
            "Mixed_6e",
            "Mixed_7a",
            "Mixed_7b",
            "Mixed_7c",
        ),
    ),
    Reference(
        "inception_v4",
        timm("inception_v4"),
        "timm 1.0.29 inception_v4",
        parameters=42_679_816,
        shape=(1, 3, 107, 139),
        training_shape=(4, 3, 75, 107),
        slow=True,
        stages=tuple(f"features.{i}" for i in (2, 3, 4, 5, 6, 9, 10, 11, 17, 18, 19, 21)),
    ),
    Reference(
        "inception_resnet_v1",
        inception_resnet_v1,
        "pytorchcv 0.0.74 inceptionresnetv1, its last pooling made adaptive",
        parameters=23_995_624,
        shape=(1, 3, 107, 139),
        training_shape=(8, 3, 75, 91),
        key=pytorchcv_key,
        slow=True,
        stages=(
            "conv2d_4b",
            "repeat.0",
            "repeat.4",
            "mixed_6a",
            "repeat_1.9",
            "mixed_7a",
            "repeat_2.4",
            "block8",
        ),
    ),
    Reference(
        "inception_resnet_v2",
        timm("inception_resnet_v2"),
        "timm 1.0.29 inception_resnet_v2",
        parameters=55_843_464,
        shape=(1, 3, 107, 139),
        training_shape=(4, 3, 75, 107),
        slow=True,
        stages=("mixed_5b", "repeat", "mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b"),
    ),
    Reference(
        "inceptionnet_three_towers",
        own("inceptionnet_three_towers"),
        "torch.nn from Keras's guide to the functional API",
        # 256 + 36,928; 256 + 102,464; 256; (192 * 32 * 32 + 1) 10 = 1,966,090
        parameters=2_106_250,
        shape=(1, 3, 32, 32),
        training_shape=None,  # no normalisation, dropout or heads: training mode computes the same
        stages=("towers.tower1", "towers.tower2", "towers.tower3"),
        fixed_size=True,
    ),
    Reference(
        "inceptionnet_with_heads",
        own("inceptionnet_with_heads"),
        "torch.nn from Szegedy et al. 2014, table 1, with TensorFlow's padding",
        # GoogLeNet's 13,378,280, less 990 classes of 1025 numbers in each of three classifiers
        parameters=10_334_030,
        shape=(1, 3, 95, 128),
        training_shape=(1, 3, 224, 239),
        slow=True,
        stages=GOOGLENET_STAGES,
        key=lambda name: name.replace("conv1.0.inner.", "conv1.conv."),
    ),
    Reference(
        "dlib_inception",
        own("dlib_inception"),
        "torch.nn from dlib's dnn_inception_ex",
        # 20 + 32 + 1,450 + 32 + 4,010 + 20; 164 + 1,444 + 164; (588 + 1) 32 + (32 + 1) 10
        parameters=26_514,
        shape=(2, 1, 28, 28),
        training_shape=None,  # no normalisation, dropout or heads: training mode computes the same
        stages=("incept_a", "incept_b", "fc1"),
        fixed_size=True,
    ),
    Reference(
        "xception",
        timm("legacy_xception"),
        "timm 1.0.29 legacy_xception",
        parameters=22_855_952,
        shape=(1, 3, 64, 96),
        training_shape=(2, 3, 64, 96),
        slow=True,
        stages=("block1", "block2", "block3", "block4", "block11", "block12", "conv3", "conv4"),
    ),
]
