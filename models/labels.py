"""The names of the classes that detectors are published for; place 0 is the background.

Sources: Everingham et al., "The Pascal visual object classes (VOC) challenge", IJCV 88, 2010, table 1, in
alphabetical order; Lin et al., "Microsoft COCO: common objects in context", arXiv:1405.0312 (ECCV 2014),
figure 11: of its 91 categories the data sets have 80, but keep the numbers of all.
"""

from __future__ import annotations

VOC = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)

_COCO_NAMES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep"),
    *("cow", "elephant", "bear", "zebra", "giraffe", "", "backpack", "umbrella", "", ""),
    *("handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat"),
    *(
        "baseball glove",
        "skateboard",
        "surfboard",
        "tennis racket",
        "bottle",
        "",
        "wine glass",
        "cup",
        "fork",
    ),
    *("knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog"),
    *(
        "pizza",
        "donut",
        "cake",
        "chair",
        "couch",
        "potted plant",
        "bed",
        "",
        "dining table",
        "",
        "",
        "toilet",
    ),
    *(
        "",
        "tv",
        "laptop",
        "mouse",
        "remote",
        "keyboard",
        "cell phone",
        "microwave",
        "oven",
        "toaster",
        "sink",
    ),
    *("refrigerator", "", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
)
# Numbers without a category in the data sets keep their number as a name.
COCO = ("background", *(name or f"class {number}" for number, name in enumerate(_COCO_NAMES, start=1)))

# Of `data.DigitScenes`.
DIGITS = ("background", *"0123456789")

LISTS = {"coco": COCO, "voc": VOC, "digits": DIGITS}
