from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

import minidnn
from minidnn.data import digits, resize

PACKAGE = Path(minidnn.__file__).parent
# Of scikit-learn's images and labels as bytes, in its order.
CHECKSUM = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_stored_set_is_the_published_one() -> None:
    dataset = digits()
    assert dataset.inputs.shape == (1797, 1, 8, 8)
    assert dataset.inputs.dtype == np.float32
    assert dataset.targets.dtype == np.int64
    values = (dataset.inputs * 16).astype(np.uint8).tobytes() + dataset.targets.astype(np.uint8).tobytes()
    assert hashlib.sha256(values).hexdigest() == CHECKSUM
    assert np.bincount(dataset.targets).tolist() == COUNTS
    assert dataset.classes == tuple("0123456789")


def test_scikit_learn_agrees() -> None:
    bundle = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits()
    assert np.array_equal(digits().inputs[:, 0] * 16, bundle.images)
    assert np.array_equal(digits().targets, bundle.target)


def test_split_is_fixed_stratified_and_complete() -> None:
    train, test, whole = digits(split="train"), digits(split="test"), digits()
    assert (len(train), len(test)) == (1438, 359)
    for label, count in enumerate(COUNTS):
        assert abs(np.sum(test.targets == label) - count / 5) < 1
    rows = [image.tobytes() for image in (*train.inputs, *test.inputs)]
    assert sorted(rows) == sorted(image.tobytes() for image in whole.inputs)
    digest = hashlib.sha256((test.inputs * 16).astype(np.uint8).tobytes()).hexdigest()
    assert digest.startswith("00517e14cea5a360")


@pytest.mark.parametrize("size", [28, 32])
def test_enlarged_images_are_the_small_ones_interpolated(size: int) -> None:
    small, large = digits(8, "test"), digits(size, "test")
    assert large.inputs.shape == (359, 1, size, size)
    assert large.inputs.dtype == np.float32
    assert np.array_equal(large.targets, small.targets)
    assert np.array_equal(large.inputs, resize(small.inputs, size))
    assert large.inputs.min() == 0
    assert large.inputs.max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 16}, "size must be 8, 28 or 32, got 16"),
        ({"split": "validation"}, "split must be 'train' or 'test', got 'validation'"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digits(**arguments)


def test_data_and_attribution_are_shipped() -> None:
    folder = PACKAGE / "data" / "digits"
    text = (folder / "ATTRIBUTION.txt").read_text()
    for fact in ("Alpaydin", "Kaynak", "CC BY 4.0", "10.24432/C50P49", "creativecommons.org/licenses/by/4.0"):
        assert fact in text
    project = PACKAGE.parent / "pyproject.toml"
    if not project.is_file():
        pytest.skip("not run from the repository")
    patterns = tomllib.loads(project.read_text())["tool"]["setuptools"]["package-data"]["minidnn"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert {folder / "ATTRIBUTION.txt", folder / "digits.npz"} <= shipped
