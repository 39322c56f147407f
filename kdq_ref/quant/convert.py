"""The whole way from a trained float network to an integer one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kdq_ref.distill import digest_of
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
    metadata: dict[str, Any] | None = None,
    **settings: Any,
) -> IntGraph:
    """Fold batch norm, calibrate, and lower.

    Parameters
    ----------
    graph : Graph
    batches : iterable of (B, *input_shape) ndarray, or one such array
        Typical inputs.
    rule : str or Rule
    metadata : dict, optional
        Travels with the model; ``kdq predict`` wants ``classes`` and ``pixel_scale``.
    **settings
        Of :func:`kdq_ref.quant.calibrate`: ``observer``, ``weights``, ...

    Returns
    -------
    IntGraph
        With the digest of `graph` as its ``source_digest``.
    """
    folded = fold_batch_norm(graph)
    spec = calibrate(folded, batches, **settings)
    return lower(folded, spec, rule, source_digest=digest_of(graph), metadata=metadata)
