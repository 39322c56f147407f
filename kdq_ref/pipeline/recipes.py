"""How each dataset is trained by default: networks, budgets, distillation settings.

Temperature and lambda of the digits were chosen on the validation split (``bench/results`` holds
the searches), never on the test split; those of Fashion-MNIST are usual values, not searched.
Both students of a recipe get the same budget: the same images, steps, schedule and augmentation;
only the objective differs.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdq_ref.data import Splits
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.train import Distillation, TrainConfig


@dataclass(frozen=True)
class Recipe:
    """Networks and settings for one kind of dataset.

    Attributes
    ----------
    teacher, student : str
        Names in :mod:`kdq_ref.zoo`.
    teacher_config, student_config : TrainConfig
        Seeds and threads are replaced by the job's.
    distillation : Distillation
        Where every training image has its label.
    few_labels : Distillation
        Where most images are an unlabelled transfer set.
    calibration : int
        How many training images choose the ranges of activations.
    """

    teacher: str
    student: str
    teacher_config: TrainConfig
    student_config: TrainConfig
    distillation: Distillation
    few_labels: Distillation
    calibration: int = 1024


_NESTEROV = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}


def _fashion(epochs: int) -> TrainConfig:
    return TrainConfig(
        epochs=epochs,
        lr=0.1,
        optimizer_options=_NESTEROV,
        schedule="one_cycle",
        shift=1,
        flip=True,
    )


RECIPES: dict[str, Recipe] = {
    "digits": Recipe(
        teacher="digits-teacher",
        student="digits-student",
        teacher_config=TrainConfig(
            epochs=30, batch_size=64, lr=0.05, optimizer_options=_NESTEROV, shift=1
        ),
        student_config=TrainConfig(
            epochs=60, batch_size=64, lr=0.05, optimizer_options=_NESTEROV, shift=1
        ),
        distillation=Distillation("soft_target", temperature=4.0, lam=0.5),
        few_labels=Distillation("soft_target", temperature=2.0, lam=0.9),
    ),
    "fashion-mnist": Recipe(
        teacher="fashion-teacher",
        student="fashion-student",
        teacher_config=_fashion(epochs=10),
        student_config=_fashion(epochs=12),
        distillation=Distillation("soft_target", temperature=4.0, lam=0.9),
        few_labels=Distillation("soft_target", temperature=4.0, lam=0.9),
    ),
}
"""By name of the dataset; others use the one of the same shape."""
_BY_SHAPE = {(8, 8, 1): "digits", (28, 28, 1): "fashion-mnist"}


def recipe_for(splits: Splits) -> Recipe:
    """Return the recipe for datasets of this shape, whatever their name.

    Raises
    ------
    InvalidArgumentError
        If no known dataset has images of this shape and number of classes.
    """
    dataset = splits.train
    name = _BY_SHAPE.get(dataset.input_shape)
    if name is not None and len(dataset.classes) == 10:
        return RECIPES[name]
    raise InvalidArgumentError(
        f"there is no recipe for {len(dataset.classes)} classes of images {dataset.input_shape}; "
        f"known are 28x28x1 and 8x8x1 with 10 classes. Use kdq_ref.train.fit with your own network"
    )
