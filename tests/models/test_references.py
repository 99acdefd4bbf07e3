"""Every architecture against an independent reference.

Without PyTorch: against its stored digest. With it (`pytest -m reference`): live, at another input size,
another batch size and another number of classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from models.verification import verifications
from tests.reference import bounds, digest, filling, other_sizes
from tests.reference.catalogue import Reference, references, variants
from tests.reference.make import LARGEST, load, path_of

CHANGE = 1e-3  # what a small difference must move the logits by, relatively


def each_reference(*marks: Any) -> pytest.MarkDecorator:
    """All references, those of variants too, the slow ones marked so."""
    rows = [
        pytest.param(reference, marks=[*marks, *([pytest.mark.slow] if reference.slow else [])], id=name)
        for name, reference in (references() | variants()).items()
    ]
    return pytest.mark.parametrize("reference", rows)


@each_reference()
def test_stored_reference(reference: Reference) -> None:
    want, _ = load(reference)
    our = digest.ours(reference)
    assert our.count() == reference.parameters
    got = digest.digest(our, reference, reference.shape, reference.training_shape)
    found = bounds.errors(got, want)
    found[bounds.FLOAT32_LOGITS] = bounds.float32_error(our, reference, want["evaluation/logits"])
    assert not bounds.complaints(found, our.names())


@each_reference()
def test_filling_is_sensitive(reference: Reference) -> None:
    """Another input, and one changed weight in the first layer, move the logits."""
    our = digest.ours(reference)
    if our.is_normalised():
        digest.calibrate(our, reference.training_shape or (digest.CALIBRATION_BATCH, *reference.shape[1:]))
    our.set_training(False)
    images = digest.evaluation_images(reference, reference.shape)
    logits = our.forward_only(images)
    others = our.forward_only(filling.normal("other images", reference.shape))
    weight = next(parameter for parameter in our.parameters().values() if parameter.ndim > 1)
    place = np.unravel_index(np.abs(weight.data).argmax(), weight.shape)
    weight.data[place] *= -1
    changed = our.forward_only(images)
    for moved in (others, changed):
        assert np.abs(moved - logits).max() > CHANGE * np.abs(logits).max()


@each_reference(pytest.mark.reference)
def test_live_at_other_sizes_and_classes(reference: Reference) -> None:
    pytest.importorskip("torch")
    try:
        _, complaints = other_sizes.compare(reference)
    except ImportError as missing:
        pytest.skip(f"the reference cannot be built here: {missing}")
    assert complaints == []


def test_every_slow_model_was_compared_at_another_size() -> None:
    """`.ci/run` has no time to compare them live: the committed run of the script."""
    rows = other_sizes.results()
    slow = {name for name, reference in (references() | variants()).items() if reference.slow}
    assert set(rows) >= slow
    for row in rows.values():
        for column, bound in other_sizes.COLUMNS.items():
            assert not row[column] or float(row[column]) <= bound.limit, row["name"]


def test_every_model_has_a_reference_and_an_error() -> None:
    assert tuple(references()) == models.names()
    assert tuple(verifications()) == models.names()
    for name, row in verifications().items():
        assert row.parameters == references()[name].parameters
        assert row.reference == references()[name].source
        assert row.logits_error is not None
        assert row.logits_error <= bounds.LOGITS.limit
        assert row.worst_error <= bounds.GRADIENTS.limit


@each_reference()
def test_files_are_small_and_say_what_made_them(reference: Reference) -> None:
    assert path_of(reference).stat().st_size <= LARGEST
    _, metadata = load(reference)
    assert metadata["source"] == reference.source
    assert metadata["made with"].startswith("numpy ")
    assert ", torch " in metadata["made with"]


# ---- the rule and the measure ----------------------------------------------------------------------


def test_the_rule_draws_what_it_promises() -> None:
    values = filling.normal("a", (400, 500))
    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1) < 0.01
    assert abs((values * filling.normal("b", (400, 500))).mean()) < 0.01
    np.testing.assert_array_equal(values.ravel()[:10], filling.normal("a", (10,)))
    weight = filling.parameter("conv.weight", (64, 32, 3, 3))
    assert abs(weight.var() * 32 * 9 - 2) < 0.1
    assert abs(filling.parameter("bn.weight", (4000,)).mean() - 1) < 0.01
    assert abs(filling.parameter("bn.bias", (4000,)).mean()) < 0.01


def test_the_rule_gives_the_same_numbers_everywhere() -> None:
    """By hand: 64 random bits are four 16-bit numbers of variance (2^32 - 1) / 12."""
    import hashlib

    key = int.from_bytes(hashlib.blake2b(b"fc.bias", digest_size=16).digest(), "little")
    word = int(np.random.Philox(key=key).random_raw())
    total = sum(word >> shift & 0xFFFF for shift in (0, 16, 32, 48)) - 2 * 65535
    wanted = 0.1 * total / ((2**32 - 1) / 3) ** 0.5
    assert filling.parameter("fc.bias", (3,))[0] == pytest.approx(wanted, rel=1e-15)


def test_errors_name_what_is_out_of_bounds() -> None:
    reference = references()["lenet5"]
    want, _ = load(reference)
    got = {name: values.copy() for name, values in want.items()}
    names = digest.ours(reference).names()
    got["evaluation/gradient_products"][names.index("c3.weight")] *= 1 + 1e-5
    (line,) = bounds.complaints(bounds.errors(got, want), names)
    assert line.startswith("gradients in evaluation mode: relative error")
    assert line.endswith("worst: c3.weight)")
    got["evaluation/logits"][0, 0] = np.nan
    assert bounds.complaints(bounds.errors(got, want), names)[0].startswith("logits in evaluation mode")
    with pytest.raises(AssertionError, match="not the same kind of thing"):
        bounds.errors({**got, "evaluation/logits": np.zeros((1, 10))}, want)
