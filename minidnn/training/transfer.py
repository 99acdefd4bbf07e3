"""Transfer learning: a trained network as the beginning of another one, for other classes.

    model = models.resnet18()
    model.load_state_dict(minidnn.load("resnet18.pth"))
    replace_head(model, new_head(512, num_classes=5, hidden=(128,)))
    train_only(model, "layer4", "fc")
    optimizer = SGD(parameter_groups(model, {"layer4": 1e-4, "fc": 1e-2}), momentum=0.9)

What to train, and on what, for little or much data that is similar or different: `transfer_settings`,
explained in docs/transfer.md. Features of a part that is not trained are computed once by
`minidnn.training.features`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kernels.array import check_integer, check_number
from minidnn.nn import Dropout, Linear, Module, ReLU, Sequential


def train_only(model: Module, *names: str) -> None:
    """Freeze the whole model but the blocks of these names.

    A frozen block is a fixed function: its parameters require no gradient, and it stays in inference mode
    whatever `model.train()` says, so that batch norms neither use nor move a batch's statistics and dropout
    passes everything. The model itself and modules that contain a named block keep their mode; their other
    children are frozen.

    Args:
        model: is changed in place. What an earlier call froze or left alone makes no difference.
        names: dotted names of modules; none freezes everything, "" is the model itself and unfreezes it.

    Raises:
        ValueError: a name that leads to no module.
    """
    for name in names:
        model.get_submodule(name)
    for name, module in model.named_modules():
        is_free = any(_contains(chosen, name) for chosen in names)
        module.frozen = not is_free and not any(_contains(name, chosen) for chosen in ("", *names))
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(is_free)
            parameter.grad = None
    model.train(model.training)


def _contains(block: str, name: str) -> bool:
    """Whether the module `name` is `block` or lies in it."""
    return block == "" or name == block or name.startswith(f"{block}.")


def head_name(model: Module) -> str:
    """Return the dotted name of the layer that makes the scores: the last one with a matrix or kernels.

    Raises:
        ValueError: a model without any.
    """
    found = ""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            found = name
    if not found:
        raise ValueError(
            f"model must have a layer with weights of 2 or more axes, {type(model).__name__} has none"
        )
    return found.rpartition(".")[0]


def replace_head(model: Module, head: Module, name: str | None = None) -> Module:
    """Put `head` in the place of the layer that makes the scores, and return that layer.

    Args:
        model: is changed in place.
        head: takes what the old one took; `new_head` makes one.
        name: the dotted name of what is replaced; None for `head_name(model)`.

    Raises:
        ValueError: a name that leads to no module, or to the model itself.
        TypeError: `head` is not a Module.
    """
    if not isinstance(head, Module):
        raise TypeError(f"head must be a Module, got {type(head).__name__}")
    path = head_name(model) if name is None else name
    old = model.get_submodule(path)
    if old is model:
        raise ValueError("name must lead to a part of the model, got the model itself")
    parent, _, last = path.rpartition(".")
    setattr(model.get_submodule(parent), last, head)
    head.train(model.training)
    return old


def new_head(in_features: int, num_classes: int, hidden: Sequence[int] = (), dropout: float = 0.5) -> Module:
    """Return a stack of fully connected layers: (dropout, linear, ReLU) per hidden width, dropout, linear.

    Shapes: input (N, in_features); output (N, num_classes).

    Args:
        in_features: what the head takes, for example `model.fc.in_features`.
        num_classes: scores that it gives.
        hidden: widths of the layers between; none makes a linear classifier.
        dropout: probability before every linear layer; 0 leaves the dropout out.

    Raises:
        ValueError, TypeError: sizes below 1 or no integers, or a probability outside [0, 1].
    """
    widths = [check_integer("in_features", in_features, minimum=1)]
    widths += [check_integer("hidden", width, minimum=1) for width in hidden]
    widths += [check_integer("num_classes", num_classes, minimum=1)]
    layers: list[Module] = []
    for size, width in pairwise(widths):
        layers += [*([Dropout(dropout)] if dropout else []), Linear(size, width), ReLU()]
    return Sequential(*layers[:-1])


def parameter_groups(model: Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return an optimiser's groups: one per block with its learning rate, of the parameters that are trained.

        SGD(parameter_groups(model, {"": 1e-4, "layer4": 1e-3, "fc": 1e-2}))

    Args:
        model: frozen parameters are left out.
        rates: the learning rate by dotted name; a parameter belongs to the longest name that it lies in.

    Raises:
        ValueError: a name that leads to no module or has nothing to train, a negative rate, or a trained
            parameter that lies in none of the names.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, rate in rates.items():
        model.get_submodule(name)
        groups[name] = {"params": [], "lr": check_number(f"rates[{name!r}]", rate, minimum=0)}
    for path, parameter in model.named_parameters():
        if parameter.requires_grad:
            homes = [name for name in groups if _contains(name, path)]
            if not homes:
                raise ValueError(f"rates must cover every trained parameter, none of its names has {path}")
            groups[max(homes, key=len)]["params"].append(parameter)
    for name, group in groups.items():
        if not group["params"]:
            raise ValueError(
                f"rates[{name!r}] has nothing to train: its parameters are frozen, or in other names"
            )
    return list(groups.values())


@dataclass(frozen=True)
class TransferSettings:
    """What to do with a trained network; see `transfer_settings`.

    Attributes:
        advice: the table's cell in words.
        trained_share: which share of the blocks is trained along, counted from the end; 0 for the head alone.
        features_share: how deep the features lie that the head reads, 1 for all blocks before it.
        head_rate: the head's learning rate, as a multiple of the one that training from scratch would take.
        body_rate: the trained blocks' likewise.
        classifier: "svm" (a linear one, on features computed once) or "head" (layers, trained with the rest).
    """

    advice: str
    trained_share: float
    features_share: float
    head_rate: float
    body_rate: float
    classifier: str

    def trained(self, blocks: Sequence[str], head: str) -> tuple[str, ...]:
        """Return the names for `train_only`: of `blocks`, in order, those that are trained, and the head."""
        count = _share(self.trained_share, len(blocks))
        return (*blocks[len(blocks) - count :], head)

    def features_before(self, blocks: Sequence[str], head: str) -> str:
        """Return the name for `features`: the module whose input the classifier reads."""
        return [*blocks, head][_share(self.features_share, len(blocks))]


def _share(share: float, count: int) -> int:
    """A share of `count`, rounded up: of one block a quarter is that block."""
    return -int(-share * count // 1)


_TABLE = {
    ("little", "similar"): TransferSettings(
        "a linear classifier on the features before the head", 0.0, 1.0, 1.0, 0.0, "svm"
    ),
    ("little", "different"): TransferSettings(
        "a linear classifier on features of the middle: later ones know too much about the old task",
        *(0.0, 0.5, 1.0, 0.0, "svm"),
    ),
    ("much", "similar"): TransferSettings(
        "a new head, and the last blocks fine-tuned slowly", 0.25, 1.0, 1.0, 0.1, "head"
    ),
    ("much", "different"): TransferSettings(
        "a new head, and all blocks trained on from where they are", 1.0, 1.0, 1.0, 0.3, "head"
    ),
}


def transfer_settings(data: str, images: str) -> TransferSettings:
    """Return what to train for an amount of data and its likeness to what the network was trained on.

    Args:
        data: "little" (tens of samples per class) or "much" (hundreds and more).
        images: "similar" or "different" from those of the old task.

    Raises:
        ValueError: another word.

    Source: the table of Stanford's course CS231n, notes on transfer learning, after Yosinski et al., "How
    transferable are features in deep neural networks?", NIPS 2014. The shares and rates are this project's.
    """
    if (data, images) not in _TABLE:
        raise ValueError(
            "data must be 'little' or 'much' and images 'similar' or 'different', "
            f"got {data!r} and {images!r}"
        )
    return _TABLE[data, images]
