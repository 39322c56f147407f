"""A runtime that is installed here, asked for its own answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from kdq_ref.verify.network import Network


class Oracle(Protocol):
    """A runtime: builds its own format from a :class:`Network`, and runs it.

    Attributes
    ----------
    name : str
        What ``Dialect.runtime`` says.
    package : str
        What to install: ``pip install`` name.
    """

    name: str
    package: str

    def version(self) -> str | None:
        """Version of the installed runtime, or None where it is not installed."""

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node that the runtime can be asked for, the output at least.

        Raises
        ------
        UnsupportedError
            If the runtime has no such operator, or refuses this one; the message is its own.
        """
