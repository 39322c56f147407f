"""What optimizers share: state by parameter name, in-place updates block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from kdq_ref.checks import check_array, check_in_range
from kdq_ref.errors import InvalidArgumentError

BLOCK = 1 << 16
"""Elements updated at a time, so that all operands of a block stay in the cache."""


class Optimizer:
    """Base of all optimizers.

    Attributes
    ----------
    steps : int
        Updates done so far.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    """Arrays of state that every parameter has, zero before the first update."""

    def __init__(self) -> None:
        self.steps = 0
        self._state: dict[str, np.ndarray] = {}

    def update(
        self, params: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray], lr: float
    ) -> None:
        """Do one step, in place.

        Parameters
        ----------
        params : dict of str to ndarray
            Live and C-contiguous, as from `Graph.parameters`.
        grads : dict of str to ndarray
            At least the same keys; not written to.
        lr : float

        Raises
        ------
        InvalidArgumentError
            Missing gradients, non-contiguous parameters.
        ShapeError, DTypeError
            Gradients or loaded state that do not match the parameters.
        """
        lr = float(check_in_range("lr", lr, 0.0))
        missing = sorted(params.keys() - grads.keys())
        if missing:
            raise InvalidArgumentError(f"no gradient for {missing}; freeze by not passing them")
        self.steps += 1
        for name, param in params.items():
            if not param.flags.c_contiguous:
                raise InvalidArgumentError(f"{name} must be C-contiguous to be updated in place")
            grad = check_array(f"gradient of {name}", grads[name], dtype=param.dtype)
            check_array(f"gradient of {name}", grad, shape=param.shape)
            operands = [param, grad, *(self._slot(slot, name, param) for slot in self.slots)]
            flat = [operand.reshape(-1) for operand in operands]
            for start in range(0, param.size, BLOCK):
                self._apply(*(operand[start : start + BLOCK] for operand in flat), lr=lr)

    def _apply(self, param: np.ndarray, grad: np.ndarray, *state: np.ndarray, lr: float) -> None:
        """Update one block of a parameter and of its state in place."""
        raise NotImplementedError

    def _slot(self, slot: str, name: str, param: np.ndarray) -> np.ndarray:
        key = f"{slot}.{name}"
        if key not in self._state:
            self._state[key] = np.zeros_like(param)
        return check_array(key, self._state[key], dtype=param.dtype, shape=param.shape)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies: ``"steps"`` and ``"slot.parameter"`` arrays."""
        copies = {key: value.copy() for key, value in self._state.items()}
        return {"steps": np.array(self.steps, np.int64), **copies}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a `state_dict`; shapes are checked at the next `update`.

        Raises
        ------
        InvalidArgumentError
            If it is the state of another kind of optimizer.
        """
        arrays = dict(state)
        steps = arrays.pop("steps", None)
        foreign = sorted(key for key in arrays if key.split(".", 1)[0] not in self.slots)
        if steps is None or foreign:
            raise InvalidArgumentError(
                f"not a state of {type(self).__name__}: "
                f"{'no steps' if steps is None else f'unexpected {foreign}'}"
            )
        self.steps = int(check_array("steps", steps, dtype=np.int64, shape=()))
        self._state = {key: np.array(value, order="C") for key, value in arrays.items()}
