"""Dataset: parts that fit together, or a typed error; pixels scaled exactly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kdq_ref.data import Dataset
from kdq_ref.errors import DTypeError, RangeError, ShapeError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)


def _dataset(images: np.ndarray = IMAGES, labels: object = (0, 2), scale: int = 255) -> Dataset:
    return Dataset("toy", images, np.asarray(labels), ("a", "b", "c"), scale)


def test_every_pixel_code_is_divided_exactly() -> None:
    """to_input is one correctly rounded float32 division for each of the 256 codes."""
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    inputs = _dataset(images, [0]).to_input(images)
    assert inputs.dtype == np.float32
    assert inputs.shape == images.shape
    exact = (np.arange(256, dtype=np.float64) / 255).astype(np.float32)
    np.testing.assert_array_equal(inputs.ravel(), exact)


def test_inputs_span_zero_to_one() -> None:
    """The pixel scale itself is 1.0."""
    images = np.array([0, 16], np.uint8).reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(_dataset(images, [1], 16).to_input(images).ravel(), [0.0, 1.0])


def test_subset_keeps_images_with_their_labels() -> None:
    """A subset follows the order of its indices and keeps everything else."""
    subset = _dataset().subset(np.array([1, 0, 1]))
    np.testing.assert_array_equal(subset.images, IMAGES[[1, 0, 1]])
    np.testing.assert_array_equal(subset.labels, [2, 0, 2])
    assert (subset.name, subset.classes, subset.pixel_scale) == ("toy", ("a", "b", "c"), 255)
    assert subset.input_shape == (3, 4, 1)


def test_facts_are_what_a_file_can_hold() -> None:
    """Name, classes and pixel scale, unchanged by JSON."""
    facts = _dataset(scale=99).facts()
    assert facts == {"dataset": "toy", "classes": ["a", "b", "c"], "pixel_scale": 99}
    assert json.loads(json.dumps(facts)) == facts


def test_an_empty_part_is_a_dataset() -> None:
    """No images are allowed: a validation part may be empty."""
    empty = _dataset().subset(slice(0, 0))
    assert len(empty) == 0
    assert empty.to_input(empty.images).shape == (0, 3, 4, 1)


def test_labels_become_int64() -> None:
    """Labels of any integer dtype end up as int64."""
    assert _dataset(labels=np.array([0, 2], np.uint8)).labels.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"images": IMAGES.astype(np.float32)}, DTypeError),
        ({"images": IMAGES[..., 0]}, ShapeError),
        ({"labels": [0]}, ShapeError),
        ({"labels": [0, 3]}, RangeError),
        ({"labels": [0, -1]}, RangeError),
        ({"labels": [0.0, 1.0]}, DTypeError),
        ({"scale": 22}, RangeError),
        ({"scale": 0}, RangeError),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    change: dict[str, object], error: type[Exception]
) -> None:
    """Wrong dtype, rank, count, label or pixel range: the typed error for it."""
    with pytest.raises(error):
        _dataset(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "error"),
    [(IMAGES.astype(np.float32), DTypeError), (IMAGES[:, :2], ShapeError), (IMAGES[0], ShapeError)],
)
def test_to_input_refuses_other_images(images: np.ndarray, error: type[Exception]) -> None:
    """Only uint8 images of this dataset's size can be scaled by its pixel scale."""
    with pytest.raises(error):
        _dataset().to_input(images)
