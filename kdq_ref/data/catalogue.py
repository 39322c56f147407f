"""Datasets by name or by directory: what ``--data`` means."""

from __future__ import annotations

import os
from pathlib import Path

from kdq_ref.data.digits import load_digits
from kdq_ref.data.idx_directory import load_idx_directory
from kdq_ref.data.splits import Splits
from kdq_ref.errors import DatasetError

FASHION_MNIST_DIRECTORY = Path("/usr/share/datasets/fashion-mnist")
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_fashion_mnist(directory: str | os.PathLike[str] = FASHION_MNIST_DIRECTORY) -> Splits:
    """Load Fashion-MNIST: 55,000 train, 5,000 validation and 10,000 test images, 28x28x1.

    Parameters
    ----------
    directory : path-like
        Default: where Debian's package ``dataset-fashion-mnist`` puts it.

    Raises
    ------
    DatasetError
        If it is not there (the message says how to get it) or damaged.

    Notes
    -----
    H. Xiao, K. Rasul, R. Vollgraf (2017), *Fashion-MNIST*, arXiv:1708.07747. MIT licence.
    """
    if not os.path.isdir(directory):
        raise DatasetError(
            directory,
            "Fashion-MNIST is not here. On Debian or Ubuntu: apt-get install "
            "dataset-fashion-mnist. Elsewhere: give the directory of its four idx files",
        )
    return load_idx_directory(directory, classes=FASHION_MNIST_CLASSES, name="fashion-mnist")


_BY_NAME = {"digits": load_digits, "fashion-mnist": load_fashion_mnist}
NAMES = tuple(_BY_NAME)


def load(source: str | os.PathLike[str]) -> Splits:
    """Load a dataset by name or from a directory.

    Parameters
    ----------
    source : str or path-like
        ``"digits"``, ``"fashion-mnist"``, or the path of an MNIST-like directory with ten classes
        (:func:`load_idx_directory` takes other numbers of classes). A name wins over a directory
        of the same name: write ``./digits`` for that.

    Raises
    ------
    DatasetError
    """
    loader = _BY_NAME.get(os.fspath(source))
    if loader is not None:
        return loader()
    if not os.path.isdir(source):
        raise DatasetError(source, f"is neither a directory nor one of {', '.join(NAMES)}")
    return load_idx_directory(source)
