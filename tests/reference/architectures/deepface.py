"""What DeepFace is compared with."""

from __future__ import annotations

from typing import Any

from tests.reference.catalogue import Reference


def deepface() -> Any:
    from tests.reference.torch_references.deepface import deepface

    return deepface()


REFERENCES = [
    Reference(
        "deepface",
        deepface,
        "torch.nn from Taigman et al. 2014, figure 2",
        # (363 + 1) 32 + (2,592 + 1) 16 of the convolutions, (1,296 + 1) 16 * 55^2 + (784 + 1) 16 * 25^2
        # + (400 + 1) 16 * 21^2 of the locally connected, (7,056 + 1) 4,096 + (4,096 + 1) 4,030 of the others
        parameters=118_923_774,
        shape=(1, 3, 152, 152),
        training_shape=None,
        slow=True,
        stages=("c1", "m2", "c3", "l4", "l5", "l6", "f7"),
        fixed_size=True,
    ),
]
