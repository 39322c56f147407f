"""Jobs are prepared: choices filled in, labels hidden, budgets equal."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import DatasetError, DTypeError, InvalidArgumentError, RangeError
from kdq_ref.pipeline import RECIPES, Job
from kdq_ref.pipeline.job import prepare


def test_none_means_the_recipe() -> None:
    """A job that chooses nothing gets its dataset's recipe, with its seed and threads."""
    made = prepare(Job(seed=7, threads=3))
    recipe = RECIPES["digits"]
    assert made.recipe.distillation == recipe.distillation
    assert made.recipe.student == recipe.student
    assert made.recipe.student_config.epochs == recipe.student_config.epochs
    assert made.recipe.student_config.seed == made.recipe.teacher_config.seed == 7
    assert made.recipe.teacher_config.threads == 3
    assert made.known is None
    assert made.labelled is made.splits.train


def test_choices_override_the_recipe() -> None:
    """Epochs, networks and every part of the distillation."""
    job = Job(epochs=2, teacher="digits-student", temperature=2.5, lam=0.25)
    recipe = prepare(job).recipe
    assert recipe.teacher_config.epochs == recipe.student_config.epochs == 2
    assert recipe.teacher == "digits-student"
    assert (recipe.distillation.temperature, recipe.distillation.lam) == (2.5, 0.25)
    assert prepare(Job(method="logit_matching")).distillation.temperature is None


@pytest.mark.parametrize("labels", [10, 100, 123])
def test_few_labels_hide_the_others_and_keep_the_budget(labels: int) -> None:
    """Labelled images only for those who may not see more, as many a epoch as for the others."""
    made = prepare(Job(labels=labels, seed=1))
    train = made.splits.train
    assert made.known is not None
    seen = made.known >= 0
    assert seen.sum() == labels
    np.testing.assert_array_equal(made.known[seen], train.labels[seen])
    assert len(made.labelled) == len(train)
    visible = {image.tobytes() for image in train.images[seen]}
    assert {image.tobytes() for image in made.labelled.images} == visible
    counts = np.unique(np.resize(np.flatnonzero(seen), len(train)), return_counts=True)[1]
    assert counts.max() - counts.min() <= 1


def test_both_students_start_from_the_same_weights() -> None:
    """Only the objective may differ; another seed is another start."""
    made = prepare(Job(seed=3))
    first, second = made.student().state_dict(), made.student().state_dict()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    other = prepare(Job(seed=4)).student().state_dict()
    assert any((array != other[name]).any() for name, array in first.items())


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"seed": -1}, RangeError),
        ({"threads": 0}, RangeError),
        ({"labels": 0}, RangeError),
        ({"epochs": 1.5}, DTypeError),
        ({"rule": "nearest"}, InvalidArgumentError),
    ],
)
def test_choices_that_mean_nothing(choices: dict, error: type) -> None:
    """Refused when the job is made, before any work."""
    with pytest.raises(error):
        Job(**choices)


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"data": "no-such-directory"}, DatasetError),
        ({"labels": 10**6}, RangeError),
        ({"lam": 2.0}, RangeError),
        ({"method": "magic"}, InvalidArgumentError),
    ],
)
def test_choices_the_data_refuses(choices: dict, error: type) -> None:
    """Refused when the job is prepared, before any training."""
    with pytest.raises(error):
        prepare(Job(**choices))
