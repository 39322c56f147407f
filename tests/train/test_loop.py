"""The loop: the same bits whatever the threads, honest records, refusals."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies.runs import (
    CONFIG,
    EPOCHS,
    SETTINGS,
    SPE,
    TRAIN,
    VALIDATION,
    StopAt,
    assert_same_run,
    fit_tiny,
)
from strategies.training import same_bits, smooth_network, tiny_dataset, tiny_network

from kdq_ref import nn
from kdq_ref.distill import predict_logits
from kdq_ref.errors import (
    CheckpointError,
    InvalidArgumentError,
    TrainingDivergedError,
    TrainingInterrupted,
)
from kdq_ref.train import (
    BEST,
    HISTORY,
    LAST,
    Distillation,
    FitResult,
    HardLabels,
    TrainConfig,
    evaluate,
    fit,
    load_checkpoint,
    load_float_model,
)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(
    whole_runs: dict[str, Path], tmp_path: Path, name: str, threads: int
) -> None:
    """Parameters, buffers, optimizer, history, best model: the same for 1, 2 and 3 threads."""
    config = dataclasses.replace(CONFIG, threads=threads)
    fit_tiny(tiny_network(), config, directory=tmp_path, **SETTINGS[name])
    assert_same_run(whole_runs[name], tmp_path)


def test_without_a_directory() -> None:
    """Nothing is written, the result is the same, and stopping says that nothing was saved."""
    graph, again = tiny_network(), tiny_network()
    result = fit_tiny(graph)
    with pytest.raises(TrainingInterrupted, match="nothing was saved") as caught:
        fit_tiny(again, reporter=StopAt(3))
    assert caught.value.checkpoint is None
    again = tiny_network()
    twin = fit_tiny(again)
    assert same_bits(graph.state_dict(), again.state_dict())
    assert same_bits(result.best_state, twin.best_state)
    with pytest.raises(InvalidArgumentError, match="resume needs the directory"):
        fit_tiny(graph, resume=True)


def test_in_another_thread() -> None:
    """Training works outside the main thread, where no handler can be installed."""
    results: list[FitResult] = []
    thread = threading.Thread(target=lambda: results.append(fit_tiny(tiny_network())))
    thread.start()
    thread.join()
    assert len(results[0].history) == EPOCHS


def test_history_is_what_happened(whole_runs: dict[str, Path]) -> None:
    """Epochs and steps count up, rates follow the schedule, the last validation can be redone."""
    checkpoint = load_checkpoint(whole_runs["hard"] / LAST)
    schedule = CONFIG.make_schedule(SPE)
    for number, record in enumerate(checkpoint.history, 1):
        assert (record.epoch, record.step) == (number, SPE * number)
        assert record.lr == schedule(record.step - 1)
    graph = tiny_network()
    graph.load_state_dict(checkpoint.model)
    last = checkpoint.history[-1]
    assert (last.validation_accuracy, last.validation_loss) == evaluate(graph, VALIDATION)


def test_best_is_the_best(whole_runs: dict[str, Path]) -> None:
    """The best model has the highest accuracy, then the lowest loss, and says which epoch it is."""
    checkpoint = load_checkpoint(whole_runs["hard"] / LAST)
    ranks = [(r.validation_accuracy, -(r.validation_loss or 0)) for r in checkpoint.history]
    assert checkpoint.progress.best_epoch == 1 + ranks.index(max(ranks))
    best, metadata = load_float_model(whole_runs["hard"] / BEST)
    record = checkpoint.history[checkpoint.progress.best_epoch - 1]
    assert evaluate(best, VALIDATION) == (record.validation_accuracy, record.validation_loss)
    assert metadata == {
        "dataset": "tiny",
        "classes": ["top", "middle", "low"],
        "pixel_scale": 255,
        "epoch": record.epoch,
        "validation_accuracy": record.validation_accuracy,
        "validation_loss": record.validation_loss,
    }


def test_of_equals_the_first_is_the_best() -> None:
    """Without learning all epochs are alike, and the first is kept."""
    assert fit_tiny(smooth_network(), dataclasses.replace(CONFIG, lr=0.0)).best_epoch == 1


@pytest.mark.parametrize("validation", [None, VALIDATION.subset(slice(0))])
def test_without_validation_the_last_is_the_best(tmp_path: Path, validation: Any) -> None:
    """Nothing is measured, the newest weights are kept."""
    graph = tiny_network()
    result = fit(graph, TRAIN, validation, CONFIG, directory=tmp_path)
    assert result.best_epoch == EPOCHS
    assert same_bits(result.best_state, graph.state_dict())
    assert {(r.validation_loss, r.validation_accuracy) for r in result.history} == {(None, None)}


def test_resuming_another_run_says_what_differs(whole_runs: dict[str, Path]) -> None:
    """Another configuration, network, objective, dataset or teacher is refused by name."""
    directory = whole_runs["hard"]

    def refused(message: str, *, graph: nn.Graph | None = None, **change: Any) -> None:
        arguments = {"train": TRAIN, "validation": VALIDATION, "config": CONFIG} | change
        with pytest.raises(CheckpointError, match=message):
            fit(graph or tiny_network(), **arguments, directory=directory, resume=True)

    refused(r"config\.lr: 0\.05 there, 0\.1 here", config=dataclasses.replace(CONFIG, lr=0.1))
    refused(r"config\.epochs: 3 there, 4 here", config=dataclasses.replace(CONFIG, epochs=4))
    refused(r"graph\.nodes", graph=smooth_network())
    refused(r"objective\.label_smoothing: 0\.0 there, 0\.5 here", objective=HardLabels(0.5))
    refused(r"data\.train_images", train=tiny_dataset(seed=3))
    refused(r"data\.train_labels", labels=(TRAIN.labels + 1) % 3)
    refused(r"data\.validation", validation=None)
    refused(r"data\.teacher: None there", **SETTINGS["teacher"])


def test_a_new_run_replaces_an_old_one(tmp_path: Path) -> None:
    """Without resume the directory's old run is gone from the first moment on."""
    fit_tiny(tiny_network(), directory=tmp_path)
    with pytest.raises(TrainingInterrupted):
        fit_tiny(tiny_network(), directory=tmp_path, reporter=StopAt(1))
    assert load_checkpoint(tmp_path / LAST).progress.step == 1
    assert (tmp_path / HISTORY).read_text() == ""
    assert not (tmp_path / BEST).exists()


