"""What a run of the main job can be told, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kdq_ref import data, zoo
from kdq_ref.checks import check_int, check_positive_int
from kdq_ref.data import Dataset, Splits
from kdq_ref.nn import Graph
from kdq_ref.pipeline.recipes import Recipe, recipe_for
from kdq_ref.rounding import get_rule
from kdq_ref.train import Distillation, TrainConfig

# Independent random streams of one seed.
_TEACHER, _STUDENT = 1, 2


@dataclass(frozen=True)
class Job:
    """Settings of the main job; None means the recipe's.

    Attributes
    ----------
    data : str
        ``"digits"``, ``"fashion-mnist"``, or a directory of idx files.
    seed : int
        Decides initial weights, order, augmentation, dropout, and which labels are kept.
    labels : int, optional
        Only so many training images keep their label; the others are an unlabelled transfer set.
        The teacher and the student from scratch see the labelled ones alone.
    teacher, student : str, optional
        Names in :mod:`kdq_ref.zoo`.
    epochs : int, optional
        For all three networks.
    method, temperature, lam
        Of :class:`kdq_ref.train.Distillation`.
    rule : str
        Name of the rounding rule.
    observer, weights : str
        Of :func:`kdq_ref.quant.calibrate`.
    threads : int
        Changes no bit of any result.
    isa : str, optional
        Of the C kernels.
    """

    data: str = "digits"
    seed: int = 0
    labels: int | None = None
    teacher: str | None = None
    student: str | None = None
    epochs: int | None = None
    method: str | None = None
    temperature: float | None = None
    lam: float | None = None
    rule: str = "single_rounding"
    observer: str = "minmax"
    weights: str = "per_channel"
    threads: int = 2
    isa: str | None = None

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0)
        check_positive_int("threads", self.threads)
        get_rule(self.rule)
        if self.epochs is not None:
            check_positive_int("epochs", self.epochs)
        if self.labels is not None:
            check_positive_int("labels", self.labels)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job with its data: everything decided, nothing trained yet.

    Attributes
    ----------
    job : Job
    splits : Splits
    recipe : Recipe
        With the job's choices filled in.
    labelled : Dataset
        What teacher and student from scratch learn from. In the few-labels setting each labelled
        image stands in it as often as makes an epoch as long as one of the whole training set, so
        that equal epochs are equal budgets.
    known : (N,) int64 ndarray or None
        Labels of the whole training set with -1 where unknown; None where all are known.
    """

    job: Job
    splits: Splits
    recipe: Recipe
    labelled: Dataset
    known: np.ndarray | None

    @property
    def distillation(self) -> Distillation:
        """The distilled student's objective."""
        return self.recipe.distillation if self.known is None else self.recipe.few_labels

    def teacher(self) -> Graph:
        """Build the teacher with fresh weights."""
        return zoo.build(self.recipe.teacher, np.random.default_rng([self.job.seed, _TEACHER]))

    def student(self) -> Graph:
        """Build a student; both students start from the same weights."""
        return zoo.build(self.recipe.student, np.random.default_rng([self.job.seed, _STUDENT]))


def prepare(job: Job) -> Prepared:
    """Load the data and fill the job's choices into its recipe.

    Raises
    ------
    DatasetError, InvalidArgumentError, RangeError
    """
    splits = data.load(job.data)
    recipe = _with_choices(recipe_for(splits), job)
    train = splits.train
    if job.labels is None:
        return Prepared(job, splits, recipe, train, None)
    chosen, unlabelled = data.few_labels(train, job.labels, job.seed)
    known = train.labels.copy()
    known[unlabelled] = -1
    repeated = np.resize(chosen, len(train))
    return Prepared(job, splits, recipe, train.subset(repeated), known)


def _with_choices(recipe: Recipe, job: Job) -> Recipe:
    def config(base: TrainConfig) -> TrainConfig:
        epochs = base.epochs if job.epochs is None else job.epochs
        return replace(base, epochs=epochs, seed=job.seed, threads=job.threads)

    def objective(base: Distillation) -> Distillation:
        method = job.method or base.method
        temperature = job.temperature
        if temperature is None and method == "soft_target":
            # A recipe of another method has none.
            temperature = base.temperature or 4.0
        return Distillation(method, temperature, base.lam if job.lam is None else job.lam)

    return replace(
        recipe,
        teacher=job.teacher or recipe.teacher,
        student=job.student or recipe.student,
        teacher_config=config(recipe.teacher_config),
        student_config=config(recipe.student_config),
        distillation=objective(recipe.distillation),
        few_labels=objective(recipe.few_labels),
    )
