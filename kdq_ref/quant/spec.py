"""``QuantSpec``: every number that turns a float network into an integer one, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.quant.schemes import QuantParams, check_granularity


@dataclass(frozen=True)
class QuantSpec:
    """Scales and zero points of a network.

    Attributes
    ----------
    activations : dict of str to QuantParams
        By the name of the value; ``"input"`` is the network's input. Values that keep their
        input's scale (max pooling, flatten) and values inside a fused stage have no entry.
    weights : dict of str to tuple of float
        By the name of the affine node: one scale per output channel, or a single one.
    granularity : {"per_channel", "per_tensor"}
        How the scales of the weights were chosen.
    observer : dict
        ``{"name": ..., setting: value}``: how the ranges of activations were chosen.

    Raises
    ------
    InvalidArgumentError
    """

    activations: dict[str, QuantParams]
    weights: dict[str, tuple[float, ...]]
    granularity: str
    observer: dict[str, Any]

    def __post_init__(self) -> None:
        check_granularity(self.granularity)
        for name, scales in self.weights.items():
            if not scales:
                raise InvalidArgumentError(f"weights of {name!r} have no scale")
            for scale in scales:
                QuantParams(scale, 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as JSON-able values."""
        return {
            "activations": {
                name: {"scale": params.scale, "zero_point": params.zero_point}
                for name, params in self.activations.items()
            },
            "weights": {name: list(scales) for name, scales in self.weights.items()},
            "granularity": self.granularity,
            "observer": dict(self.observer),
        }

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> QuantSpec:
        """Build the specification that :meth:`to_dict` described.

        Raises
        ------
        InvalidArgumentError
            If ``entries`` has other keys or values of other types.
        """
        try:
            wanted = {"activations", "weights", "granularity", "observer"}
            if entries.keys() != wanted:
                raise InvalidArgumentError(
                    f"a quantization spec has the keys {sorted(wanted)}, got {sorted(entries)}"
                )
            return cls(
                activations={
                    name: QuantParams(**params) for name, params in entries["activations"].items()
                },
                weights={name: tuple(scales) for name, scales in entries["weights"].items()},
                granularity=entries["granularity"],
                observer=dict(entries["observer"]),
            )
        except (AttributeError, TypeError, ValueError) as fault:
            if isinstance(fault, InvalidArgumentError):
                raise
            raise InvalidArgumentError(f"not a quantization spec: {fault}") from fault
