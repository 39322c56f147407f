"""The gradient of a batch does not depend on who computes its parts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.training import same_bits, smooth_network, tiny_dataset, tiny_network

from kdq_ref import nn
from kdq_ref.distill import Workers, generate_soft_labels, predict_logits
from kdq_ref.train import Distillation, HardLabels, Targets, TrainConfig
from kdq_ref.train.gradient import Gradient, Task, batch_gradient

DATASET = tiny_dataset(40)
TEACHER = smooth_network(seed=9)


def _task(graph: nn.Graph, teacher: Any = None, **settings: Any) -> Task:
    config = TrainConfig(epochs=1, **settings)
    labels = np.where(np.arange(40) % 3, DATASET.labels, -1) if teacher is not None else None
    objective = HardLabels() if teacher is None else Distillation(temperature=3.0)
    known = DATASET.labels if labels is None else labels
    return Task(graph, DATASET, known, teacher, objective, config)


def _gradient(task: Task, indices: np.ndarray, threads: int = 1, step: int = 0) -> Gradient:
    with Workers(threads) as workers:
        return batch_gradient(task, workers, indices, step)


@given(
    indices=st.lists(st.integers(0, 39), min_size=1, max_size=30),
    micro_batch=st.integers(1, 32),
    step=st.integers(0, 10**6),
    with_teacher=st.booleans(),
)
def test_threads_change_no_bit(
    indices: list[int], micro_batch: int, step: int, with_teacher: bool
) -> None:
    """1, 2 and 3 threads: the same loss, gradients and statistics, with all randomness on."""
    task = _task(
        tiny_network(),
        TEACHER if with_teacher else None,
        micro_batch=micro_batch,
        shift=2,
        flip=True,
    )
    one, two, three = (_gradient(task, np.array(indices), t, step) for t in (1, 2, 3))
    states = []
    for gradient in (one, two, three):
        graph = tiny_network()
        graph.update_statistics(gradient.tapes)
        states.append(graph.state_dict())
    for other, state in ((two, states[1]), (three, states[2])):
        assert (one.loss, one.correct, one.labelled) == (other.loss, other.correct, other.labelled)
        assert same_bits(one.grads, other.grads)
        assert same_bits(states[0], state)


@given(st.lists(st.integers(0, 39), min_size=1, max_size=30), st.integers(1, 32))
def test_parts_add_up_to_the_batch(indices: list[int], micro_batch: int) -> None:
    """Without batch norm, however it is cut, it is the gradient of the batch's mean loss."""
    graph = smooth_network()
    batch = np.array(indices)
    cut = _gradient(_task(graph, micro_batch=micro_batch), batch)
    x = DATASET.to_input(DATASET.images[batch])
    logits, tape = graph.forward(x, training=True)
    loss, dlogits = HardLabels()(logits, {"labels": DATASET.labels[batch]})
    _, grads = graph.backward(dlogits, tape)
    assert_allclose(cut.loss, loss, rtol=1e-5)
    assert cut.images == cut.labelled == len(batch)
    assert cut.correct == np.sum(logits.argmax(1) == DATASET.labels[batch])
    for name, expected in grads.items():
        assert_allclose(cut.grads[name], expected, rtol=1e-3, atol=1e-6)


class _Counting(HardLabels):
    """Notes how many images each part has."""

    def __call__(self, logits: np.ndarray, targets: Targets) -> tuple[float, np.ndarray]:
        SIZES.append(len(logits))
        return super().__call__(logits, targets)


SIZES: list[int] = []


def test_parts_are_nearly_equal() -> None:
    """33 images at most 32 at a time are 17 and 16: batch norm never sees a lone image."""
    SIZES.clear()
    task = dataclasses.replace(_task(tiny_network(), micro_batch=32), objective=_Counting())
    _gradient(task, np.arange(33))
    assert SIZES == [17, 16]


def test_step_and_seed_decide_the_random_numbers() -> None:
    """The same step draws the same, another step or seed draws anew."""

    def loss(step: int, seed: int, **augmentation: Any) -> float:
        task = _task(tiny_network(dropout=0.0), seed=seed, **augmentation)
        return _gradient(task, np.arange(20), step=step).loss

    assert loss(3, 0, shift=1) == loss(3, 0, shift=1)
    assert len({loss(3, 0, shift=1), loss(4, 0, shift=1), loss(3, 1, shift=1)}) == 3
    assert loss(3, 0) == loss(4, 1), "nothing random, nothing changes"
    dropped = [_gradient(_task(tiny_network()), np.arange(20), step=s).loss for s in (3, 3, 4)]
    assert dropped[0] == dropped[1] != dropped[2]


def test_teacher_on_the_fly_equals_its_soft_labels() -> None:
    """Without augmentation it makes no difference whether logits were stored."""
    stored = generate_soft_labels(TEACHER, DATASET, micro_batch=10).logits
    indices = np.arange(20)
    live, from_file = (
        _gradient(_task(tiny_network(), teacher, micro_batch=10), indices)
        for teacher in (TEACHER, stored)
    )
    assert live.loss == from_file.loss
    assert same_bits(live.grads, from_file.grads)
    assert live.labelled == np.count_nonzero(indices % 3)


def test_the_teacher_sees_the_augmented_images() -> None:
    """A live teacher's targets follow the shift, stored ones do not; the teacher never changes."""
    before = TEACHER.state_dict()
    student = smooth_network(seed=9)
    live = _gradient(_task(student, TEACHER, shift=2, micro_batch=32), np.arange(30))
    soft = dataclasses.replace(
        _task(student, TEACHER, shift=2, micro_batch=32),
        labels=np.full(40, -1),
        teacher=TEACHER,
    )
    assert _gradient(soft, np.arange(30)).loss == 0, "a student equal to its teacher"
    stored = dataclasses.replace(soft, teacher=predict_logits(TEACHER, DATASET))
    assert _gradient(stored, np.arange(30)).loss > 0
    assert live.labelled == 20
    assert same_bits(TEACHER.state_dict(), before)


@pytest.mark.parametrize("threads", [1, 2])
def test_overflow_is_quiet(threads: int) -> None:
    """Infinite weights end in a loss that is NaN, without warnings from threads."""
    graph = smooth_network()
    graph.parameters()["dense2.w"][:] = np.inf
    assert np.isnan(_gradient(_task(graph, micro_batch=4), np.arange(20), threads).loss)


def test_images_are_left_alone() -> None:
    """Training reads the dataset and writes nothing to it."""
    images = DATASET.images.copy()
    _gradient(_task(tiny_network(), shift=2, flip=True), np.arange(40))
    assert_array_equal(DATASET.images, images)
