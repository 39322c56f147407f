"""Our own networks under any rule that has the bias inside the accumulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import RULES, get_rule
from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.dialects import NAMES, get_dialect
from kdq_ref.verify.network import Network, Node
from kdq_ref.verify.own_operators import own_operator

ROUNDED = ("dense", "conv2d", "depthwise_conv2d", "avg_pool2d", "global_avg_pool", "add")
"""Operators that a rule rounds; the others are those of the dialect ``kdq``."""

RULE_NAMES = tuple(name for name, rule in RULES.items() if not rule.keeps_bias_real)


def under(name: str) -> Dialect:
    """The dialect ``kdq`` with another rule, called like the rule.

    Raises
    ------
    InvalidArgumentError
        For an unknown rule.
    UnsupportedError
        For a rule that keeps the bias real.
    """
    rule = get_rule(name)
    if rule.keeps_bias_real:
        raise UnsupportedError(f"{name} keeps the bias real; these networks have integer biases")

    def rounded(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return own_operator(network, node, rule).apply(*inputs)

    own = get_dialect("kdq")
    operators: Mapping[str, Operator] = {**own.operators, **dict.fromkeys(ROUNDED, rounded)}
    notes = {**own.notes, **dict.fromkeys(ROUNDED, rule.formula)}
    summary = f"our own under {rule.name}: {rule.formula}"
    return replace(
        own, name=rule.name, runtime="", summary=summary, operators=operators, notes=notes
    )


def dialect_or_rule(name: str) -> Dialect:
    """A dialect by name; or, by the name of a rule, our own under it.

    Raises
    ------
    InvalidArgumentError
        For a name that is neither.
    """
    return get_dialect(name) if name in NAMES else under(name)
