"""``Plan``: a whole network that the C core runs in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.checks import check_array, check_positive_int
from kdq_ref.errors import InvalidArgumentError, ShapeError
from kdq_ref.kernels.affine import as_matrix
from kdq_ref.kernels.bound import BoundPlan, BoundShare, bind_shares
from kdq_ref.kernels.buffers import check_writable, contiguous, pointer, requant_struct
from kdq_ref.kernels.core import ffi, lib
from kdq_ref.kernels.dispatch import kernel_name
from kdq_ref.kernels.layout import first_fit, lifetimes
from kdq_ref.kernels.packing import PackedWeights, fitting_form, fold_bias, pack_weights
from kdq_ref.operands import Shape
from kdq_ref.rounding import Requant

# Activations of a tile should stay in L2 beside the weights; more images than that gain nothing.
_TILE_BYTES = 128 * 1024
_MAX_TILE = 120

_REAL, _CODES, _BYTES = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.uint8)


@dataclass(frozen=True, eq=False)
class Step:
    """One operation as the builder recorded it, before a kernel is chosen.

    ``kind`` is the name of the operator in :mod:`kdq_ref.intref`; ``sources`` and ``target`` number
    values. The rest is None where the operator has no such thing.
    """

    kind: str
    sources: tuple[int, ...]
    target: int
    output_shape: Shape
    macs: int = 0
    window: Any = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    x_zero_point: int = 0
    groups: int = 1
    addends: tuple[int, int, int, int] | None = None
    requant: Requant | None = None


@dataclass(frozen=True)
class PlanLayer:
    """What :attr:`Plan.layers` tells of an operation.

    Attributes
    ----------
    kind : str
        Name of the operator in :mod:`kdq_ref.intref`.
    kernel, form : str or None
        The micro-kernel of a product, and how it holds the weights
        (:data:`kdq_ref.kernels.packing.FORMS`); None for other operators.
    output_shape : tuple of int
        Of one image.
    macs : int
        Multiply-accumulates for one image.
    packed_bytes : int
        Weights (or table) and folded bias as the plan holds them.
    """

    kind: str
    kernel: str | None
    form: str | None
    output_shape: Shape
    macs: int
    packed_bytes: int


class Plan:
    """A network compiled by :class:`PlanBuilder`; it never changes, and any thread may run it.

    Attributes
    ----------
    isa : str
        The kernel of its products.
    input_shape, output_shape : tuple of int
        Of one image.
    layers : tuple of PlanLayer
        In the order of execution; what the output does not depend on is left out.
    packed_bytes : int
        Weights, tables and biases together.
    divisible_macs : int
        Of layers whose output has more than two lines: what threads can share of one image.
    max_tile : int
        Images that go through the network together.
    arena_bytes : int
        Scratch memory for a full tile. Less is enough, down to ``arena_bytes_for(1)``.
    """

    def __init__(
        self,
        kernel: Any,
        steps: Sequence[Step],
        shapes: Sequence[Shape],
        *,
        output: int,
        output_shape: Shape,
        input_scale: float,
        input_zero_point: int,
        max_tile: int | None = None,
    ) -> None:
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        offsets, image_bytes = first_fit(
            lifetimes(sizes, [(step.sources, step.target) for step in steps], output)
        )
        if max_tile is None:
            max_tile = min(_MAX_TILE, max(1, _TILE_BYTES // max(1, image_bytes)))
        self.isa = kernel_name(kernel)
        self.input_shape, self.output_shape, self.max_tile = shapes[0], output_shape, max_tile
        self._keep: list[Any] = []
        held = [_hold(kernel, step) for step in steps]
        self._keep += held
        ops = ffi.new("kdq_op[]", len(steps))
        for op, step, weights in zip(ops, steps, held, strict=True):
            self._fill(op, step, weights)
        values = ffi.new("kdq_value[]", list(zip(sizes, offsets, strict=True)))
        self._plan = ffi.new(
            "kdq_plan *",
            {
                "kernel": kernel,
                "ops": ops,
                "values": values,
                "op_count": len(steps),
                "output": output,
                "input_scale": input_scale,
                "input_zero_point": input_zero_point,
                "image_bytes": image_bytes,
                "max_tile": max_tile,
            },
        )
        self._keep += (ops, values)
        self.layers = tuple(
            PlanLayer(
                step.kind,
                weights.kernel if isinstance(weights, PackedWeights) else None,
                weights.form if isinstance(weights, PackedWeights) else None,
                step.output_shape,
                step.macs,
                weights.nbytes,
            )
            for step, weights in zip(steps, held, strict=True)
        )
        self.packed_bytes = sum(layer.packed_bytes for layer in self.layers)
        self.divisible_macs = sum(
            layer.macs
            for layer in self.layers
            if len(layer.output_shape) == 3 and layer.output_shape[0] > 2
        )
        self.arena_bytes = self.arena_bytes_for(max_tile)

    def arena_bytes_for(self, images: int) -> int:
        """Return the scratch memory with which that many images go through together."""
        return int(lib.kdq_plan_arena_bytes(self._plan, images))

    def shared_arena_bytes(self, parts: int) -> int:
        """Return the scratch memory with which that many threads share one image."""
        return int(lib.kdq_plan_shared_arena_bytes(self._plan, parts))

    def run(self, x: np.ndarray, out: np.ndarray, arena: np.ndarray) -> None:
        """Run the network; the GIL is released, and C allocates nothing.

        Parameters
        ----------
        x : (B, *input_shape) float32 or int8 ndarray
            Finite real values, or codes. Copied if it is not C-contiguous.
        out : (B, *output_shape) int8 ndarray
            Filled; C-contiguous, writeable.
        arena : (arena_bytes,) uint8 ndarray
            Scratch: contiguous, writeable, any content, any alignment. One call at a time.

        Raises
        ------
        DTypeError, ShapeError, NotFiniteError, InvalidArgumentError
            Nothing has been written then.
        """
        self.bind(contiguous(self._check_input(x)), out, arena)()

    def bind(self, x: np.ndarray, out: np.ndarray, arena: np.ndarray) -> BoundPlan:
        """Check arrays once, for many runs on them: what :meth:`run` does to them, a call away.

        Parameters
        ----------
        x, out, arena : ndarray
            As for :meth:`run`, but ``x`` must be C-contiguous: its values are read at each call.
        """
        x = self._check_operands(x, out, arena)
        if arena.nbytes < self.arena_bytes_for(1) and len(x):
            raise ShapeError(
                f"arena has {arena.nbytes} bytes; one image needs {self.arena_bytes_for(1)}, "
                f"a full tile of {self.max_tile} images {self.arena_bytes}"
            )
        return BoundPlan(self, self._plan, x, out, arena)

    def bind_shared(
        self, x: np.ndarray, out: np.ndarray, arena: np.ndarray, parts: int
    ) -> list[BoundShare]:
        """Check arrays once, for many runs of `parts` threads on one image.

        Parameters
        ----------
        x : (1, *input_shape) float32 or int8 ndarray
            C-contiguous; finite when it is run.
        out : (1, *output_shape) int8 ndarray
        arena : (shared_arena_bytes(parts),) uint8 ndarray
        parts : int
        """
        x = self._check_operands(x, out, arena)
        if len(x) != 1:
            raise ShapeError(f"threads share one image at a time; x has {len(x)}")
        needed = self.shared_arena_bytes(check_positive_int("parts", parts))
        if arena.nbytes < needed:
            raise ShapeError(
                f"arena has {arena.nbytes} bytes; {parts} threads on an image need {needed}"
            )
        return bind_shares(self, self._plan, x, out, arena, parts)

    def _check_operands(self, x: np.ndarray, out: np.ndarray, arena: np.ndarray) -> np.ndarray:
        x = self._check_input(x)
        if not (x.flags.c_contiguous and x.flags.aligned):
            raise InvalidArgumentError(
                "x must be C-contiguous and aligned to be bound; copy it first"
            )
        check_writable("out", out, _CODES)
        if out.shape != (len(x), *self.output_shape):
            raise ShapeError(f"out must have shape {(len(x), *self.output_shape)}, got {out.shape}")
        check_writable("arena", arena, _BYTES)
        if (
            np.may_share_memory(x, out)
            or np.may_share_memory(x, arena)
            or np.may_share_memory(out, arena)
        ):
            raise InvalidArgumentError("x, out and arena must not share memory")
        return x

    def _check_input(self, x: np.ndarray) -> np.ndarray:
        # Accepted at a glance, or else checked thoroughly for the sake of the message: at batch 1
        # checks take longer than a small network.
        if (
            type(x) is np.ndarray
            and x.dtype in (_REAL, _CODES)
            and x.ndim > 0
            and x.shape[1:] == self.input_shape
        ):
            return x
        return check_array("x", x, dtype=(_REAL, _CODES), shape=(None, *self.input_shape))

    def _fill(self, op: Any, step: Step, weights: Held) -> None:
        """Describe a step to C."""
        op.kind = getattr(lib, _OP_KINDS[step.kind])
        op.source, op.source_b, op.target = step.sources[0], step.sources[-1], step.target
        op.x_zero_point = step.x_zero_point
        if isinstance(weights, PackedWeights):
            op.weights = weights.handle
        else:
            op.weight, op.folded_bias = pointer(weights.weight), pointer(weights.bias)
        if step.window is not None:
            op.window = step.window[0]
        if step.addends is not None:
            op.addends = step.addends
        if step.requant is not None:
            op.requant = requant_struct(step.requant, self._keep)[0]


_PRODUCTS = ("dense", "conv2d")
_OP_KINDS = {
    "dense": "KDQ_OP_CONV2D",
    "conv2d": "KDQ_OP_CONV2D",
    "depthwise_conv2d": "KDQ_OP_DEPTHWISE_CONV2D",
    "max_pool2d": "KDQ_OP_MAX_POOL2D",
    "avg_pool2d": "KDQ_OP_AVG_POOL2D",
    "global_avg_pool": "KDQ_OP_AVG_POOL2D",
    "add": "KDQ_OP_ADD",
    "lookup": "KDQ_OP_LOOKUP",
}


@dataclass(frozen=True, eq=False)
class PlainWeights:
    """Weights (or a table) that are read as they are, and the folded bias; either may be empty."""

    weight: np.ndarray
    bias: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.weight.nbytes + self.bias.nbytes


Held = PackedWeights | PlainWeights


def _hold(kernel: Any, step: Step) -> Held:
    """Return the plan's own copy of a step's weights, in the form its C function reads."""
    nothing = np.empty(0, np.int32)
    if step.weight is None:
        return PlainWeights(np.empty(0, np.int8), nothing)
    if step.kind in _PRODUCTS:
        assert step.bias is not None
        matrix = as_matrix(step.weight)
        return pack_weights(
            kernel,
            matrix,
            step.bias,
            x_zero_point=step.x_zero_point,
            groups=step.groups,
            segments=lib.kdq_conv2d_segments(step.window),
            form=fitting_form(
                kernel,
                step.window,
                matrix,
                # The pixels of an image are many rows; a dense layer may be asked for just one.
                default="compact" if step.kind == "dense" else "wide",
            ),
        )
    plain = np.array(step.weight, order="C")
    if step.bias is None:
        return PlainWeights(plain, nothing)
    return PlainWeights(plain, fold_bias(as_matrix(plain), step.bias, step.x_zero_point))
