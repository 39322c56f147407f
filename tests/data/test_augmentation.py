"""Augmentation: exact pixel moves, drawn per sample."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kdq_ref.data import augment
from kdq_ref.errors import RangeError, ShapeError

DTYPES = st.sampled_from([np.uint8, np.float32, np.float64, np.int16])
IMAGES = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        st.tuples(st.integers(0, 6), st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
        elements=st.integers(0, 100),
        fill=st.nothing(),
    )
)
SEEDS = st.integers(0, 2**32)


def _shift_of(data: st.DataObject, images: np.ndarray) -> int:
    return data.draw(st.integers(0, min(images.shape[1:3]) - 1), label="shift")


def _by_loops(images: np.ndarray, seed: int, shift: int, flip: bool) -> np.ndarray:
    """The definition, pixel by pixel, with the documented order of draws."""
    rng = np.random.default_rng(seed)
    count, height, width, _ = images.shape
    offsets = np.zeros((2, count), int)
    if shift:
        offsets = rng.integers(-shift, shift + 1, size=(2, count))
    coins = rng.random(count) < 0.5 if flip else np.zeros(count, bool)
    result = np.zeros_like(images)
    for b in range(count):
        for y in range(height):
            for x in range(width):
                seen = width - 1 - x if coins[b] else x
                source_y, source_x = y - offsets[0, b], seen - offsets[1, b]
                if 0 <= source_y < height and 0 <= source_x < width:
                    result[b, y, x] = images[b, source_y, source_x]
    return result


@given(IMAGES, SEEDS, st.booleans(), st.data())
def test_equals_the_definition(
    images: np.ndarray, seed: int, flip: bool, data: st.DataObject
) -> None:
    """Every pixel is where the drawn offset and coin put it; what enters is zero."""
    shift = _shift_of(data, images)
    result = augment(images, np.random.default_rng(seed), shift=shift, flip=flip)
    assert result.dtype == images.dtype
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, _by_loops(images, seed, shift, flip))


@given(IMAGES, SEEDS)
def test_flip_is_an_involution(images: np.ndarray, seed: int) -> None:
    """The same coins twice give the images back."""
    once = augment(images, np.random.default_rng(seed), flip=True)
    twice = augment(once, np.random.default_rng(seed), flip=True)
    np.testing.assert_array_equal(twice, images)


@given(IMAGES, SEEDS, st.booleans(), st.data())
def test_samples_do_not_touch_each_other(
    images: np.ndarray, seed: int, flip: bool, data: st.DataObject
) -> None:
    """Changing one image changes that result only, and never the argument."""
    shift = _shift_of(data, images)
    before = images.copy()
    changed = images.copy()
    changed[:1] += 1
    first, second = (
        augment(batch, np.random.default_rng(seed), shift=shift, flip=flip)
        for batch in (images, changed)
    )
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(first[1:], second[1:])


@given(IMAGES)
def test_nothing_asked_is_a_copy_without_draws(images: np.ndarray) -> None:
    """Without shift and flip the images come back in memory of their own, nothing is drawn."""
    rng, untouched = np.random.default_rng(7), np.random.default_rng(7)
    result = augment(images, rng)
    np.testing.assert_array_equal(result, images)
    assert not np.shares_memory(result, images)
    assert rng.random() == untouched.random()


def test_read_only_and_strided_images() -> None:
    """Views and read-only arrays give what their copies give."""
    images = np.arange(4 * 6 * 6 * 2, dtype=np.uint8).reshape(4, 6, 6, 2)
    view = images[::2, ::-1, 1:5]
    view.flags.writeable = False
    result, expected = (
        augment(batch, np.random.default_rng(3), shift=2, flip=True)
        for batch in (view, view.copy())
    )
    np.testing.assert_array_equal(result, expected)


def test_every_offset_and_both_sides_occur() -> None:
    """3x3 offsets times 2 sides, each about as often as the others (5 standard deviations)."""
    images = np.zeros((18_000, 3, 4, 1), np.uint8)
    images[:, 1, 1] = 1  # off centre, so that mirroring shows
    result = augment(images, np.random.default_rng(0), shift=1, flip=True)
    position = result.reshape(len(images), -1).argmax(axis=1)
    assert (result.sum(axis=(1, 2, 3)) == 1).all()
    # Column 0, 1, 2 shifted; 3, 2, 1 mirrored: columns 1 and 2 are reached both ways.
    counts = np.bincount(position, minlength=12).reshape(3, 4)
    expected = np.tile([1000, 2000, 2000, 1000], (3, 1))
    assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_an_epoch_of_fashion_mnist_is_cheap() -> None:
    """60,000 images of 28x28 in batches of 128: less than 2 s of one core."""
    images = np.zeros((128, 28, 28, 1), np.uint8)
    rng = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(60_000 // 128 + 1):
        augment(images, rng, shift=2, flip=True)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("shift", [-1, 3])
def test_shift_must_leave_a_pixel(shift: int) -> None:
    """A negative shift, or one that may move everything out, is refused."""
    with pytest.raises(RangeError):
        augment(np.zeros((1, 3, 5, 1), np.uint8), np.random.default_rng(0), shift=shift)


def test_images_need_four_axes() -> None:
    """One image without a batch axis is refused."""
    with pytest.raises(ShapeError):
        augment(np.zeros((3, 5, 1), np.uint8), np.random.default_rng(0))
