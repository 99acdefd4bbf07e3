"""The architectures, one file per family.

import models

models.names()                                  # every classifier's name
models.names("detection")                       # every detector's
model = models.create("lenet5", num_classes=10)
model = models.lenet5(activation="relu", pooling="max")
"""

from models.alexnet import AlexNet, AlexNetD2l, AlexNetPaper, alexnet, alexnet_d2l, alexnet_paper
from models.auxiliary import auxiliary_loss
from models.conversion import convert_state_dict
from models.deepface import DeepFace, deepface
from models.densenet import DenseNet, densenet121, densenet161, densenet169, densenet201, densenet264
from models.digit_detectors import YOLODigits, faster_rcnn_digits, mask_rcnn_digits, yolo_digits
from models.dlib_inception import DlibInception, dlib_inception
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
from models.fast_rcnn import FastRCNN, fast_rcnn_vgg16
from models.faster_rcnn import faster_rcnn_resnet50_fpn, faster_rcnn_vgg16
from models.generalized_rcnn import GeneralizedRCNN, RCNNSettings
from models.googlenet import (
    GoogLeNet,
    GoogLeNetOutputs,
    InceptionNaive,
    googlenet,
    googlenet_bn,
    googlenet_d2l,
    inception_naive,
)
from models.grid_detector import GridDetector
from models.inception_resnet import (
    InceptionResNetV1,
    InceptionResNetV2,
    inception_resnet_v1,
    inception_resnet_v2,
)
from models.inception_v2 import InceptionV2, inception_v2
from models.inception_v3 import InceptionOutputs, InceptionV3, inception_v3
from models.inception_v4 import InceptionV4, inception_v4
from models.inceptionnet import ThreeTowers, inceptionnet_three_towers, inceptionnet_with_heads
from models.lenet import LeNet5, LeNet28, lenet5, lenet5_paper, lenet_d2l, lenet_dlib
from models.mask_rcnn import mask_rcnn_resnet50_fpn
from models.mixnet import MixNet, mixnet_l, mixnet_m, mixnet_s
from models.mobilenet_v1 import MobileNetV1, mobilenet_v1
from models.mobilenet_v2 import MobileNetV2, mobilenet_v2
from models.mobilenet_v3 import MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from models.nin import NiN, nin, nin_cifar10
from models.preresnet import (
    CifarPreResNet,
    PreResNet,
    preresnet18,
    preresnet50,
    preresnet101,
    preresnet110,
    preresnet152,
    preresnet164,
    preresnet200,
    preresnet1001,
)
from models.rcnn import RCNN, RegionSettings, rcnn
from models.rcnn_fine_tuning import FineTuning, fine_tune_rcnn
from models.registry import create, names
from models.resnet import (
    ResNet,
    plain18,
    plain34,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
)
from models.resnet_cifar import (
    CifarResNet,
    plain20,
    plain56,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from models.shufflenet import ShuffleNetV2, shufflenet_v2_x1_0
from models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg11_d2l,
    vgg11_lrn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg16_conv1,
    vgg19,
    vgg19_bn,
)
from models.xception import Xception, xception
from models.yolo_v1 import YOLOv1, YOLOv1Classifier, yolo_v1, yolo_v1_classifier, yolo_v1_tiny
from models.zfnet import ZFNet, zfnet

__all__ = [
    "RCNN",
    "VGG",
    "AlexNet",
    "AlexNetD2l",
    "AlexNetPaper",
    "CifarPreResNet",
    "CifarResNet",
    "DeepFace",
    "DenseNet",
    "DlibInception",
    "EfficientNet",
    "FastRCNN",
    "FineTuning",
    "GeneralizedRCNN",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "GridDetector",
    "InceptionNaive",
    "InceptionOutputs",
    "InceptionResNetV1",
    "InceptionResNetV2",
    "InceptionV2",
    "InceptionV3",
    "InceptionV4",
    "LeNet5",
    "LeNet28",
    "MixNet",
    "MobileNetV1",
    "MobileNetV2",
    "MobileNetV3",
    "NiN",
    "PreResNet",
    "RCNNSettings",
    "RegionSettings",
    "ResNet",
    "ShuffleNetV2",
    "SqueezeNet",
    "ThreeTowers",
    "Xception",
    "YOLODigits",
    "YOLOv1",
    "YOLOv1Classifier",
    "ZFNet",
    "alexnet",
    "alexnet_d2l",
    "alexnet_paper",
    "auxiliary_loss",
    "convert_state_dict",
    "create",
    "deepface",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "densenet264",
    "dlib_inception",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "fast_rcnn_vgg16",
    "faster_rcnn_digits",
    "faster_rcnn_resnet50_fpn",
    "faster_rcnn_vgg16",
    "fine_tune_rcnn",
    "googlenet",
    "googlenet_bn",
    "googlenet_d2l",
    "inception_naive",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "inception_v2",
    "inception_v3",
    "inception_v4",
    "inceptionnet_three_towers",
    "inceptionnet_with_heads",
    "lenet5",
    "lenet5_paper",
    "lenet_d2l",
    "lenet_dlib",
    "mask_rcnn_digits",
    "mask_rcnn_resnet50_fpn",
    "mixnet_l",
    "mixnet_m",
    "mixnet_s",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "names",
    "nin",
    "nin_cifar10",
    "plain18",
    "plain20",
    "plain34",
    "plain56",
    "preresnet18",
    "preresnet50",
    "preresnet101",
    "preresnet110",
    "preresnet152",
    "preresnet164",
    "preresnet200",
    "preresnet1001",
    "rcnn",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg11_d2l",
    "vgg11_lrn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg16_conv1",
    "vgg19",
    "vgg19_bn",
    "xception",
    "yolo_digits",
    "yolo_v1",
    "yolo_v1_classifier",
    "yolo_v1_tiny",
    "zfnet",
]
