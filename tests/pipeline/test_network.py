"""One network, trained and kept or made integers, with the facts its file needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref import infer, quant, zoo
from kdq_ref.distill import digest_of
from kdq_ref.pipeline import Job
from kdq_ref.pipeline.job import prepare
from kdq_ref.pipeline.network import quantize_network, train_network
from kdq_ref.train import HardLabels, evaluate, load_float_model


def test_the_kept_network_is_the_measured_one(tmp_path: Path) -> None:
    """The file has the last weights and says where they come from; the report is true of them."""
    prepared = prepare(Job(epochs=1, seed=4, labels=60))
    name, config = prepared.recipe.student, prepared.recipe.student_config
    network = train_network(
        prepared,
        name,
        prepared.student(),
        prepared.labelled,
        config,
        HardLabels(),
        directory=tmp_path / "run",
        file=tmp_path / "model",
    )
    graph, facts = load_float_model(tmp_path / "model")
    assert digest_of(graph) == digest_of(network.graph)
    test = evaluate(graph, prepared.splits.test)
    assert network.test == test
    origin = {"zoo": name, "seed": 4, "labels": 60, "test_accuracy": test.accuracy}
    assert facts == prepared.labelled.facts() | origin
    report = network.report()
    assert (report["name"], report["accuracy"], report["loss"]) == (name, test.accuracy, test.loss)
    assert report["bytes"] == 4 * report["params"] == 4 * graph.count_parameters()
    assert len(network.fitted.history) == 1
    assert (tmp_path / "run" / "last.safetensors").is_file()


@pytest.mark.parametrize("samples", [1, 64])
def test_integers_follow_from_the_parts(samples: int) -> None:
    """Folded network and spec lower to the same integers; facts and settings travel along."""
    train = prepare(Job()).splits.train
    graph = zoo.build("digits-student", np.random.default_rng(0))
    settings = {"observer": "percentile", "weights": "per_tensor", "rule": "double_rounding"}
    folded, spec, integers = quantize_network(
        graph, train, {"seed": 7}, samples=samples, **settings
    )
    images = train.to_input(train.images[:70])
    again = quant.lower(folded, spec, "double_rounding")
    np.testing.assert_array_equal(infer.run(integers, images), infer.run(again, images))
    assert spec == quant.calibrate(
        folded, images[:samples], observer="percentile", weights="per_tensor"
    )
    assert integers.source_digest == digest_of(graph)
    chosen = {"seed": 7, "observer": spec.observer, "weights": "per_tensor"}
    assert integers.metadata == train.facts() | chosen
