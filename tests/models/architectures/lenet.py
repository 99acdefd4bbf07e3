"""What LeNet-5 is compared with."""

from __future__ import annotations

from typing import Any

from tests.models.reference import Reference


def lenet5() -> Any:
    from tests.models.torch_references.lenet import lenet5

    return lenet5()


REFERENCES = [
    Reference(
        "lenet5",
        lenet5,
        "torch.nn from LeCun et al. 1998, figure 2",
        parameters=61_706,
        shape=(2, 1, 32, 32),
        training_shape=None,  # no normalisation and no dropout: training mode computes the same
        stages=("c1", "s2", "c3", "s4", "c5", "f6"),
        fixed_size=True,
    )
]
