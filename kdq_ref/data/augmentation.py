"""Label-preserving random changes of training images, drawn per sample."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_array, check_int


def augment(
    images: np.ndarray, rng: np.random.Generator, *, shift: int = 0, flip: bool = False
) -> np.ndarray:
    """Shift each image by its own random offset, and mirror about half of them left to right.

    Parameters
    ----------
    images : (B, H, W, C) ndarray
        Any dtype; not modified.
    rng : numpy.random.Generator
        Draws the ``2 * B`` offsets first (all vertical, then all horizontal), then ``B`` coins; a
        change that is switched off draws nothing.
    shift : int
        Offsets are uniform over ``[-shift, shift]``, both axes alike; positive is down and right.
        What moves in from outside is 0. At most ``min(H, W) - 1``.
    flip : bool
        Mirror with probability one half, after the shift.

    Returns
    -------
    (B, H, W, C) ndarray
        A new C-contiguous array of the same dtype.
    """
    check_array("images", images, ndim=4)
    count, height, width, _ = images.shape
    check_int("shift", shift, 0, min(height, width) - 1)
    if shift:
        down, right = rng.integers(-shift, shift + 1, size=(2, count))
        result = _shifted(images, down, right, shift)
    else:
        result = np.array(images, order="C")
    if flip:
        mirrored = np.flatnonzero(rng.random(count) < 0.5)
        result[mirrored] = result[mirrored, :, ::-1]
    return result


def _shifted(images: np.ndarray, down: np.ndarray, right: np.ndarray, shift: int) -> np.ndarray:
    """Cut each image's window out of its zero-padded self: one block copy per image."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    cut = np.moveaxis(windows, 3, -1)[np.arange(count), shift - down, shift - right]
    return np.ascontiguousarray(cut)
