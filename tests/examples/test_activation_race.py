"""examples/activation_race.py: what its committed table says, and that it holds for weights drawn anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples.script import EXAMPLES, load_example, rows
from tests.program import ENVIRONMENT


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The script as a module."""
    return load_example("activation_race")


def fewest_steps(example: ModuleType, recipe: str, activation: str) -> float:
    """On the learning rate that is fastest for the activation, from the committed table."""
    table = rows(EXAMPLES / "activation_race.csv")
    return min(example.steps_to_target(table, recipe, activation).values())


def test_with_the_papers_recipe_relu_is_first(example: ModuleType) -> None:
    assert fewest_steps(example, "paper", "ReLU") < fewest_steps(example, "paper", "tanh") < 200


def test_with_todays_recipe_tanh_is_no_slower(example: ModuleType) -> None:
    """What the example's docstring owns up to."""
    assert fewest_steps(example, "today", "tanh") <= fewest_steps(example, "today", "ReLU") < 200


def test_every_race_of_the_table_was_run(example: ModuleType) -> None:
    table = rows(EXAMPLES / "activation_race.csv")
    assert {(row["recipe"], row["activation"], row["learning_rate"], row["seed"]) for row in table} == {
        (*pair, str(rate), str(seed))
        for pair, rates in example.RATES.items()
        for rate in rates
        for seed in range(2)
    }


@pytest.mark.slow
def test_on_one_learning_rate_relu_is_far_ahead(example: ModuleType) -> None:
    """The shortened form, from weights that the table does not know: the rate is ReLU's best."""
    relu, tanh = (example.race(("paper", activation, 0.016, 7), steps=200) for activation in ("ReLU", "tanh"))
    assert float(relu[-1]["train_error"]) <= example.TARGET
    assert float(tanh[-1]["train_error"]) > 2 * example.TARGET


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    script = [sys.executable, EXAMPLES / "activation_race.py", "--out", tmp_path]
    subprocess.run([*script, "--steps", "5", "--seeds", "1"], env=ENVIRONMENT, check=True)
    assert len(rows(tmp_path / "activation_race.csv")) == 12  # two recipes, two activations, three rates
    figure = (tmp_path / "activation_race.svg").read_bytes()
    subprocess.run([*script, "--plot-only"], env=ENVIRONMENT, check=True)
    assert (tmp_path / "activation_race.svg").read_bytes() == figure
