"""What a network is trained to do: a loss over logits and per-sample targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kdq_ref import distill
from kdq_ref.checks import check_in_range
from kdq_ref.errors import InvalidArgumentError

Targets = Mapping[str, np.ndarray]
"""``"labels"`` : (B,) int64, -1 where unknown; for a teacher's student ``"teacher"`` : (B, C)."""


class Objective(Protocol):
    """A mean loss over the samples it is given, and its gradient."""

    @property
    def needs_teacher(self) -> bool:
        """Whether the targets must hold the teacher's logits."""

    def __call__(self, logits: np.ndarray, targets: Targets) -> tuple[float, np.ndarray]:
        """Return the mean over the B samples and its gradient with respect to logits : (B, C)."""

    def identity(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""


@dataclass(frozen=True)
class HardLabels:
    """Cross-entropy against labels; every sample needs one.

    Attributes
    ----------
    label_smoothing : float
        In [0, 1].
    """

    label_smoothing: float = 0.0
    needs_teacher = False

    def __post_init__(self) -> None:
        check_in_range("label_smoothing", self.label_smoothing, 0.0, 1.0)

    def __call__(self, logits: np.ndarray, targets: Targets) -> tuple[float, np.ndarray]:
        """Return :func:`~kdq_ref.distill.hard_label`."""
        return distill.hard_label(logits, targets["labels"], label_smoothing=self.label_smoothing)

    def identity(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return {"kind": "hard_labels", **dataclasses.asdict(self)}


_Method = Callable[..., tuple[float, np.ndarray]]
METHODS: dict[str, _Method] = {
    "soft_target": distill.soft_target,
    "logit_matching": distill.logit_matching,
    "soft_label_cross_entropy": distill.soft_label_cross_entropy,
}


@dataclass(frozen=True)
class Distillation:
    r"""A teacher's term and the hard labels: :math:`\lambda L_{teacher} + (1 - \lambda) L_{hard}`.

    Both are means over *all* samples. A sample without a label (-1) has the teacher's term, with
    the same weight :math:`\lambda`, and 0 in the other.

    Attributes
    ----------
    method : {"soft_target", "logit_matching", "soft_label_cross_entropy"}
    temperature : float, optional
        For `soft_target`, which needs it, and nothing else.
    lam : float
        :math:`\lambda` in [0, 1]: the weight of the *teacher's* side.
    """

    method: str = "soft_target"
    temperature: float | None = None
    lam: float = 0.9
    needs_teacher = True

    def __post_init__(self) -> None:
        check_in_range("lam", self.lam, 0.0, 1.0)
        if self.method not in METHODS:
            raise InvalidArgumentError(
                f"method must be one of {', '.join(METHODS)}, got {self.method!r}"
            )
        if (self.temperature is not None) != (self.method == "soft_target"):
            raise InvalidArgumentError(
                f"method 'soft_target' needs a temperature and no other method has one, "
                f"got {self.method!r} with temperature {self.temperature}"
            )
        if self.temperature is not None:
            distill.check_temperature(self.temperature)

    def __call__(self, logits: np.ndarray, targets: Targets) -> tuple[float, np.ndarray]:
        """Return the weighted sum of both terms and its gradient."""
        options = {} if self.temperature is None else {"temperature": self.temperature}
        soft, dsoft = METHODS[self.method](logits, targets["teacher"], **options)
        hard, dhard = distill.hard_label(logits, targets["labels"])
        dsoft *= self.lam
        dhard *= 1 - self.lam
        dsoft += dhard
        return self.lam * soft + (1 - self.lam) * hard, dsoft

    def identity(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return {"kind": "distillation", **dataclasses.asdict(self)}
