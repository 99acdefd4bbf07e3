"""Training a classifier: a loop that survives being killed, and what a run can be given beside it."""

from minidnn.training.early_stopping import EarlyStopping
from minidnn.training.evaluation import EpochMetrics, Evaluation, Totals, evaluate, predict
from minidnn.training.logs import CSVLog, Report, Reports, TensorBoardLog
from minidnn.training.trainer import Trainer, TrainingInterrupted

__all__ = [
    "CSVLog",
    "EarlyStopping",
    "EpochMetrics",
    "Evaluation",
    "Report",
    "Reports",
    "TensorBoardLog",
    "Totals",
    "Trainer",
    "TrainingInterrupted",
    "evaluate",
    "predict",
]
