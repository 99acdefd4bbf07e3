"""Features of frozen layers, computed once and kept on disk: who trains on them runs the layers no more."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kernels.array import Array
from minidnn.data.dataset import ArrayDataset, Dataset
from minidnn.data.fingerprint import fingerprint
from minidnn.data.loader import DataLoader
from minidnn.functional.shape import cat
from minidnn.modes import no_grad
from minidnn.nn.module import Module
from minidnn.serialization import load, save
from minidnn.tensor import Tensor


def features(
    model: Module, dataset: Dataset, before: str, folder: str | Path | None = None, batch_size: int = 64
) -> ArrayDataset:
    """Return what the module named `before` is given for every item, in inference mode, and the labels.

        train = features(model, data.digits(32, "train"), before="fc", folder="features")
        Trainer(model.fc, SGD(model.fc.parameters()), DataLoader(train, 32, shuffle=True, seed=0), ...)

    The head that is trained so is the model's own: afterwards the model is complete. Every item is seen once,
    as the data set gives it, so there is no augmentation.

    Args:
        model: is run in inference mode and left in the mode it was in.
        dataset: items (input, label).
        before: dotted name of a module that is given one Tensor.
        folder: where features are kept, in a file per model and data set; None keeps none. A file is written
            whole or not at all. Its name is made from the weights and buffers of everything but `before`, the
            modules' types and arguments, and the data with its transforms; what it cannot know is a change of
            the program's code.
        batch_size: items per step; it may change the features by rounding, and is part of the name.

    Returns:
        Features (N, ...) and labels (N,), with the data set's classes.

    Raises:
        ValueError: a name that leads to no module, or to one that is not called exactly once per batch.
        OSError: the file cannot be written, or it is damaged (ValueError, as `minidnn.load`).
    """
    module = model.get_submodule(before)
    path = None
    if folder is not None:
        key = _key(model, dataset, before, batch_size)
        path = Path(folder) / f"features-{key}.safetensors"
    if path is None or not path.exists():
        inputs, labels = _compute(model, module, DataLoader(dataset, batch_size))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            save({"inputs": inputs, "labels": labels}, path)
    else:
        kept = load(path)
        inputs, labels = kept["inputs"], kept["labels"]
    return ArrayDataset(inputs.numpy(), labels.numpy(), classes=getattr(dataset, "classes", ()))


def _compute(model: Module, module: Module, loader: DataLoader) -> tuple[Tensor, Tensor]:
    """Run the model on all batches and note what the module is given."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    all_labels: list[Tensor] = []
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for inputs, labels in loader.batches():
                model(inputs)
                all_labels.append(labels)
                if len(seen) != len(all_labels):
                    times = len(seen) - len(all_labels) + 1
                    raise ValueError(f"before must name a module that is called once, got {times} calls")
    finally:
        handle.remove()
        model.train(was_training)
    return cat(seen), cat(all_labels)


def _key(model: Module, dataset: Dataset, before: str, batch_size: int) -> str:
    """16 hexadecimal digits that depend on all that the features depend on."""
    digest = hashlib.sha256(f"{before} {batch_size} {fingerprint(dataset)}".encode())
    part: Any = dataset
    while part is not None:  # from a choice of items to the items
        digest.update(repr(getattr(part, "transform", None)).encode())
        part = getattr(part, "dataset", None)
    for name, module in model.named_modules():
        if not _lies_in(name, before):
            digest.update(f"{name} {type(module).__qualname__} {module.extra_repr()}".encode())
    for name, tensor in model.state_dict().items():
        if not _lies_in(name, before):
            array: Array = tensor.contiguous().numpy()
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def _lies_in(name: str, block: str) -> bool:
    return name == block or name.startswith(f"{block}.")
