"""The whole way from a trained float network to an integer one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kdq_ref.infer import IntGraph
from kdq_ref.nn import Graph
from kdq_ref.quant.calibration import calibrate
from kdq_ref.quant.fold import fold_batch_norm
from kdq_ref.quant.lowering import lower
from kdq_ref.rounding import Rule


def quantize(
    graph: Graph,
    batches: np.ndarray | Iterable[np.ndarray],
    *,
    rule: str | Rule = "single_rounding",
    **settings: Any,
) -> IntGraph:
    """Fold batch norm, calibrate, and lower.

    Parameters
    ----------
    graph : Graph
    batches : iterable of (B, *input_shape) ndarray, or one such array
        Typical inputs.
    rule : str or Rule
    **settings
        Of :func:`kdq_ref.quant.calibrate`: ``observer``, ``weights``, ...

    Returns
    -------
    IntGraph
    """
    folded = fold_batch_norm(graph)
    return lower(folded, calibrate(folded, batches, **settings), rule)
