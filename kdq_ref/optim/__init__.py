"""Optimizers that update parameters in place, and learning-rate schedules."""

from kdq_ref.optim.adam import Adam, AdamW
from kdq_ref.optim.optimizer import Optimizer
from kdq_ref.optim.schedules import Schedule, constant, cosine, one_cycle, step
from kdq_ref.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "Schedule",
    "constant",
    "cosine",
    "one_cycle",
    "step",
]
