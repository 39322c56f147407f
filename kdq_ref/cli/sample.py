"""Which images a command works on, when not on all: the first, or some drawn with a seed."""

from __future__ import annotations

import click
import numpy as np

from kdq_ref.cli import options

seed_option = click.option(
    "--seed",
    type=options.SEED,
    metavar="S",
    help="Draw the N images at random, without repetition, instead of taking the first N.",
)


def choose(available: int, count: int, seed: int | None, *, option: str) -> np.ndarray:
    """Choose images by number.

    Parameters
    ----------
    available : int
        How many images there are.
    count : int
        How many are wanted; without a seed, more than there are means all of them.
    seed : int, optional
        Draws them. With one seed, a smaller choice is a subset of a larger one. None: the first.
    option : str
        What sets `count`, for the message.

    Returns
    -------
    (count,) int64 ndarray
        Distinct numbers in ``[0, available)``, ascending.

    Raises
    ------
    click.UsageError
        If there is a seed and nothing to draw, since all images are wanted.
    """
    if seed is None:
        return np.arange(min(count, available))
    if count >= available:
        raise click.UsageError(
            f"--seed draws fewer images than there are ({available}): "
            f"give a smaller {option}, or leave --seed out"
        )
    return np.sort(np.random.default_rng(seed).permutation(available)[:count])


def remark(seed: int | None) -> str:
    """Return what a table adds to the number of images: nothing, or how they were drawn."""
    return "" if seed is None else f", drawn with seed {seed}"
