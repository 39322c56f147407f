"""A network's logits over a whole dataset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.checks import check_positive_int
from kdq_ref.data import Dataset
from kdq_ref.distill.workers import Workers
from kdq_ref.errors import ShapeError


def predict_logits(
    model: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    *,
    micro_batch: int = 64,
    threads: int = 2,
    between: Callable[[], None] | None = None,
) -> np.ndarray:
    """Run a network over every image, in order.

    Parameters
    ----------
    model : callable
        Maps (B, H, W, C) float32 to (B, classes); a `Graph`, for one. Called by several threads.
    dataset : Dataset
        At least one image.
    micro_batch : int
        Images per call. Products of other shapes may round differently: the bits of the result
        depend on this number.
    threads : int
        The bits of the result do not depend on this one.
    between : callable, optional
        Called after every micro-batch; what it raises ends the run.

    Returns
    -------
    (N, classes) ndarray

    Raises
    ------
    ShapeError, RangeError, DTypeError
    """
    check_positive_int("micro_batch", micro_batch)
    if not len(dataset):
        raise ShapeError(f"dataset {dataset.name!r} holds no image to predict")

    def predict(start: int) -> np.ndarray:
        # A network that overflows says so in its logits; a thread has no other way.
        with np.errstate(over="ignore", invalid="ignore"):
            return model(dataset.to_input(dataset.images[start : start + micro_batch]))

    parts = []
    with Workers(threads) as workers:
        for part in workers.map(predict, range(0, len(dataset), micro_batch)):
            parts.append(part)
            if between is not None:
                between()
    return np.concatenate(parts)
