"""Datasets, splits, batching and augmentation."""

from kdq_ref.data.augmentation import augment
from kdq_ref.data.batching import batches
from kdq_ref.data.catalogue import (
    FASHION_MNIST_CLASSES,
    FASHION_MNIST_DIRECTORY,
    NAMES,
    load,
    load_fashion_mnist,
)
from kdq_ref.data.dataset import Dataset
from kdq_ref.data.digits import DIGIT_CLASSES, load_digits
from kdq_ref.data.idx import read_idx, write_idx
from kdq_ref.data.idx_directory import load_idx_directory
from kdq_ref.data.splits import Splits, few_labels, split_order

__all__ = [
    "DIGIT_CLASSES",
    "FASHION_MNIST_CLASSES",
    "FASHION_MNIST_DIRECTORY",
    "NAMES",
    "Dataset",
    "Splits",
    "augment",
    "batches",
    "few_labels",
    "load",
    "load_digits",
    "load_fashion_mnist",
    "load_idx_directory",
    "read_idx",
    "split_order",
    "write_idx",
]
