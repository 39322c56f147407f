"""A plan equals its operators one by one: any network, tile, batch, arena, thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import THOROUGHLY
from strategies.plans import Network, networks, residual_network

from kdq_ref import kernels
from kdq_ref.errors import DTypeError, InvalidArgumentError, NotFiniteError, ShapeError

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


def _run(plan: kernels.Plan, x: np.ndarray, arena_bytes: int | None = None) -> np.ndarray:
    """Run on an arena of that size, filled with rubbish."""
    size = plan.arena_bytes if arena_bytes is None else arena_bytes
    arena = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    out = np.empty((len(x), *plan.output_shape), np.int8)
    plan.run(x, out, arena)
    return out


@pytest.mark.parametrize("isa", ["ref", *kernels.available_isas()])
@THOROUGHLY
@given(
    networks(),
    st.sampled_from([0, 1, 2, 3, 5]),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from([np.float32, np.int8]),
    st.data(),
)
def test_a_plan_equals_its_operators(
    isa: str, net: Network, batch: int, max_tile: int | None, dtype: type, data: st.DataObject
) -> None:
    """Any slot may be the output; tiles need not divide the batch."""
    output = data.draw(st.sampled_from([len(net.ops), len(net.ops) // 2]))
    plan = net.plan(output, isa=isa, max_tile=max_tile)
    x = net.images(batch, dtype)
    np.testing.assert_array_equal(_run(plan, x), net.reference(x, output))


@pytest.mark.parametrize("images", [1, 2, 7, 100])
def test_a_smaller_arena_means_smaller_tiles(images: int) -> None:
    """Down to one image; below that, an error that says how much is needed."""
    net = residual_network(0)
    plan = net.plan(len(net.ops))
    x = net.images(9, np.float32)
    size = plan.arena_bytes_for(images)
    assert size <= plan.arena_bytes
    np.testing.assert_array_equal(_run(plan, x, size), net.reference(x, len(net.ops)))
    with pytest.raises(ShapeError, match=str(plan.arena_bytes_for(1))):
        _run(plan, x, plan.arena_bytes_for(1) - 1)


@pytest.mark.parametrize("offset", [0, 1, 3, 17, 63])
def test_the_arena_may_lie_anywhere(offset: int) -> None:
    """arena_bytes covers any alignment, and the content does not matter."""
    net = residual_network(1)
    plan = net.plan(len(net.ops))
    x = net.images(plan.max_tile + 1, np.float32)
    memory = np.full(plan.arena_bytes + 64, 0xA5, np.uint8)
    out = np.empty((len(x), *plan.output_shape), np.int8)
    arena = memory[offset : offset + plan.arena_bytes]
    plan.run(x, out, arena)
    np.testing.assert_array_equal(out, net.reference(x, len(net.ops)))
    assert (memory[:offset] == 0xA5).all()
    assert (memory[offset + plan.arena_bytes :] == 0xA5).all()


def test_a_plan_keeps_its_own_weights() -> None:
    """Changing the arrays it was built from changes nothing."""
    net = residual_network(2)
    x = net.images(3, np.float32)
    expected = net.reference(x, len(net.ops))
    plan = net.plan(len(net.ops))
    for _, _, keywords in net.ops:
        for name in keywords.keys() & {"weight", "bias", "table"}:
            keywords[name][...] = 1
    np.testing.assert_array_equal(_run(plan, x), expected)


def test_eight_threads_get_the_same_bits() -> None:
    """The core holds no state: one plan, an arena per thread."""
    net = residual_network(3)
    plan = net.plan(len(net.ops))
    inputs = [net.images(11, np.float32) for _ in range(8)]
    expected = [net.reference(x, len(net.ops)) for x in inputs]

    def repeat(index: int) -> bool:
        return all(np.array_equal(_run(plan, inputs[index]), expected[index]) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(repeat, range(8)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_is_written_for_input_that_is_not_finite(bad: float) -> None:
    """The error names the element, and the output is untouched, also before it."""
    net = residual_network(4)
    plan = net.plan(len(net.ops), max_tile=1)
    x = net.images(3, np.float32)
    x[2, 7, 7, 2] = bad
    out = np.full((3, 10), 77, np.int8)
    with pytest.raises(NotFiniteError, match=r"index \(2, 7, 7, 2\)"):
        plan.run(x, out, np.empty(plan.arena_bytes, np.uint8))
    assert (out == 77).all()


def test_wrong_arrays_are_refused() -> None:
    """dtype, shape, layout, writability and overlap, each with its typed error."""
    net = residual_network(5)
    plan = net.plan(len(net.ops))
    x, out = net.images(2, np.int8), np.empty((2, 10), np.int8)
    arena = np.empty(plan.arena_bytes, np.uint8)
    frozen = out.copy()
    frozen.flags.writeable = False
    for error, arguments in (
        (DTypeError, (x.astype(np.float64), out, arena)),
        (ShapeError, (x[:, :7], out, arena)),
        (ShapeError, (x, out[:1], arena)),
        (DTypeError, (x, out.astype(np.uint8), arena)),
        (InvalidArgumentError, (x, frozen, arena)),
        (InvalidArgumentError, (x, np.empty((2, 20), np.int8)[:, ::2], arena)),
        (InvalidArgumentError, (x, out.tolist(), arena)),
        (DTypeError, (x, out, arena.view(np.int8))),
        (InvalidArgumentError, (x, out, arena[::-1])),
        (InvalidArgumentError, (x, arena[:20].view(np.int8).reshape(2, 10), arena)),
        (InvalidArgumentError, (x, x.reshape(-1)[:20].reshape(2, 10), arena)),
    ):
        with pytest.raises(error):
            plan.run(*arguments)


def test_strided_input_is_copied() -> None:
    """Every other image, channels first in memory, read-only: all the same values."""
    net = residual_network(6)
    plan = net.plan(len(net.ops))
    x = net.images(6, np.float32)
    frozen = x.copy()
    frozen.flags.writeable = False
    for view in (x[::2], np.asfortranarray(x), frozen):
        np.testing.assert_array_equal(_run(plan, view), net.reference(view, len(net.ops)))


def test_the_layers_tell_what_runs() -> None:
    """Kind, kernel, shape, multiply-accumulates and bytes of everything that the output needs."""
    net = residual_network(7)
    plan = net.plan(len(net.ops))
    assert [layer.kind for layer in plan.layers] == [
        *("conv2d", "conv2d", "depthwise_conv2d", "add", "max_pool2d", "dense")
    ]
    assert [layer.macs for layer in plan.layers] == [
        *(64 * 27 * 8, 64 * 72 * 8, 64 * 9 * 8, 0, 0, 1280)
    ]
    assert [layer.kernel is None for layer in plan.layers] == [
        *(False, False, True, True, True, False)
    ]
    assert plan.layers[-1].output_shape == plan.output_shape == (10,)
    assert plan.layers[0].kernel == plan.isa == kernels.available_isas()[0]
    forms = [layer.form is None for layer in plan.layers]
    assert forms == [layer.kernel is None for layer in plan.layers]
    assert plan.packed_bytes == sum(layer.packed_bytes for layer in plan.layers) > 0
