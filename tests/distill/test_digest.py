"""Digests change with what they stand for, and with nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies.training import tiny_dataset, tiny_network

from kdq_ref import nn
from kdq_ref.distill import digest_of, images_digest


@given(st.data())
def test_every_number_of_a_network_counts(data: st.DataObject) -> None:
    """One ulp in one parameter or buffer is another network; a copy is the same."""
    graph = tiny_network()
    before = digest_of(graph)
    assert digest_of(graph.copy()) == before
    state = graph.state_dict()
    name = data.draw(st.sampled_from(sorted(state)))
    flat = state[name].reshape(-1)
    at = data.draw(st.integers(0, flat.size - 1))
    flat[at] = np.nextafter(flat[at], np.float32(np.inf))
    graph.load_state_dict(state)
    assert digest_of(graph) != before


def test_the_architecture_counts() -> None:
    """The same numbers in another network have another digest."""
    a, b = (nn.Sequential((3,), [act]) for act in (nn.ReLU(), nn.ReLU6()))
    assert digest_of(a) != digest_of(b)
    assert digest_of(tiny_network(dropout=0.1)) != digest_of(tiny_network(dropout=0.2))


def test_images_and_scale_count_and_labels_do_not() -> None:
    """What a network sees is images and their scale."""
    dataset = tiny_dataset()
    digest = images_digest(dataset)
    assert images_digest(dataclasses.replace(dataset, labels=dataset.labels * 0)) == digest
    assert images_digest(dataclasses.replace(dataset, name="other")) == digest
    assert images_digest(dataset.subset(slice(None, None, -1))) != digest
    smaller = dataclasses.replace(dataset, images=dataset.images // 2)
    assert images_digest(smaller) != digest
    assert images_digest(dataclasses.replace(smaller, pixel_scale=200)) != images_digest(smaller)
