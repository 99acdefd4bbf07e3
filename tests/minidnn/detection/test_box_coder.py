"""The box coder: by hand, there and back, and what it refuses."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.detection.box_coder import BoxCoder
from tests.minidnn.detection.scenes import random_boxes

PROPOSAL = np.array([[10.0, 20, 30, 60]])  # centre (20, 40), 20 wide, 40 high
BOX = np.array([[20.0, 20, 60, 40]])  # centre (40, 30), 40 wide, 20 high


def test_by_hand() -> None:
    code = BoxCoder((10, 10, 5, 5)).encode_single(BOX, PROPOSAL)
    assert code[0].tolist() == [10 * 20 / 20, 10 * -10 / 40, 5 * math.log(2), 5 * math.log(0.5)]
    no_change = BoxCoder((1, 1, 1, 1)).decode_single(np.zeros((1, 8)), PROPOSAL)
    assert no_change.tolist() == [[PROPOSAL[0].tolist()] * 2]


@settings(max_examples=50)
@given(st.integers(0, 1000))
def test_what_was_encoded_is_decoded(seed: int) -> None:
    boxes, proposals = random_boxes(seed, 7, 50.0), random_boxes(seed + 1, 7, 50.0)
    coder = BoxCoder((10, 10, 5, 5))
    decoded = coder.decode(
        np.concatenate(coder.encode([boxes[:3], boxes[3:]], [proposals[:3], proposals[3:]])), [proposals]
    )
    np.testing.assert_allclose(decoded[:, 0], boxes, rtol=1e-12, atol=1e-11)


def test_growth_is_cut() -> None:
    decoded = BoxCoder((1, 1, 1, 1)).decode_single(np.array([[0.0, 0, 1000, -1000]]), PROPOSAL)[0, 0]
    assert decoded[2] - decoded[0] == pytest.approx(20 * 1000 / 16)
    assert decoded[3] == decoded[1] == 40


def test_bad_arguments() -> None:
    coder = BoxCoder((1, 1, 1, 1))
    for weights in ((1, 1, 1), (1, 1, 0, 1)):
        with pytest.raises(ValueError, match="weights must be four positive numbers"):
            BoxCoder(weights)
    with pytest.raises(ValueError, match="proposals must be as many as the 1 reference_boxes, got 2"):
        coder.encode_single(BOX, np.concatenate((BOX, BOX)))
    for codes in (np.zeros((1, 6)), np.zeros((2, 4)), np.zeros(4)):
        with pytest.raises(ValueError, match=re.escape("rel_codes must have shape (1, 4 C)")):
            coder.decode_single(codes, BOX)
    with pytest.raises(TypeError, match="boxes has dtype float32 but rel_codes has float64"):
        coder.decode_single(np.zeros((1, 4)), BOX.astype(np.float32))
