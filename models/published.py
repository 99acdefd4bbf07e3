"""What the papers print about the models: parameters, mult-adds, accuracies.

Numbers stand as they are printed ("6.8 M", "569 M", "1,248,424"); ours agree if they round to them. Where
ours differ by more, `why` says why. The accuracies are the papers' own, on ImageNet's validation images
unless they say otherwise: published, not reproduced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True)
class Paper:
    """Where a model was published.

    Attributes:
        year: of its first appearance.
        title: authors, title and where to find it.
    """

    year: int
    title: str


@dataclass(frozen=True)
class Published:
    """What a paper says about a model.

    Attributes:
        paper: where.
        parameters: as printed, without auxiliary heads; empty if the paper gives no number.
        mult_adds: as printed, for one image; empty likewise.
        why: why our numbers differ by more than rounding; empty if they do not.
        accuracy: as published, not reproduced; empty if the paper gives no number.
    """

    paper: Paper
    parameters: str = ""
    mult_adds: str = ""
    why: str = ""
    accuracy: str = ""

    def agrees(self, parameters: int, mult_adds: int) -> bool:
        """Whether our numbers round to the printed ones."""
        pairs = ((self.parameters, parameters), (self.mult_adds, mult_adds))
        return all(rounds_to(value, printed) for printed, value in pairs if printed)


def rounds_to(value: float, printed: str) -> bool:
    """Whether a number, rounded to the digits that `printed` has, is it: 60,965,224 rounds to "61 M".

    Raises:
        ValueError: `printed` is not a number, perhaps with k, M or G.
    """
    match = re.fullmatch(r"([\d,]+)(\.\d+)? ?([kMG]?)", printed)
    if match is None:
        raise ValueError(f"printed must be a number, perhaps with k, M or G, got {printed!r}")
    whole, fraction, unit = match[1].replace(",", ""), match[2] or "", match[3]
    digits = max(len(fraction) - 1, 0)
    last_digit: float = UNITS[unit] / 10**digits
    return abs(value - float(whole + fraction) * UNITS[unit]) <= 0.5001 * last_digit


LENET = Paper(1998, "LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86")
DLIB = Paper(2016, "dlib's deep-learning examples (King, Dlib-ml: a machine learning toolkit, JMLR 2009)")
D2L = Paper(2019, "Zhang et al., Dive into deep learning, arXiv:2106.11342")
KERAS = Paper(2017, "the InceptionNets of Keras tutorials, after Szegedy et al., arXiv:1409.4842")
ALEXNET = Paper(2012, "Krizhevsky et al., ImageNet classification with deep CNNs, NIPS 2012")
ONE_TOWER = Paper(2014, "Krizhevsky, One weird trick for parallelizing CNNs, arXiv:1404.5997")
ZFNET = Paper(2013, "Zeiler, Fergus, Visualizing and understanding convolutional networks, arXiv:1311.2901")
NIN = Paper(2013, "Lin, Chen, Yan, Network in network, arXiv:1312.4400")
VGG = Paper(2014, "Simonyan, Zisserman, Very deep convolutional networks, arXiv:1409.1556")
DEEPFACE = Paper(2014, "Taigman et al., DeepFace: closing the gap to human-level performance, CVPR 2014")
GOOGLENET = Paper(2014, "Szegedy et al., Going deeper with convolutions, arXiv:1409.4842")
INCEPTION_V2 = Paper(2015, "Ioffe, Szegedy, Batch normalization, arXiv:1502.03167")
INCEPTION_V3 = Paper(2015, "Szegedy et al., Rethinking the inception architecture, arXiv:1512.00567")
INCEPTION_V4 = Paper(2016, "Szegedy et al., Inception-v4, Inception-ResNet, arXiv:1602.07261")
RESNET = Paper(2015, "He et al., Deep residual learning for image recognition, arXiv:1512.03385")
PRERESNET = Paper(2016, "He et al., Identity mappings in deep residual networks, arXiv:1603.05027")
RESNEXT = Paper(2016, "Xie et al., Aggregated residual transformations, arXiv:1611.05431")
DENSENET = Paper(2016, "Huang et al., Densely connected convolutional networks, arXiv:1608.06993")
YOLO = Paper(2015, "Redmon et al., You only look once, arXiv:1506.02640")
SQUEEZENET = Paper(2016, "Iandola et al., SqueezeNet, arXiv:1602.07360")
XCEPTION = Paper(2016, "Chollet, Xception: depthwise separable convolutions, arXiv:1610.02357")
MOBILENET_V1 = Paper(2017, "Howard et al., MobileNets, arXiv:1704.04861")
MOBILENET_V2 = Paper(2018, "Sandler et al., MobileNetV2: inverted residuals, arXiv:1801.04381")
MOBILENET_V3 = Paper(2019, "Howard et al., Searching for MobileNetV3, arXiv:1905.02244")
SHUFFLENET_V2 = Paper(2018, "Ma et al., ShuffleNet V2: practical guidelines, arXiv:1807.11164")
EFFICIENTNET = Paper(2019, "Tan, Le, EfficientNet: rethinking model scaling, arXiv:1905.11946")
MIXNET = Paper(2019, "Tan, Le, MixConv: mixed depthwise convolutional kernels, arXiv:1907.09595")

_STRIDE = (
    'The stride stands in the 3x3 convolution ("v1.5"), not in the 1x1 before it, which then runs on the '
    "larger map"
)
_NO_CONVENTION = "The paper does not say what it counts besides convolutions and fully connected layers"

# MobileNet v1, tables 6 and 7: (width, resolution) -> parameters, mult-adds, top-1 accuracy in per cent.
MOBILENET_V1_SIZES = {
    (1.0, 224): ("4.2 M", "569 M", 70.6),
    (0.75, 224): ("2.6 M", "325 M", 68.4),
    (0.5, 224): ("1.3 M", "149 M", 63.7),
    (0.25, 224): ("0.5 M", "41 M", 50.6),
    (1.0, 192): ("4.2 M", "418 M", 69.1),
    (1.0, 160): ("4.2 M", "290 M", 67.2),
    (1.0, 128): ("4.2 M", "186 M", 64.4),
}
_MOBILENET_V1_ACCURACIES = ", ".join(
    f"{accuracy} % ({width} wide, {resolution}x{resolution})"
    for (width, resolution), (_, _, accuracy) in MOBILENET_V1_SIZES.items()
)

PUBLISHED: dict[str, Published] = {
    "lenet5": Published(
        LENET,
        parameters="60 k",
        why="C3 sees all maps of S2, which takes 900 weights more; the poolings have none; the output "
        "layer's 850 are trained, the paper's are fixed",
        accuracy="0.95 % errors on MNIST, 0.8 % with distorted images",
    ),
    "lenet5_paper": Published(
        LENET,
        parameters="60,000",
        why="The output layer is linear and adds 850; the paper's radial basis units are not trained",
        accuracy="0.95 % errors on MNIST, 0.8 % with distorted images",
    ),
    "lenet_dlib": Published(DLIB),
    "lenet_d2l": Published(D2L),
    "dlib_inception": Published(DLIB),
    "alexnet": Published(ONE_TOWER),
    "alexnet_paper": Published(
        ALEXNET,
        parameters="60 M",
        why="The paper's 60 million is a round figure; its table of layers gives 60,965,224",
        accuracy="top-5 errors 18.2 %, seven networks 15.4 % (on the test images 15.3 %)",
    ),
    "alexnet_d2l": Published(D2L),
    "zfnet": Published(ZFNET, accuracy="errors top-1 38.4 %, top-5 16.5 %"),
    "nin": Published(NIN),
    "nin_cifar10": Published(NIN, accuracy="CIFAR-10 errors 10.41 %, with augmentation 8.81 %"),
    "deepface": Published(
        DEEPFACE,
        parameters="120 M",
        why='The paper says "more than 120 million"; its figure\'s sizes give 118,923,774',
        accuracy="97.35 % of LFW's pairs right",
    ),
    "vgg11": Published(VGG, "133 M", accuracy="errors top-1 29.6 %, top-5 10.4 %"),
    "vgg11_lrn": Published(VGG, "133 M", accuracy="errors top-1 29.7 %, top-5 10.5 %"),
    "vgg13": Published(VGG, "133 M", accuracy="errors top-1 28.7 %, top-5 9.9 %"),
    "vgg16_conv1": Published(
        VGG, "134 M", accuracy="errors top-1 28.1 %, top-5 9.4 %, with scale jittering 8.8 %"
    ),
    "vgg16": Published(
        VGG,
        "138 M",
        "15.3 G",
        why="15.3 G (from He et al., arXiv:1512.03385) leaves out the fully connected layers' 0.12 G",
        accuracy="errors top-1 27.0 %, top-5 8.8 %, with scale jittering 8.1 %",
    ),
    "vgg19": Published(
        VGG, "144 M", "19.6 G", accuracy="errors top-1 27.3 %, top-5 9.0 %, with scale jittering 8.0 %"
    ),
    "vgg11_bn": Published(VGG),
    "vgg13_bn": Published(VGG),
    "vgg16_bn": Published(VGG),
    "vgg19_bn": Published(VGG),
    "vgg11_d2l": Published(D2L),
    "googlenet": Published(
        GOOGLENET,
        "6.8 M",
        "1.55 G",
        why="The paper's table counts in units of 1024 and gives its first layer 2.7 of them where 7x7x3x64 "
        "weights are 9.2; its mult-adds are the sum of rounded figures",
        accuracy="top-5 error 10.07 % (one network, one crop), 6.67 % (seven, 144 crops)",
    ),
    "googlenet_bn": Published(GOOGLENET),
    "googlenet_d2l": Published(D2L),
    "inception_naive": Published(GOOGLENET),
    "inceptionnet_three_towers": Published(KERAS),
    "inceptionnet_with_heads": Published(KERAS),
    "inception_v2": Published(
        INCEPTION_V2,
        "13.6 M",
        why="The sizes in the paper's figure do not add up to the 13.6 million of its text",
        accuracy="top-1 error 25.2 %, six networks top-5 4.9 %",
    ),
    "inception_v3": Published(
        INCEPTION_V3,
        "25 M",
        "5 G",
        why='The paper\'s figures are round ("less than 25 million", "5 billion")',
        accuracy="errors top-1 21.2 %, top-5 5.6 % (one crop)",
    ),
    "inception_v4": Published(INCEPTION_V4, accuracy="errors top-1 20.0 %, top-5 5.0 % (one crop)"),
    "inception_resnet_v1": Published(INCEPTION_V4, accuracy="errors top-1 21.3 %, top-5 5.5 % (one crop)"),
    "inception_resnet_v2": Published(INCEPTION_V4, accuracy="errors top-1 19.9 %, top-5 4.9 % (one crop)"),
    "resnet18": Published(RESNET, mult_adds="1.8 G", accuracy="top-1 error 27.88 % (ten crops)"),
    "resnet34": Published(
        RESNET,
        mult_adds="3.6 G",
        why="The paper's shortcuts pad with zeros (option A); the 1x1 convolutions here cost 0.02 G",
        accuracy="errors top-1 25.03 %, top-5 7.76 % (ten crops)",
    ),
    "resnet50": Published(
        RESNET,
        mult_adds="3.8 G",
        why=_STRIDE + "; before it there would be 3.86 G",
        accuracy="errors top-1 22.85 %, top-5 6.71 % (ten crops)",
    ),
    "resnet101": Published(
        RESNET, mult_adds="7.6 G", why=_STRIDE, accuracy="errors top-1 21.75 %, top-5 6.05 % (ten crops)"
    ),
    "resnet152": Published(
        RESNET, mult_adds="11.3 G", why=_STRIDE, accuracy="errors top-1 21.43 %, top-5 5.71 % (ten crops)"
    ),
    "plain18": Published(RESNET, mult_adds="1.8 G", accuracy="top-1 error 27.94 % (ten crops)"),
    "plain34": Published(RESNET, mult_adds="3.6 G", accuracy="top-1 error 28.54 % (ten crops)"),
    "resnet20": Published(RESNET, "0.27 M", accuracy="CIFAR-10 errors 8.75 %"),
    "resnet32": Published(RESNET, "0.46 M", accuracy="CIFAR-10 errors 7.51 %"),
    "resnet44": Published(RESNET, "0.66 M", accuracy="CIFAR-10 errors 7.17 %"),
    "resnet56": Published(RESNET, "0.85 M", accuracy="CIFAR-10 errors 6.97 %"),
    "resnet110": Published(RESNET, "1.7 M", accuracy="CIFAR-10 errors 6.43 %"),
    "plain20": Published(RESNET, "0.27 M"),
    "plain56": Published(RESNET, "0.85 M"),
    "preresnet18": Published(PRERESNET),
    "preresnet50": Published(PRERESNET),
    "preresnet101": Published(PRERESNET),
    "preresnet152": Published(PRERESNET, accuracy="errors top-1 21.1 %, top-5 5.5 % (320x320)"),
    "preresnet200": Published(PRERESNET, accuracy="errors top-1 20.7 %, top-5 5.3 % (320x320)"),
    "preresnet110": Published(
        PRERESNET,
        accuracy="CIFAR-10 errors 6.37 %; original unit 6.61 %, batch norm after addition 8.17 %, ReLU "
        "before addition 7.84 %, ReLU-only pre-activation 6.71 %",
    ),
    "preresnet164": Published(
        PRERESNET,
        parameters="1.7 M",
        accuracy="CIFAR-10 errors 5.46 %; original unit 5.93 %, batch norm after addition 6.50 %, ReLU "
        "before addition 6.14 %, ReLU-only pre-activation 5.91 %",
    ),
    "preresnet1001": Published(
        PRERESNET,
        parameters="10.2 M",
        why="Shortcuts that change the shape are 1x1 convolutions, as in the authors' code; the paper does "
        "not say what its 10.2 million count",
        accuracy="CIFAR-10 errors 4.92 %, with batches of 64 4.62 %",
    ),
    "resnext50_32x4d": Published(RESNEXT, "25.0 M", "4.2 G", accuracy="top-1 error 22.2 % (one crop)"),
    "resnext101_32x8d": Published(RESNEXT),
    "resnext101_64x4d": Published(
        RESNEXT, accuracy="errors top-1 20.4 %, top-5 5.3 % (one crop); 32x4d 21.2 %, ResNet-101 22.0 %"
    ),
    "densenet121": Published(DENSENET, accuracy="errors top-1 25.02 %, top-5 7.71 % (one crop)"),
    "densenet161": Published(DENSENET),
    "densenet169": Published(DENSENET, accuracy="errors top-1 23.80 %, top-5 6.85 % (one crop)"),
    "densenet201": Published(
        DENSENET, parameters="20 M", accuracy="errors top-1 22.58 %, top-5 6.34 % (one crop)"
    ),
    "densenet264": Published(DENSENET, accuracy="errors top-1 22.15 %, top-5 6.12 % (one crop)"),
    "xception": Published(XCEPTION, "22,855,952", accuracy="top-1 79.0 %, top-5 94.5 % right (one crop)"),
    "squeezenet1_0": Published(SQUEEZENET, "1,248,424", accuracy="top-1 57.5 %, top-5 80.3 % right"),
    "squeezenet1_1": Published(SQUEEZENET),
    "mobilenet_v1": Published(
        MOBILENET_V1, "4.2 M", "569 M", accuracy=f"top-1 {_MOBILENET_V1_ACCURACIES} right"
    ),
    "mobilenet_v2": Published(
        MOBILENET_V2,
        "3.4 M",
        "300 M",
        why="The paper rounds its mult-adds to tens; without the batch norms' weights there are 3.47 million "
        "parameters, which it rounds down",
        accuracy="top-1 72.0 % right",
    ),
    "mobilenet_v3_large": Published(
        MOBILENET_V3, "5.4 M", "219 M", why=_NO_CONVENTION, accuracy="top-1 75.2 % right"
    ),
    "mobilenet_v3_small": Published(
        MOBILENET_V3, "2.5 M", "56 M", why=_NO_CONVENTION, accuracy="top-1 67.4 % right"
    ),
    "shufflenet_v2_x1_0": Published(
        SHUFFLENET_V2, "2.3 M", "146 M", why=_NO_CONVENTION, accuracy="top-1 error 30.6 %"
    ),
    "efficientnet_b0": Published(
        EFFICIENTNET, "5.3 M", "0.39 G", accuracy="top-1 77.1 %, top-5 93.3 % right"
    ),
    "efficientnet_b1": Published(
        EFFICIENTNET, "7.8 M", "0.70 G", why=_NO_CONVENTION, accuracy="top-1 79.1 %, top-5 94.4 % right"
    ),
    "efficientnet_b2": Published(
        EFFICIENTNET, "9.2 M", "1.0 G", why=_NO_CONVENTION, accuracy="top-1 80.1 %, top-5 94.9 % right"
    ),
    "efficientnet_b3": Published(EFFICIENTNET, "12 M", "1.8 G", accuracy="top-1 81.6 %, top-5 95.7 % right"),
    "efficientnet_b4": Published(
        EFFICIENTNET, "19 M", "4.2 G", why=_NO_CONVENTION, accuracy="top-1 82.9 %, top-5 96.4 % right"
    ),
    "efficientnet_b5": Published(
        EFFICIENTNET, "30 M", "9.9 G", why=_NO_CONVENTION, accuracy="top-1 83.6 %, top-5 96.7 % right"
    ),
    "efficientnet_b6": Published(EFFICIENTNET, "43 M", "19 G", accuracy="top-1 84.0 %, top-5 96.8 % right"),
    "efficientnet_b7": Published(
        EFFICIENTNET, "66 M", "37 G", why=_NO_CONVENTION, accuracy="top-1 84.3 %, top-5 97.0 % right"
    ),
    "mixnet_s": Published(
        MIXNET, "4.1 M", "256 M", why=_NO_CONVENTION, accuracy="top-1 75.8 %, top-5 92.8 % right"
    ),
    "mixnet_m": Published(
        MIXNET, "5.0 M", "360 M", why=_NO_CONVENTION, accuracy="top-1 77.0 %, top-5 93.3 % right"
    ),
    "mixnet_l": Published(
        MIXNET, "7.3 M", "565 M", why=_NO_CONVENTION, accuracy="top-1 78.9 %, top-5 94.2 % right"
    ),
    "yolo_v1_classifier": Published(YOLO, accuracy="top-5 88 % right, one crop"),
}

# AlexNet with two groups, at 227x227: weights without biases, and neurons; the poolings' are not counted.
ALEXNET_WEIGHTS = (34_848, 307_200, 884_736, 663_552, 442_368, 37_748_736, 16_777_216, 4_096_000)
ALEXNET_NEURONS = (290_400, 186_624, 64_896, 64_896, 43_264, 4_096, 4_096, 1_000)
