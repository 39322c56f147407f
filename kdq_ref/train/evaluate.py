"""How good a network is on a labelled dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kdq_ref.data import Dataset
from kdq_ref.distill import predict_logits
from kdq_ref.losses import cross_entropy


class Evaluation(NamedTuple):
    """Attributes: the fraction of right answers, and the mean cross-entropy."""

    accuracy: float
    loss: float


def evaluate(
    model: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    *,
    micro_batch: int = 64,
    threads: int = 2,
    between: Callable[[], None] | None = None,
) -> Evaluation:
    """Measure accuracy and mean cross-entropy against the dataset's labels.

    Parameters
    ----------
    model : callable
        Maps (B, H, W, C) float32 to logits (B, classes); a `Graph`, for one.
    dataset : Dataset
        At least one image.
    micro_batch, threads, between
        As in :func:`~kdq_ref.distill.predict_logits`.

    Returns
    -------
    Evaluation
        The answer is the largest logit, the first one of equals; NaN logits are never right.
    """
    logits = predict_logits(
        model, dataset, micro_batch=micro_batch, threads=threads, between=between
    )
    # Summed in float64, and quietly: the caller judges a loss that is not finite.
    with np.errstate(invalid="ignore", over="ignore"):
        loss, _ = cross_entropy(logits.astype(np.float64), dataset.labels)
    right = np.argmax(logits, axis=1) == dataset.labels
    right &= ~np.isnan(logits).any(axis=1)
    return Evaluation(float(right.mean()), loss)
