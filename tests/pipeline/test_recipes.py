"""Every dataset finds a recipe whose networks fit it, or is told why not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kdq_ref import zoo
from kdq_ref.data import Dataset, Splits, load_digits
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.pipeline import RECIPES, recipe_for

SHAPES = {"digits": (8, 8, 1), "fashion-mnist": (28, 28, 1)}


@pytest.mark.parametrize("name", RECIPES)
def test_networks_fit_their_data(name: str) -> None:
    """Input shapes agree, ten logits come out, the student is the smaller one."""
    teacher, student = (
        zoo.build(network, np.random.default_rng(0))
        for network in (RECIPES[name].teacher, RECIPES[name].student)
    )
    for graph in (teacher, student):
        assert graph.input_shape == SHAPES[name]
        assert graph.shapes()[graph.output] == (10,)
    assert student.count_parameters() <= min(30_000, teacher.count_parameters() // 3)


def test_an_unknown_name_is_matched_by_shape() -> None:
    """An MNIST-like directory uses the recipe of Fashion-MNIST; other shapes have none."""
    digits = load_digits()
    images = np.zeros((2, 28, 28, 1), np.uint8)
    other = Dataset("mine", images, np.zeros(2, np.int64), digits.train.classes, 255)
    assert recipe_for(Splits(other, other, other)) is RECIPES["fashion-mnist"]
    wide = dataclasses.replace(other, images=np.zeros((2, 32, 32, 3), np.uint8))
    with pytest.raises(InvalidArgumentError, match=r"no recipe for 10 classes.*\(32, 32, 3\)"):
        recipe_for(Splits(wide, wide, wide))


def test_the_shape_decides_not_the_name() -> None:
    """A directory that is called like a known dataset of another shape gets networks that fit."""
    small = load_digits().train
    large = Dataset(
        "digits", np.zeros((2, 28, 28, 1), np.uint8), small.labels[:2], small.classes, 1
    )
    assert recipe_for(Splits(large, large, large)) is RECIPES["fashion-mnist"]
    mine = dataclasses.replace(small, name="mine")
    assert recipe_for(Splits(mine, mine, mine)) is RECIPES["digits"]
