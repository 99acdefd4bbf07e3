"""The engine's generator: seeds, and a state that survives JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minidnn
from minidnn import random


def test_manual_seed_repeats_everything() -> None:
    minidnn.manual_seed(3)
    first = (random.generator().normal(size=5), random.next_seed())
    minidnn.manual_seed(3)
    again = (random.generator().normal(size=5), random.next_seed())
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert 0 <= first[1] < 2**63
    minidnn.manual_seed(4)
    assert random.next_seed() != first[1]


def test_a_state_continues_where_it_was_taken() -> None:
    minidnn.manual_seed(0)
    random.generator().random(3, dtype=np.float32)  # leaves half a draw in the buffer
    state = json.loads(json.dumps(random.get_state()))
    want = random.generator().random(7, dtype=np.float32)
    random.set_state(state)
    assert np.array_equal(random.generator().random(7, dtype=np.float32), want)


@pytest.mark.parametrize("state", [{}, {"state": 1}, {"state": {"counter": ["x"]}, "buffer": []}])
def test_foreign_states_are_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="state is not a random state"):
        random.set_state(state)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("a", TypeError)])
def test_bad_seeds(seed: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="seed must be"):
        minidnn.manual_seed(seed)  # type: ignore[arg-type]
