"""What a plan was bound to is read and filled by each call, by one thread or by several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import THOROUGHLY
from strategies.plans import Network, networks, residual_network

from kdq_ref import kernels
from kdq_ref.errors import InvalidArgumentError, ShapeError

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


def test_a_bound_plan_reads_its_arrays_at_each_call() -> None:
    """New values in the same memory give new results; what cannot be bound is refused."""
    net = residual_network(2)
    plan = net.plan(len(net.ops))
    x, out = net.images(3, np.int8).copy(), np.empty((3, *plan.output_shape), np.int8)
    arena = np.empty(plan.arena_bytes, np.uint8)
    bound = plan.bind(x, out, arena)
    for shift in (0, 1):
        x[...] = np.roll(x, shift)
        bound()
        np.testing.assert_array_equal(out, net.reference(x, len(net.ops)))
    with pytest.raises(InvalidArgumentError, match="contiguous"):
        plan.bind(np.repeat(x, 2, axis=0)[::2], out, arena)
    with pytest.raises(ShapeError, match="one image needs"):
        plan.bind(x, out, arena[:10])


@pytest.mark.parametrize("isa", ["ref", *kernels.available_isas()])
@THOROUGHLY
@given(networks(), st.integers(1, 5), st.sampled_from([np.float32, np.int8]))
def test_threads_that_share_an_image_get_the_same_bits(
    isa: str, net: Network, parts: int, dtype: type
) -> None:
    """Any window cut into runs of lines, also more threads than lines; rubbish in the arena."""
    plan = net.plan(len(net.ops), isa=isa)
    x = net.images(1, dtype)
    size = plan.shared_arena_bytes(parts)
    arena = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    out = np.empty((1, *plan.output_shape), np.int8)
    shares = plan.bind_shared(x, out, arena, parts)
    with ThreadPoolExecutor(parts) as pool:
        for _ in range(2):
            out[...] = 0
            shares[0].start()
            for call in [pool.submit(share) for share in shares]:
                call.result()
            np.testing.assert_array_equal(out, net.reference(x, len(net.ops)))


def test_threads_share_one_image_on_enough_memory() -> None:
    """What is wrong with the arrays is said when they are bound."""
    net = residual_network(0)
    plan = net.plan(len(net.ops))
    size = plan.shared_arena_bytes(2)
    x, out = net.images(2, np.int8), np.empty((2, *plan.output_shape), np.int8)
    with pytest.raises(ShapeError, match="x has 2"):
        plan.bind_shared(x, out, np.empty(size, np.uint8), 2)
    with pytest.raises(ShapeError, match=f"3 threads .* {plan.shared_arena_bytes(3)}"):
        plan.bind_shared(x[:1], out[:1], np.empty(size, np.uint8), 3)
