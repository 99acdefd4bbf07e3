"""Training a classifier: a loop that survives being killed, and what a run can be given beside it."""

from minidnn.training.combining import Ensemble, MultiCrop
from minidnn.training.detector import (
    DetectionMetrics,
    DetectorTrainer,
    detect_all,
    mask_average_precision,
)
from minidnn.training.early_stopping import EarlyStopping
from minidnn.training.evaluation import EpochMetrics, Evaluation, Totals, evaluate, predict
from minidnn.training.features import features
from minidnn.training.logs import CSVLog, Report, Reports, TensorBoardLog
from minidnn.training.loop import TrainingInterrupted, TrainingLoop
from minidnn.training.svm import linear_svm
from minidnn.training.trainer import Trainer
from minidnn.training.transfer import (
    TransferSettings,
    head_name,
    new_head,
    parameter_groups,
    replace_head,
    train_only,
    transfer_settings,
)

__all__ = [
    "CSVLog",
    "DetectionMetrics",
    "DetectorTrainer",
    "EarlyStopping",
    "Ensemble",
    "EpochMetrics",
    "Evaluation",
    "MultiCrop",
    "Report",
    "Reports",
    "TensorBoardLog",
    "Totals",
    "Trainer",
    "TrainingInterrupted",
    "TrainingLoop",
    "TransferSettings",
    "detect_all",
    "evaluate",
    "features",
    "head_name",
    "linear_svm",
    "mask_average_precision",
    "new_head",
    "parameter_groups",
    "predict",
    "replace_head",
    "train_only",
    "transfer_settings",
]
