"""Learning one class from far more background than memory holds: only what is hard to tell is kept.

Source: Felzenszwalb, Girshick, McAllester, Ramanan, "Object detection with discriminatively trained
part-based models", PAMI 32, 2010, section 4.5; Girshick et al., "Rich feature hierarchies for accurate object
detection and semantic segmentation", 2014, section 2.3. The numbers are those of the latter's program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.array import Array
from minidnn.detection.linear_svm import LinearSVM, fit_linear_svm


@dataclass(frozen=True)
class MiningSettings:
    """How a class is told from its background.

    Attributes:
        cost, positive_weight, bias_scale: see `fit_linear_svm`.
        hard_margin: a negative above this margin is hard; at -1 the hinge begins.
        easy_margin: one that falls below this margin is forgotten.
        retrain_after: how many new hard negatives call for a new machine.
    """

    cost: float = 1e-3
    positive_weight: float = 2.0
    bias_scale: float = 10.0
    hard_margin: float = -1.0001
    easy_margin: float = -1.2
    retrain_after: int = 2000


class HardNegativeMiner:
    """One class's machine while it looks at the background, image by image.

    The first negatives are all kept. From then on those that the machine does not leave behind its margin are
    added; when enough are new the machine is trained again, and those that have become easy are forgotten.

    Args:
        positives: features of the class's objects, (P, D), at least one.
        settings: see there.

    Attributes:
        negatives: features of the background that is remembered, (N, D).
        machine: the present one; None before the first negatives.
    """

    def __init__(self, positives: Array, settings: MiningSettings) -> None:
        self.positives = positives
        self.settings = settings
        self.negatives = positives[:0]
        self.machine: LinearSVM | None = None
        self._new = 0

    def look_at(self, features: Array) -> None:
        """Take the hard ones among an image's negatives (K, D)."""
        if self.machine is not None:
            features = features[self.machine.margins(features) > self.settings.hard_margin]
        if len(features) == 0:
            return
        self.negatives = np.concatenate((self.negatives, features))
        self._new += len(features)
        if self.machine is None or self._new >= self.settings.retrain_after:
            self._train()

    def finish(self) -> LinearSVM:
        """Return the machine, trained on all that is remembered.

        Raises:
            ValueError: there were no negatives.
        """
        if self._new > 0:
            self._train()
        if self.machine is None:
            raise ValueError("negatives must be at least one to learn a class from, got none")
        return self.machine

    def _train(self) -> None:
        features = np.concatenate((self.positives, self.negatives))
        positive = np.arange(len(features)) < len(self.positives)
        settings = self.settings
        self.machine = fit_linear_svm(
            features, positive, settings.cost, settings.positive_weight, settings.bias_scale
        )
        self.negatives = self.negatives[self.machine.margins(self.negatives) >= settings.easy_margin]
        self._new = 0
