"""Augmentation: random changes to training images, on arrays and Pillow images, seeded item by item.

    from minidnn.data import DataLoader, transforms

    augment = transforms.Compose([
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.4),
        transforms.Normalize(mean, std),
    ])
    loader = DataLoader(dataset, batch_size=32, shuffle=True, seed=0, num_workers=2, transform=augment)

Images are arrays (C, H, W) of uint8 in [0, 255] or of floating values in [0, 1], as everywhere in
`minidnn.data`; Pillow images become arrays of uint8. A transform keeps the dtype, but for `Normalize` and
`ToFloat`, which make float32 of uint8. It is called with a picture (an image, an `Item` with boxes and masks,
or a data set's tuple) and a generator. The loader's workers hand over one that is seeded by (seed, epoch,
item's index), so what an item becomes depends on these three and on nothing else: not on the number of
workers, nor on the batch.

`transforms.functional` has the same changes with explicit arguments.
"""

from minidnn.data.transforms import functional
from minidnn.data.transforms.functional import PrincipalColors, principal_colors
from minidnn.data.transforms.item import Item
from minidnn.data.transforms.random_color import (
    ColorJitter,
    Normalize,
    RandomChannelShift,
    RandomPCAColor,
    TenCrop,
    ToFloat,
)
from minidnn.data.transforms.random_geometric import (
    RandomAffine,
    RandomCrop,
    RandomElastic,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
)
from minidnn.data.transforms.random_mixing import Cutout, Mixup
from minidnn.data.transforms.transform import Compose, RandomTransform, Transform

__all__ = [
    "ColorJitter",
    "Compose",
    "Cutout",
    "Item",
    "Mixup",
    "Normalize",
    "PrincipalColors",
    "RandomAffine",
    "RandomChannelShift",
    "RandomCrop",
    "RandomElastic",
    "RandomHorizontalFlip",
    "RandomPCAColor",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "TenCrop",
    "ToFloat",
    "Transform",
    "functional",
    "principal_colors",
]
