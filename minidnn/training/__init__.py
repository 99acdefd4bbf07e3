"""Training a classifier: a loop that survives being killed, and what a run can be given beside it."""

from minidnn.training.evaluation import EpochMetrics, Evaluation, Totals, evaluate, predict
from minidnn.training.trainer import Report, Trainer, TrainingInterrupted

__all__ = [
    "EpochMetrics",
    "Evaluation",
    "Report",
    "Totals",
    "Trainer",
    "TrainingInterrupted",
    "evaluate",
    "predict",
]
