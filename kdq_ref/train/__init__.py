"""Training and distillation: the loop, its objectives, its files."""

from kdq_ref.distill import digest_of, predict_logits
from kdq_ref.train.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from kdq_ref.train.config import OPTIMIZERS, SCHEDULES, TrainConfig
from kdq_ref.train.evaluate import Evaluation, evaluate
from kdq_ref.train.float_model import load_float_model, save_float_model
from kdq_ref.train.history import EpochRecord
from kdq_ref.train.loop import BEST, HISTORY, LAST, FitResult, fit
from kdq_ref.train.objective import METHODS, Distillation, HardLabels, Objective, Targets
from kdq_ref.train.progress import BarReporter, LineReporter, Reporter, reporter_for

__all__ = [
    "BEST",
    "HISTORY",
    "LAST",
    "METHODS",
    "OPTIMIZERS",
    "SCHEDULES",
    "BarReporter",
    "Checkpoint",
    "Distillation",
    "EpochRecord",
    "Evaluation",
    "FitResult",
    "HardLabels",
    "LineReporter",
    "Objective",
    "Progress",
    "Reporter",
    "Targets",
    "TrainConfig",
    "digest_of",
    "evaluate",
    "fit",
    "load_checkpoint",
    "load_float_model",
    "predict_logits",
    "reporter_for",
    "save_checkpoint",
    "save_float_model",
]
