"""Data: data sets from inside the package and from local files, and the loader that makes batches of them.

    from minidnn import data

    train, test = data.digits(32, "train"), data.digits(32, "test")
    for images, labels in data.DataLoader(train, batch_size=32, shuffle=True, seed=0):
        ...

An item of every data set of images is (image, label): float32 (C, H, W) in [0, 1], and an int64. Nothing is
downloaded, no archive is unpacked to disk, and no foreign pickle is run.
"""

from minidnn.data import transforms
from minidnn.data.annotations import without_flagged
from minidnn.data.augment import RandomShift
from minidnn.data.cifar import cifar
from minidnn.data.coco import CocoFolder
from minidnn.data.dataset import ArrayDataset, Dataset, Subset, stratified_indices
from minidnn.data.digit_scenes import DigitScenes
from minidnn.data.digits import digits
from minidnn.data.fingerprint import fingerprint
from minidnn.data.idx import mnist, read_idx
from minidnn.data.images import ImageFolder, open_image
from minidnn.data.loader import DataLoader, collate
from minidnn.data.preprocessing import Preprocessing
from minidnn.data.recognize import Splits, open_dataset
from minidnn.data.resize import FitImage, resize
from minidnn.data.scene_loader import SceneLoader, collate_scenes
from minidnn.data.voc import VocFolder

__all__ = [
    "ArrayDataset",
    "CocoFolder",
    "DataLoader",
    "Dataset",
    "DigitScenes",
    "FitImage",
    "ImageFolder",
    "Preprocessing",
    "RandomShift",
    "SceneLoader",
    "Splits",
    "Subset",
    "VocFolder",
    "cifar",
    "collate",
    "collate_scenes",
    "digits",
    "fingerprint",
    "mnist",
    "open_dataset",
    "open_image",
    "read_idx",
    "resize",
    "stratified_indices",
    "transforms",
    "without_flagged",
]
