"""What YOLO's classifier is compared with. It has no batch normalisation: training computes the same."""

from __future__ import annotations

from typing import Any

from tests.reference.catalogue import Reference


def classifier() -> Any:
    from tests.reference.torch_references.yolo import classifier

    return classifier()


def key(name: str) -> str:
    part, _, rest = name.partition(".")
    return f"features.{rest}" if part == "0" else rest.replace("2.", "fc.")


REFERENCES = [
    Reference(
        "yolo_v1_classifier",
        classifier,
        "torch.nn from Redmon et al. 2015, section 2.2 and figure 3",
        # 22,403,136 of the convolutions, (1,024 + 1) 1,000 of the fully connected layer
        parameters=23_428_136,
        shape=(1, 3, 64, 96),
        training_shape=None,
        key=key,
        slow=True,
        stages=("features", "features.3", "features.22", "fc"),
    ),
]