def test_divergence_is_named(tmp_path: Path) -> None:
    """A loss that is not finite ends the run, naming epoch and step; the files stay good."""
    config = dataclasses.replace(CONFIG, lr=1e30, schedule="constant", schedule_options={})
    message = r"is (nan|inf) in epoch 1 after step \d, at learning rate 1e\+30"
    with pytest.raises(TrainingDivergedError, match=message):
        fit_tiny(smooth_network(), config, directory=tmp_path)
    assert all(np.isfinite(a).all() for a in load_checkpoint(tmp_path / LAST).model.values())


def test_a_bad_loss_ends_the_run_before_the_step() -> None:
    """The weights are those that gave the loss, for whoever wants to look."""
    graph = smooth_network()
    graph.parameters()["dense2.w"][:] = np.inf
    before = graph.state_dict()
    with pytest.raises(TrainingDivergedError, match="loss is nan in epoch 1 after step 0"):
        fit_tiny(graph)
    assert same_bits(graph.state_dict(), before)


def test_divergence_in_the_last_step_is_found() -> None:
    """Weights that overflow after the last loss was computed do not pass as a result."""
    config = TrainConfig(1, 22, lr=1e308, schedule="constant")
    with pytest.raises(TrainingDivergedError, match="epoch 1 after step 1"):
        fit(smooth_network(), TRAIN, None, config)


def test_it_learns() -> None:
    """A separable problem is learned; a student matches its teacher from unlabelled images."""
    data, other = tiny_dataset(120, seed=2), tiny_dataset(100, seed=3)
    config = TrainConfig(12, 20, lr=0.1, optimizer_options={"momentum": 0.9}, micro_batch=20)
    teacher = tiny_network(dropout=0.0)
    result = fit(teacher, data, other, config)
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert evaluate(teacher, other).accuracy > 0.9
    student = tiny_network(seed=1, dropout=0.0)
    unlabelled = np.full(len(data), -1)
    fit(student, data, None, config, objective=Distillation(temperature=2.0), teacher=teacher,
        labels=unlabelled)  # fmt: skip
    agreement = predict_logits(student, other).argmax(1) == predict_logits(teacher, other).argmax(1)
    assert agreement.mean() > 0.9
