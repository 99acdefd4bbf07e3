"""The counter-based generator: its published test vector, and statistics of the bits dropout draws."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.random_bits import drop_threshold, mix, random_bits, random_bits_array

COUNT = 1 << 16


def test_seed_zero_is_the_published_splitmix64_sequence() -> None:
    """mix(0) is 0, so that seed 0 walks the generator's own sequence from state 0."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert [random_bits(0, index) for index in range(4)] == published


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**63, 2**64 - 1])
def test_the_array_holds_the_bits_of_each_index(seed: int) -> None:
    bits = random_bits_array(seed, 50)
    assert bits.dtype == np.uint64
    assert bits.tolist() == [random_bits(seed, index) for index in range(50)]


def test_mix_is_reversible_on_distinct_words() -> None:
    words = np.arange(COUNT, dtype=np.uint64) * np.uint64(2**48)
    assert len(np.unique(mix(words))) == COUNT


@pytest.mark.parametrize(
    ("probability", "threshold"),
    [(0, 0), (2.0**-30, 1), (2.0**-24, 1), (0.1, 1677722), (0.5, 2**23), (1 - 2**-30, 2**24), (1, 2**24)],
)
def test_the_threshold_rounds_up_and_is_exact_at_both_ends(probability: float, threshold: int) -> None:
    assert drop_threshold(probability) == threshold


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return abs(float(np.corrcoef(a, b)[0, 1]))


def top(seed: int) -> np.ndarray:
    return (random_bits_array(seed, COUNT) >> np.uint64(40)).astype(np.float64) / 2**24


@pytest.mark.parametrize("seed", [0, 1, 2, 99, 2**40, 2**63 - 1])
def test_the_bits_are_uniform(seed: int) -> None:
    """Mean, variance and a chi-square over 256 bins, each within 5 standard deviations."""
    values = top(seed)
    assert abs(values.mean() - 1 / 2) < 5 / np.sqrt(12 * COUNT)
    assert abs(values.var() - 1 / 12) < 5 / np.sqrt(180 * COUNT)
    expected = COUNT / 256
    chi_square = ((np.histogram(values, 256, (0, 1))[0] - expected) ** 2 / expected).sum()
    assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255)


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 28, 64, 784, 4096])
def test_neighbouring_indices_are_independent(lag: int) -> None:
    values = top(17)
    assert correlation(values[:-lag], values[lag:]) < 5 / np.sqrt(COUNT - lag)


@pytest.mark.parametrize("distance", [1, 2, 3, 2**8, 2**32, 2**62, 0x9E3779B97F4A7C15])
def test_neighbouring_seeds_are_independent(distance: int) -> None:
    """Also at the distance of one step of the counter, where unmixed seeds would give a shifted stream."""
    first, second = top(17), top((17 + distance) % 2**64)
    assert correlation(first, second) < 5 / np.sqrt(COUNT)
    assert correlation(first[1:], second[:-1]) < 5 / np.sqrt(COUNT)
    assert correlation(first[:-1], second[1:]) < 5 / np.sqrt(COUNT)
    assert len(np.intersect1d(random_bits_array(17, COUNT), random_bits_array(17 + distance, 64))) == 0


def test_every_bit_depends_on_every_bit_of_the_seed() -> None:
    """Flipping one bit of the seed flips each bit of the output with probability 1/2."""
    base = np.unpackbits(random_bits_array(5, 512).view(np.uint8))
    for position in range(64):
        flipped = np.unpackbits(random_bits_array(5 ^ (1 << position), 512).view(np.uint8))
        changed = float((base != flipped).mean())
        assert abs(changed - 0.5) < 5 * 0.5 / np.sqrt(base.size), position
