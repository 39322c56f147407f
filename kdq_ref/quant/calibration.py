"""Calibration: scales and zero points from a few batches of real inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kdq_ref.errors import InvalidArgumentError, NotFiniteError
from kdq_ref.nn import Graph
from kdq_ref.nn.topology import INPUT
from kdq_ref.quant.observers import OBSERVERS, Observer
from kdq_ref.quant.schemes import (
    QuantParams,
    check_granularity,
    choose_activation_params,
    weight_scales,
)
from kdq_ref.quant.spec import QuantSpec
from kdq_ref.quant.stages import Stage, split_stages

MAX_CODES_PER_STEP = 2**24
"""One step of an accumulator never spans more output codes: every rounding rule has a multiplier.

Only the range of a value that is all but dead is affected."""


def calibrate(
    graph: Graph,
    batches: np.ndarray | Iterable[np.ndarray],
    *,
    observer: str = "minmax",
    weights: str = "per_channel",
    momentum: float = 0.1,
    percentile: float = 99.99,
) -> QuantSpec:
    """Choose every scale and zero point of a network.

    Parameters
    ----------
    graph : Graph
        Without batch norm and dropout (see :func:`kdq_ref.quant.fold_batch_norm`).
    batches : iterable of (B, *input_shape) ndarray, or one such array
        Typical inputs.
    observer : {"minmax", "moving_average", "percentile"}
        What the ranges of activations are taken from.
    weights : {"per_channel", "per_tensor"}
    momentum : float
        Of the moving average.
    percentile : float
        Of the percentile observer.

    Returns
    -------
    QuantSpec

    Raises
    ------
    NotFiniteError
        Naming the node whose value or weights are NaN or infinite.
    GraphError
        For layers without an integer form.
    InvalidArgumentError
        Without any batch, or for unknown names.
    """
    check_granularity(weights)
    settings = {"moving_average": {"momentum": momentum}, "percentile": {"percentile": percentile}}
    if observer not in OBSERVERS:
        raise InvalidArgumentError(
            f"unknown observer {observer!r}; choose one of {', '.join(OBSERVERS)}"
        )
    own: dict[str, Any] = settings.get(observer, {})
    stages = split_stages(graph)
    observed = [INPUT, *(stage.name for stage in stages if not stage.keeps_params)]
    observers = {name: OBSERVERS[observer](**own) for name in observed}
    _observe(graph, [batches] if isinstance(batches, np.ndarray) else batches, observers)
    activations, scales = _choose(stages, observers, weights)
    return QuantSpec(
        activations=activations,
        weights=scales,
        granularity=weights,
        observer={"name": observer, **observers[INPUT].settings()},
    )


def _observe(graph: Graph, batches: Iterable[np.ndarray], observers: dict[str, Observer]) -> None:
    empty = True
    for batch in batches:
        empty = False
        for name, value in graph.values(batch):
            if name in observers:
                try:
                    observers[name].observe(value)
                except NotFiniteError as fault:
                    raise NotFiniteError(f"value {name!r}: {fault}") from fault
    if empty:
        raise InvalidArgumentError("calibration needs at least one batch of inputs, got none")


def _choose(
    stages: tuple[Stage, ...], observers: dict[str, Observer], granularity: str
) -> tuple[dict[str, QuantParams], dict[str, tuple[float, ...]]]:
    """Scales of activations and of weights, in the order in which they depend on each other."""
    activations = {INPUT: choose_activation_params(*observers[INPUT].range())}
    params = dict(activations)
    chosen: dict[str, tuple[float, ...]] = {}
    for stage in stages:
        sources = [params[name] for name in stage.node.inputs]
        if stage.keeps_params:
            params[stage.name] = sources[0]
            continue
        step = max(source.scale for source in sources)
        try:
            if stage.affine:
                w, b = stage.node.layer.params["w"], stage.node.layer.params.get("b")
                scales = weight_scales(w, granularity, bias=b, input_scale=step)
                chosen[stage.node.name] = tuple(float(scale) for scale in scales)
                step *= max(chosen[stage.node.name])
            own = choose_activation_params(
                *observers[stage.name].range(), finest=step / MAX_CODES_PER_STEP
            )
        except InvalidArgumentError as fault:
            raise type(fault)(f"node {stage.node.name!r}: {fault}") from fault
        params[stage.name] = activations[stage.name] = own
    return activations, chosen
