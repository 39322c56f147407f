"""The embedded dataset: UCI's optical recognition of handwritten digits, test half.

1,797 images of 8x8 pixels with values 0..16, each pixel the count of ink pixels in a 4x4 block of
a 32x32 bitmap. This is ``optdigits.tes``, the *test half* of the UCI set, as scikit-learn ships it:
accuracies are not comparable with published ones, which train on the other half (3,823 images).

The asset is ``zlib(images in C order, 1797*8*8 bytes || labels, 1797 bytes)``; the test of this
module holds the function that made it.

Licence CC BY 4.0. E. Alpaydin, C. Kaynak (1998), *Optical Recognition of Handwritten Digits*,
UCI Machine Learning Repository, doi:10.24432/C50P49.
"""

from __future__ import annotations

import hashlib
import zlib
from importlib import resources

import numpy as np

from kdq_ref.data.dataset import Dataset
from kdq_ref.data.splits import Splits, split_order
from kdq_ref.errors import DatasetError

DIGIT_CLASSES = tuple("0123456789")
_SHA256 = "ebdc9ff3d40ea662f807a776c2029e3a6f5eca5e57cd67e770f28bce43a16d1e"
_N, _SIZE, _PIXEL_SCALE = 1797, 8, 16
_TRAIN, _VALIDATION = 1097, 250


def load_digits() -> Splits:
    """Load the embedded digits: 1,097 train, 250 validation and 450 test images, 8x8x1.

    The parts are consecutive slices of ``split_order(1797)``: the same on every machine, not
    stratified, and images of one writer fall into all three parts.

    Raises
    ------
    DatasetError
        If the installed asset is missing or damaged.
    """
    digits = _load_all()
    order = split_order(_N)
    return Splits(
        train=digits.subset(order[:_TRAIN]),
        validation=digits.subset(order[_TRAIN : _TRAIN + _VALIDATION]),
        test=digits.subset(order[_TRAIN + _VALIDATION :]),
    )


def _load_all() -> Dataset:
    """All 1,797 images in UCI's order."""
    values = np.frombuffer(zlib.decompress(_read_asset()), np.uint8)
    images, labels = values[:-_N], values[-_N:]
    shape = (_N, _SIZE, _SIZE, 1)
    return Dataset("digits", images.reshape(shape), labels, DIGIT_CLASSES, _PIXEL_SCALE)


def _read_asset() -> bytes:
    asset = resources.files("kdq_ref.data") / "assets" / "digits.bin"
    try:
        data = asset.read_bytes()
    except OSError as fault:
        raise DatasetError(str(asset), f"cannot be read, reinstall kdq_ref: {fault}") from fault
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise DatasetError(str(asset), "does not have its checksum, reinstall kdq_ref")
    return data
