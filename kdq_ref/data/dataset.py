"""One labelled set of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdq_ref.checks import check_array, check_in_range, check_labels, check_positive_int
from kdq_ref.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as stored, their labels, and what both mean.

    Attributes
    ----------
    name : str
    images : (N, H, W, C) uint8 ndarray
        Raw pixel codes; :meth:`to_input` turns them into what networks eat.
    labels : (N,) int64 ndarray
        In ``[0, len(classes))``.
    classes : tuple of str
        Name of each class.
    pixel_scale : int
        The pixel code that means 1.0: 16 for the UCI digits, 255 for idx files.

    Raises
    ------
    ShapeError, DTypeError, RangeError
        If the parts do not fit together.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    pixel_scale: int

    def __post_init__(self) -> None:
        images = check_array("images", self.images, dtype=np.uint8, ndim=4)
        labels = check_labels("labels", self.labels, len(self.classes))
        if len(images) != len(labels):
            raise ShapeError(f"{len(images)} images need as many labels, got {len(labels)}")
        check_positive_int("pixel_scale", self.pixel_scale)
        check_in_range("the largest pixel", int(images.max(initial=0)), 0, self.pixel_scale)
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape ``(H, W, C)`` of one image."""
        return self.images.shape[1:]

    def subset(self, indices: np.ndarray | slice) -> Dataset:
        """Return the dataset of ``images[indices]`` and ``labels[indices]``, in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def facts(self) -> dict[str, Any]:
        """Return what a model must know of its images, JSON-able: for the model's metadata."""
        return {
            "dataset": self.name,
            "classes": list(self.classes),
            "pixel_scale": self.pixel_scale,
        }

    def to_input(self, images: np.ndarray | None = None) -> np.ndarray:
        """Scale pixel codes to ``[0, 1]``: what networks eat.

        Parameters
        ----------
        images : (B, H, W, C) uint8 ndarray, optional
            A batch of this dataset's images, or augmented ones; by default all of them.

        Returns
        -------
        (B, H, W, C) float32 ndarray
            ``images / pixel_scale``, one correctly rounded float32 division per pixel.
        """
        images = self.images if images is None else images
        check_array("images", images, dtype=np.uint8, shape=(None, *self.input_shape))
        return np.divide(images, np.float32(self.pixel_scale), dtype=np.float32)
