"""Inception Score: whether made-up images look like something, and like many things."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels.array import check_integer, check_rank
from kernels.device import to_host
from minidnn.tensor import as_tensor


class InceptionScore(NamedTuple):
    """The score's mean and standard deviation over the splits."""

    mean: float
    standard_deviation: float


def inception_score(probabilities: Any, splits: int = 10) -> InceptionScore:
    """Return the Inception Score of the class probabilities that a classifier gives to images.

        score = exp(mean over n of sum over k of p[n, k] (log p[n, k] - log p[k]))
        p[k] = mean over n of p[n, k]

    for each of `splits` consecutive parts of the images; the mean and the (biased) standard deviation of the
    parts' scores. It is 1 where all images get the same probabilities, sure or not, and the number of classes
    where every image is surely of one class and all classes are equally frequent. 0 log 0 counts as 0.

    Args:
        probabilities: (N, K), the softmax of a classifier's scores; rows sum to 1. Published scores use an
            Inception network trained on ImageNet and 50,000 images.
        splits: into how many parts, as equal as possible; at most N.

    Returns:
        Two floats; computed in float64.

    Raises:
        ValueError: another rank, no class, negative numbers, NaN, rows that do not sum to 1, or more splits
            than images.
        TypeError: splits is no integer.

    Source: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, "Improved techniques for training GANs",
    NIPS 2016, section 4.
    """
    given = to_host(as_tensor(probabilities, name="probabilities").data).astype(np.float64)
    check_rank("probabilities", given, 2)
    check_integer("splits", splits, minimum=1)
    if splits > len(given):
        raise ValueError(f"splits must be at most the number of images, {len(given)}, got {splits}")
    if not (given.min(initial=0) >= 0 and np.allclose(given.sum(axis=1), 1, atol=1e-3)):
        raise ValueError(
            "probabilities must be at least 0 and sum to 1 in every row; apply a softmax to scores"
        )
    scores = []
    for part in np.array_split(given, splits):
        marginal = part.mean(axis=0)  # (K,)
        seen = part > 0
        logarithms = np.log(part, where=seen, out=np.zeros_like(part))
        logarithms -= np.log(marginal, where=marginal > 0, out=np.zeros_like(marginal))
        divergences = (part * logarithms).sum(axis=1)  # (n,): those of p(y | x) from p(y)
        scores.append(np.exp(divergences.mean()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
