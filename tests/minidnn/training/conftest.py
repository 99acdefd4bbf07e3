"""Runs that nothing interrupted: what all others must end like."""

from __future__ import annotations

import pytest

from minidnn.training import Trainer
from tests.minidnn.training.run import EPOCHS, build, build_with_everything


@pytest.fixture(scope="module")
def uninterrupted() -> Trainer:
    trainer = build(None)
    trainer.fit(EPOCHS)
    return trainer


@pytest.fixture(scope="module")
def uninterrupted_with_everything() -> Trainer:
    trainer = build_with_everything(None)
    trainer.fit(EPOCHS)
    return trainer
