"""What is done with one network: train and keep it, or make integers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdq_ref import quant
from kdq_ref.data import Dataset
from kdq_ref.distill import digest_of
from kdq_ref.infer import IntGraph
from kdq_ref.nn import Graph
from kdq_ref.pipeline.job import Prepared
from kdq_ref.train import (
    Evaluation,
    FitResult,
    Objective,
    Reporter,
    TrainConfig,
    evaluate,
    fit,
    save_float_model,
)


@dataclass(frozen=True, eq=False)
class Trained:
    """A float network after its training.

    Attributes
    ----------
    name : str
        In the zoo.
    graph : Graph
    fitted : FitResult
    test : Evaluation
    file : Path
    """

    name: str
    graph: Graph
    fitted: FitResult
    test: Evaluation
    file: Path

    def report(self) -> dict[str, Any]:
        """JSON-able facts: accuracy, parameters, bytes of the float32 weights, MACs."""
        parameters = self.graph.count_parameters()
        return {
            "name": self.name,
            "accuracy": self.test.accuracy,
            "loss": self.test.loss,
            "params": parameters,
            "bytes": 4 * parameters,
            "macs": self.graph.macs(),
        }


def train_network(
    prepared: Prepared,
    name: str,
    graph: Graph,
    dataset: Dataset,
    config: TrainConfig,
    objective: Objective,
    *,
    directory: Path,
    file: Path,
    resume: bool = False,
    reporter: Reporter | None = None,
    **distillation: Any,
) -> Trained:
    """Train a network, measure it on the test set, save it.

    Parameters
    ----------
    prepared : Prepared
        Has the validation and the test set.
    name : str
        Of the network in the zoo.
    graph : Graph
        Trained in place.
    dataset : Dataset
        What it is trained on.
    config : TrainConfig
    objective : Objective
    directory : Path
        Gets what :func:`kdq_ref.train.fit` writes.
    file : Path
        Gets the float model: the last epoch's weights.
    resume, reporter
        As in :func:`kdq_ref.train.fit`.
    **distillation
        ``teacher`` and ``labels`` of :func:`kdq_ref.train.fit`.

    Returns
    -------
    Trained
    """
    splits, job = prepared.splits, prepared.job
    fitted = fit(
        graph,
        dataset,
        splits.validation,
        config,
        objective=objective,
        directory=directory,
        resume=resume,
        reporter=reporter,
        **distillation,
    )
    test = evaluate(graph, splits.test, threads=config.threads)
    facts = {
        **dataset.facts(),
        "zoo": name,
        "seed": job.seed,
        "labels": job.labels,
        "test_accuracy": test.accuracy,
    }
    save_float_model(file, graph, facts)
    return Trained(name, graph, fitted, test, file)


def quantize_network(
    graph: Graph,
    dataset: Dataset,
    origin: Mapping[str, Any],
    *,
    samples: int,
    observer: str,
    weights: str,
    rule: str,
) -> tuple[Graph, quant.QuantSpec, IntGraph]:
    """Fold batch norm, calibrate on training images, lower.

    Parameters
    ----------
    graph : Graph
    dataset : Dataset
        Its first `samples` images choose the ranges of activations.
    origin : mapping
        Facts about `graph` that travel with the integers: its name in the zoo, its seed.
    samples : int
    observer, weights : str
        Of :func:`kdq_ref.quant.calibrate`.
    rule : str
        Name of the rounding rule.

    Returns
    -------
    folded : Graph
        The float network without batch norm, which `spec` belongs to.
    spec : QuantSpec
    integers : IntGraph
        ``lower(folded, spec, rule)``, with digest and origin of `graph`.
    """
    folded = quant.fold_batch_norm(graph)
    images = dataset.to_input(dataset.images[:samples])
    spec = quant.calibrate(folded, images, observer=observer, weights=weights)
    facts = {
        **dataset.facts(),
        **origin,
        "observer": spec.observer,
        "weights": spec.granularity,
    }
    integers = quant.lower(folded, spec, rule, source_digest=digest_of(graph), metadata=facts)
    return folded, spec, integers
