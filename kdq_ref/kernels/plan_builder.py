"""``PlanBuilder``: a network, operator by operator, for the C core to run in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_int, check_positive_int
from kdq_ref.errors import GraphError
from kdq_ref.geometry import Padding, Pair
from kdq_ref.int4 import Int4Array, as_int8
from kdq_ref.kernels.buffers import window_struct
from kdq_ref.kernels.core import require_core
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.kernels.plan import Plan, Step
from kdq_ref.operands import Shape
from kdq_ref.rounding import Requant, channels_of


class PlanBuilder:
    """Collects operators; every method has the keywords of its namesake in intref.

    Arrays are replaced by slots: small integers that the methods return. Slot 0 is the input.

    Parameters
    ----------
    input_shape : tuple of int
        Of one image (or vector).
    input_scale : float
    input_zero_point : int
        With which :meth:`Plan.run` quantizes float input.

    Raises
    ------
    KernelUnavailableError
        If there is no C core.

    Examples
    --------
    >>> builder = PlanBuilder(input_shape=(28, 28, 1), input_scale=1 / 255, input_zero_point=-128)
    >>> slot = builder.max_pool2d(0, kernel=(2, 2), stride=(2, 2))
    >>> builder.build(output=builder.flatten(slot)).output_shape
    (196,)
    """

    def __init__(self, *, input_shape: Shape, input_scale: float, input_zero_point: int) -> None:
        require_core()
        shape = tuple(check_int("input_shape", size, 0) for size in input_shape)
        self._input_scale = operands.check_scale(input_scale)
        self._input_zero_point = operands.check_zero_point("input_zero_point", input_zero_point)
        self._steps: list[Step] = []
        self._shapes = [shape]  # of values: what operators make
        self._slots = [(0, shape)]  # slot -> (value, shape): flatten gives a value another shape

    def dense(
        self,
        x: int,
        weight: np.ndarray | Int4Array,
        bias: np.ndarray,
        *,
        x_zero_point: int,
        requant: Requant,
    ) -> int:
        """Add :func:`kdq_ref.intref.dense` and return its output's slot."""
        weight = np.asarray(as_int8(weight))
        shape = self._shape(x)
        out = operands.dense_shape(
            shape, weight, bias, x_zero_point=x_zero_point, channels=channels_of(requant)
        )
        return self._append(
            "dense",
            (x,),
            out,
            window=window_struct((1, 1, *shape), (1, 1, *out)),
            weight=weight.reshape(1, 1, *weight.shape),
            bias=np.asarray(bias),
            x_zero_point=x_zero_point,
            requant=requant,
            macs=weight.size,
        )

    def conv2d(
        self,
        x: int,
        weight: np.ndarray | Int4Array,
        bias: np.ndarray,
        *,
        x_zero_point: int,
        requant: Requant,
        stride: Pair = (1, 1),
        padding: Padding = (0, 0, 0, 0),
        dilation: Pair = (1, 1),
        groups: int = 1,
    ) -> int:
        """Add :func:`kdq_ref.intref.conv2d` and return its output's slot."""
        weight = np.asarray(as_int8(weight))
        out = operands.conv2d_shape(
            self._shape(x),
            weight,
            bias,
            x_zero_point=x_zero_point,
            channels=channels_of(requant),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        return self._append(
            "conv2d",
            (x,),
            out,
            window=window_struct(
                self._shape(x), out, weight.shape[:2], stride, padding, dilation, groups
            ),
            weight=weight,
            bias=np.asarray(bias),
            x_zero_point=x_zero_point,
            groups=groups,
            requant=requant,
            macs=out[0] * out[1] * weight.size,
        )

    def depthwise_conv2d(
        self,
        x: int,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        x_zero_point: int,
        requant: Requant,
        stride: Pair = (1, 1),
        padding: Padding = (0, 0, 0, 0),
        dilation: Pair = (1, 1),
    ) -> int:
        """Add :func:`kdq_ref.intref.depthwise_conv2d` and return its output's slot."""
        weight = np.asarray(weight)
        out = operands.depthwise_conv2d_shape(
            self._shape(x),
            weight,
            bias,
            x_zero_point=x_zero_point,
            channels=channels_of(requant),
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        return self._append(
            "depthwise_conv2d",
            (x,),
            out,
            window=window_struct(self._shape(x), out, weight.shape[:2], stride, padding, dilation),
            weight=weight,
            bias=np.asarray(bias),
            x_zero_point=x_zero_point,
            requant=requant,
            macs=out[0] * out[1] * weight.size,
        )

    def max_pool2d(
        self, x: int, *, kernel: Pair, stride: Pair, padding: Padding = (0, 0, 0, 0)
    ) -> int:
        """Add :func:`kdq_ref.intref.max_pool2d` and return its output's slot."""
        shape = self._shape(x)
        out = operands.max_pool2d_shape(shape, kernel=kernel, stride=stride, padding=padding)
        return self._append(
            "max_pool2d", (x,), out, window=window_struct(shape, out, kernel, stride, padding)
        )

    def avg_pool2d(
        self,
        x: int,
        *,
        kernel: Pair,
        stride: Pair,
        padding: Padding = (0, 0, 0, 0),
        x_zero_point: int,
        requant: Requant,
    ) -> int:
        """Add :func:`kdq_ref.intref.avg_pool2d` and return its output's slot."""
        shape = self._shape(x)
        out = operands.avg_pool2d_shape(
            shape,
            kernel=kernel,
            stride=stride,
            padding=padding,
            x_zero_point=x_zero_point,
            channels=channels_of(requant),
        )
        return self._append(
            "avg_pool2d",
            (x,),
            out,
            window=window_struct(shape, out, kernel, stride, padding),
            x_zero_point=x_zero_point,
            requant=requant,
        )

    def global_avg_pool(self, x: int, *, x_zero_point: int, requant: Requant) -> int:
        """Add :func:`kdq_ref.intref.global_avg_pool` and return its output's slot."""
        shape = self._shape(x)
        out = operands.global_avg_pool_shape(
            shape, x_zero_point=x_zero_point, channels=channels_of(requant)
        )
        return self._append(
            "global_avg_pool",
            (x,),
            out,
            window=window_struct(shape, (1, 1, *out), (shape[0], shape[1])),
            x_zero_point=x_zero_point,
            requant=requant,
        )

    def add(
        self,
        a: int,
        b: int,
        *,
        a_zero_point: int,
        b_zero_point: int,
        a_multiplier: int,
        b_multiplier: int,
        requant: Requant,
    ) -> int:
        """Add :func:`kdq_ref.intref.add` and return its output's slot."""
        out = operands.add_shape(
            self._shape(a),
            self._shape(b),
            a_zero_point=a_zero_point,
            b_zero_point=b_zero_point,
            a_multiplier=a_multiplier,
            b_multiplier=b_multiplier,
            channels=channels_of(requant),
        )
        return self._append(
            "add",
            (a, b),
            out,
            addends=(a_zero_point, b_zero_point, a_multiplier, b_multiplier),
            requant=requant,
        )

    def lookup(self, x: int, table: np.ndarray) -> int:
        """Add :func:`kdq_ref.intref.lookup` and return its output's slot."""
        out = operands.lookup_shape(self._shape(x), table)
        return self._append("lookup", (x,), out, weight=np.asarray(table))

    def flatten(self, x: int) -> int:
        """Add :func:`kdq_ref.intref.flatten`, which costs nothing, and return its slot."""
        self._slots.append((self._slots[self._slot(x)][0], operands.flatten_shape(self._shape(x))))
        return len(self._slots) - 1

    def build(self, *, output: int, isa: str | None = None, max_tile: int | None = None) -> Plan:
        """Choose a kernel, pack the weights, lay out the arena.

        Parameters
        ----------
        output : int
            Slot of the result. Operators that it does not depend on are left out.
        isa : str, optional
            The kernel; by default ``KDQ_ISA``, else the best this CPU has.
        max_tile : int, optional
            Images that go through the network together; by default as many as stay in cache.

        Raises
        ------
        GraphError, KernelUnavailableError, RangeError
        """
        value, shape = self._slots[self._slot(output)]
        if max_tile is not None:
            check_positive_int("max_tile", max_tile)
        return Plan(
            kernel_for(isa),
            self._needed_for(value),
            self._shapes,
            output=value,
            output_shape=shape,
            input_scale=self._input_scale,
            input_zero_point=self._input_zero_point,
            max_tile=max_tile,
        )

    def _needed_for(self, output: int) -> list[Step]:
        needed, steps = {output}, []
        for step in reversed(self._steps):
            if step.target in needed:
                needed.update(step.sources)
                steps.append(step)
        return steps[::-1]

    def _append(self, kind: str, slots: tuple[int, ...], shape: Shape, **description: Any) -> int:
        sources = tuple(self._slots[slot][0] for slot in slots)
        target = len(self._shapes)
        self._steps.append(Step(kind, sources, target, shape, **description))
        self._shapes.append(shape)
        self._slots.append((target, shape))
        return len(self._slots) - 1

    def _slot(self, slot: int) -> int:
        if not 0 <= slot < len(self._slots):
            raise GraphError(
                f"there is no slot {slot!r} yet; slots 0 to {len(self._slots) - 1} exist, "
                f"0 being the input"
            )
        return slot

    def _shape(self, slot: int) -> Shape:
        return self._slots[self._slot(slot)][1]
