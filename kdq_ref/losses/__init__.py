"""Losses: each returns its value and its gradient."""

from kdq_ref.losses.cross_entropy import cross_entropy
from kdq_ref.losses.mse import mse

__all__ = ["cross_entropy", "mse"]
