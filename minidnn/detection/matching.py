"""Which object a box is to find, and which boxes a step learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_integer, check_number
from minidnn.random import generator


class Matcher:
    """Gives each of N predictions the one of M objects that it overlaps most, or none.

        best quality >= high_threshold:                   the index of that object (the first of equals)
        low_threshold <= best quality < high_threshold:   BETWEEN_THRESHOLDS, not to learn from
        best quality < low_threshold:                     BELOW_LOW_THRESHOLD, background

    With `allow_low_quality_matches` an object's best predictions (all of equal quality) are matched however
    little they overlap it, so that no object is left without one: each of them to the object that *it*
    overlaps most, which may be another.

    Args:
        high_threshold: from here on a prediction has found its object.
        low_threshold: below it a prediction is background.
        allow_low_quality_matches: as above.

    Raises:
        ValueError: a low_threshold above the high one.

    Source: Ren et al., "Faster R-CNN", 2015, section 3.1.2.
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(
        self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False
    ) -> None:
        self.high_threshold = check_number("high_threshold", high_threshold)
        self.low_threshold = check_number("low_threshold", low_threshold)
        self.allow_low_quality_matches = allow_low_quality_matches
        if self.low_threshold > self.high_threshold:
            raise ValueError(f"low_threshold must not be above {high_threshold}, got {low_threshold}")

    def __call__(self, match_quality_matrix: Array) -> Array:
        """Return the matches (N,), int64, for the qualities (M, N), as a rule IoUs.

        Without objects all predictions are background.

        Raises:
            ValueError: not a matrix.
        """
        quality = match_quality_matrix
        if quality.ndim != 2:
            raise ValueError(f"match_quality_matrix must have shape (M, N), got {tuple(quality.shape)}")
        if quality.size == 0:
            return np.full(quality.shape[1], self.BELOW_LOW_THRESHOLD, np.int64)
        nearest = quality.argmax(axis=0)  # (N,)
        best = quality.max(axis=0)
        matches = np.where(best < self.high_threshold, self.BETWEEN_THRESHOLDS, nearest)
        matches[best < self.low_threshold] = self.BELOW_LOW_THRESHOLD
        if self.allow_low_quality_matches:
            closest = (quality == quality.max(axis=1, keepdims=True)).any(axis=0)  # (N,)
            matches[closest] = nearest[closest]
        return matches


class BalancedPositiveNegativeSampler:
    """Draws a fixed number of boxes from each image, a fixed share of them positive where there are enough.

        positives = min(floor(batch_size_per_image * positive_fraction), what there is)
        negatives = min(batch_size_per_image - positives, what there is)

    Background outnumbers objects by thousands to one; without the balance it would rule the gradient.

    Args:
        batch_size_per_image: how many boxes of an image a step learns from.
        positive_fraction: the positives' largest share.

    Raises:
        ValueError: a size below 1, or a fraction outside [0, 1].

    Source: Ren et al., "Faster R-CNN", 2015, section 3.1.3.
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image = check_integer("batch_size_per_image", batch_size_per_image, minimum=1)
        self.positive_fraction = check_number("positive_fraction", positive_fraction, minimum=0)
        if positive_fraction > 1:
            raise ValueError(f"positive_fraction must be at most 1, got {positive_fraction}")

    def __call__(self, labels: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Return masks (N,) of the positive and of the negative boxes drawn, image by image.

        Positives are drawn first, by one permutation of them, then negatives, by one of them, from the
        engine's generator: `minidnn.manual_seed` repeats them.

        Args:
            labels: for each image (N,): positive for an object, 0 for background, negative for neither.
        """
        drawn = [self._draw(image) for image in labels]
        return [positive for positive, _ in drawn], [negative for _, negative in drawn]

    def _draw(self, labels: Array) -> tuple[Array, Array]:
        wanted = int(self.batch_size_per_image * self.positive_fraction)
        positive = _some_of(labels > 0, wanted)
        negative = _some_of(labels == 0, self.batch_size_per_image - int(positive.sum()))
        return positive, negative


def _some_of(candidates: Array, count: int) -> Array:
    """A mask of `count` of the candidates (all, if there are no more), drawn at random."""
    indices = np.flatnonzero(candidates)
    chosen = np.zeros(len(candidates), bool)
    chosen[indices[generator().permutation(len(indices))[:count]]] = True
    return chosen
