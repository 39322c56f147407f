"""Objectives: the distillation losses behind one interface."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.logits import TEMPERATURES, assert_gradient, logit_pairs

from kdq_ref import distill, losses
from kdq_ref.errors import InvalidArgumentError, RangeError
from kdq_ref.train import METHODS, Distillation, HardLabels

Pair = tuple[np.ndarray, np.ndarray]


def _labels(data: st.DataObject, student: np.ndarray, low: int) -> np.ndarray:
    return np.array([data.draw(st.integers(low, student.shape[1] - 1)) for _ in student])


@given(logit_pairs(np.float32), st.floats(0, 1), st.data())
def test_hard_labels(pair: Pair, smoothing: float, data: st.DataObject) -> None:
    """With all labels known it is the cross-entropy, to the bit."""
    student, _ = pair
    labels = _labels(data, student, 0)
    loss, gradient = HardLabels(smoothing)(student, {"labels": labels})
    expected = losses.cross_entropy(student, labels, label_smoothing=smoothing)
    assert loss == expected[0]
    assert_array_equal(gradient, expected[1])


@given(logit_pairs(), TEMPERATURES, st.floats(0, 1), st.data())
def test_soft_target_is_hintons(
    pair: Pair, temperature: float, lam: float, data: st.DataObject
) -> None:
    """The default method is the published loss, to the bit."""
    student, teacher = pair
    labels = _labels(data, student, distill.UNLABELLED)
    objective = Distillation(temperature=temperature, lam=lam)
    loss, gradient = objective(student, {"labels": labels, "teacher": teacher})
    expected = distill.hinton(student, teacher, labels, temperature=temperature, lam=lam)
    assert loss == expected[0]
    assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("method", METHODS)
@given(pair=logit_pairs(), lam=st.floats(0, 1), data=st.data())
def test_gradient(method: str, pair: Pair, lam: float, data: st.DataObject) -> None:
    """For every method, with some labels missing, the gradient is that of the value."""
    student, teacher = pair
    targets = {"labels": _labels(data, student, distill.UNLABELLED), "teacher": teacher}
    temperature = 4.0 if method == "soft_target" else None
    objective = Distillation(method, temperature, lam)
    assert_gradient(lambda s: objective(s, targets), student)


def test_an_unlabelled_sample_has_the_teachers_term_only() -> None:
    """Its loss is lambda times the teacher's; labels of others do not reach it."""
    student, teacher = np.random.default_rng(0).standard_normal((2, 1, 4))
    objective = Distillation("logit_matching", lam=0.75)
    loss, gradient = objective(student, {"labels": np.array([-1]), "teacher": teacher})
    soft, dsoft = distill.logit_matching(student, teacher)
    assert loss == 0.75 * soft
    assert_array_equal(gradient, 0.75 * dsoft)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"method": "attention"}, InvalidArgumentError),
        ({"method": "soft_target"}, InvalidArgumentError),
        ({"method": "logit_matching", "temperature": 2.0}, InvalidArgumentError),
        ({"temperature": 0.0}, RangeError),
        ({"temperature": 1.0, "lam": 1.5}, RangeError),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Unknown methods, temperatures where there are none, numbers out of range."""
    with pytest.raises(error):
        Distillation(**arguments)


def test_smoothing_is_a_fraction() -> None:
    """Label smoothing outside [0, 1] is refused."""
    with pytest.raises(RangeError):
        HardLabels(1.5)


def test_identities_tell_objectives_apart() -> None:
    """Every setting is in the identity."""
    objectives = [
        HardLabels(),
        HardLabels(0.1),
        Distillation(temperature=2.0),
        Distillation(temperature=3.0),
        Distillation(temperature=2.0, lam=0.5),
        Distillation("logit_matching"),
    ]
    identities = [str(objective.identity()) for objective in objectives]
    assert len(set(identities)) == len(identities)
