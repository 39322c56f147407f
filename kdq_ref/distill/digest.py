"""Fingerprints that tie files to the networks and images they came from."""

from __future__ import annotations

import json

from kdq_ref.data import Dataset
from kdq_ref.files import tensors_digest
from kdq_ref.nn import Graph


def digest_of(graph: Graph) -> str:
    """SHA-256 (hex) of a network: architecture, parameters and buffers."""
    return tensors_digest(graph.state_dict(), json.dumps(graph.config(), sort_keys=True))


def images_digest(dataset: Dataset) -> str:
    """SHA-256 (hex) of what a network sees of a dataset: images and pixel scale, no labels."""
    return tensors_digest({"images": dataset.images}, f"pixel_scale={dataset.pixel_scale}")
