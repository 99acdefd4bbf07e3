"""Telling data sets apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from minidnn.data import ArrayDataset, Subset, digits, fingerprint


def make(inputs: np.ndarray, targets: np.ndarray) -> str:
    return fingerprint(ArrayDataset(inputs, targets))


def test_it_depends_on_items_order_labels_and_dtype() -> None:
    inputs, targets = np.arange(12.0).reshape(4, 3), np.arange(4)
    whole = make(inputs, targets)
    assert re.fullmatch("[0-9a-f]{12}", whole)
    assert whole == make(inputs.copy(order="F"), targets.copy())
    others = {
        make(inputs + 1e-12, targets),
        make(inputs[::-1], targets),
        make(inputs, targets[::-1]),
        make(inputs.reshape(4, 3, 1), targets),
        make(inputs.astype(np.float32), targets),
        make(inputs[:3], targets[:3]),
    }
    assert len({whole, *others}) == 7


def test_parts_of_a_data_set_differ() -> None:
    whole = ArrayDataset(np.arange(4.0), np.arange(4))
    prints = [fingerprint(Subset(whole, part)) for part in ([0, 1], [1, 0], [2, 3], [0, 1])]
    assert prints[0] == prints[3]
    assert len(set(prints)) == 3
    assert fingerprint(digits(8, "train")) != fingerprint(digits(8, "test"))


class Files:
    """What an ImageFolder looks like from here."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Path:
        return self.files[index]


def test_files_count_by_name_and_size_wherever_they_lie(tmp_path: Path) -> None:
    prints = []
    for home, name, size in (("a", "1.png", 3), ("b", "1.png", 3), ("c", "2.png", 3), ("d", "1.png", 4)):
        path = tmp_path / home / "cats" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * size)
        prints.append(fingerprint(Files([path])))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
