"""Why two dialects differ in a dense layer or a convolution.

A hypothesis is a sum of products (exact, or in pairs that saturate), a rule, and where the zero
point enters. It counts only if it computes every element of what the dialect computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding import RULES, Constants, Requant, Rule
from kdq_ref.rounding.reason import decimal, derive, reasons
from kdq_ref.verify.accumulators import accumulate, weight_of
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects.pairs import saturating_product
from kdq_ref.verify.network import Network, Node, code_bounds, real_bias, store
from kdq_ref.verify.proofs.pair_sums import layer_of
from kdq_ref.verify.proofs.pair_trace import first_saturated

_INSIDE = ("float32_rne", "onnx_spec")
"""Rules that are tried with the zero point inside the rounding, too."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """How a layer may have been computed.

    Attributes
    ----------
    saturating : bool
        Whether pair sums saturate to int16.
    rule : Rule
    inside : bool
        Whether the zero point is added before the rounding.
    requant : Requant
    sums : (B, ..., C) int64 ndarray
        What the rule gets: the bias is in there unless the rule adds it.
    """

    saturating: bool
    rule: Rule
    inside: bool
    requant: Requant
    sums: np.ndarray

    def codes(self) -> np.ndarray:
        """Every code under this hypothesis."""
        if not self.inside:
            return self.requant.apply(self.sums)
        held = self.requant.constants
        if "scale" in self.rule.uses:
            scaled = self.sums.astype(np.float32) * held.scale + np.float32(self.requant.zero_point)
        else:
            scaled = self.sums * held.real + self.requant.zero_point
        return np.clip(np.rint(scaled), self.requant.qmin, self.requant.qmax).astype(np.int8)

    def __str__(self) -> str:
        sums = "pair sums that saturate" if self.saturating else "exact sums"
        inside = ", the zero point added before rounding" if self.inside else ""
        return f"{sums}, {self.rule.name}{inside}"


def hypotheses(network: Network, node: Node, codes: np.ndarray) -> Iterator[Hypothesis]:
    """Yield every way to compute the layer that is known here.

    Parameters
    ----------
    network : Network
        Stored in int8.
    node : Node
        A dense layer or a convolution.
    codes : int8 ndarray
    """
    unsigned = network.stored_as("uint8")
    exact = accumulate(network, node, codes)
    saturated = accumulate(unsigned, node, store(codes, "uint8"), saturating_product)
    bias = np.zeros(1, np.int64) if node.bias is None else node.bias.astype(np.int64)
    for saturating, sums in ((False, exact), (True, saturated)):
        for rule in RULES.values():
            requant = _requant(network, node, rule)
            if requant is None:
                continue
            total = sums if rule.keeps_bias_real else sums + bias
            yield Hypothesis(saturating, rule, False, requant, total)
            if rule.name in _INSIDE:
                yield Hypothesis(saturating, rule, True, requant, total)


def _requant(network: Network, node: Node, rule: Rule) -> Requant | None:
    """The node's requantization under a rule; None where the rule does not take its multipliers."""
    weight, scale = weight_of(node).scales, network.encodings[node.inputs[0]].scale
    qmin, qmax = node.output.limits
    if node.clamp is not None:
        qmin, qmax = code_bounds(node.output, node.clamp)
    bias = real_bias(network, node) if rule.keeps_bias_real else None
    shared = float(weight[0]) if bias is not None and len(weight) == 1 else weight
    try:
        constants = rule.constants(scale, shared, node.output.scale, bias)
        return Requant(rule, constants, node.output.zero_point, qmin, qmax)
    except InvalidArgumentError:
        return None


def explain_affine(
    network: Network,
    node: Node,
    dialects: tuple[Dialect, Dialect],
    inputs: Mapping[str, np.ndarray],
    outputs: tuple[np.ndarray, np.ndarray],
    element: tuple[int, ...],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the numbers behind an element, and the reasons why two dialects differ there."""
    codes = inputs[node.inputs[0]]
    known = list(hypotheses(network, node, codes))
    numbers = _numbers(network, node, known[0], element)
    fits = [[h for h in known if np.array_equal(h.codes(), output)] for output in outputs]
    said = []
    for dialect, found in zip(dialects, fits, strict=True):
        names = "; or ".join(str(h) for h in found) or "none of the known ways"
        numbers[f"{dialect.name} computes"] = dialect.notes.get(node.operator, "not described")
        numbers[f"all {outputs[0].size:,} codes of {dialect.name} are those of"] = names
        if not found:
            said.append(
                f"{dialect.name} computes this value in none of {len(known)} known ways: "
                f"what it does is its own"
            )
    if all(fits):
        a, b = min(
            ((a, b) for a in fits[0] for b in fits[1]),
            key=lambda pair: (
                sum(not _named(h, d, node) for h, d in zip(pair, dialects, strict=True)),
                _distance(*pair),
            ),
        )
        said += _reasons(network, node, codes, element, dialects, a, b)
    return numbers, tuple(said)


def _distance(a: Hypothesis, b: Hypothesis) -> int:
    """How much two hypotheses differ in; another rule weighs most."""
    rules = 2 * (a.rule is not b.rule)
    return (a.saturating != b.saturating) + (a.inside != b.inside) + rules


def _named(hypothesis: Hypothesis, dialect: Dialect, node: Node) -> bool:
    """Whether the dialect says that its rule is the hypothesis'."""
    words = f"{dialect.name} {dialect.summary} {dialect.notes.get(node.operator, '')}"
    return hypothesis.rule.name in words.replace(",", " ").replace(":", " ").split()


def _numbers(
    network: Network, node: Node, exact: Hypothesis, element: tuple[int, ...]
) -> dict[str, str]:
    channel = element[-1]
    bias = 0 if node.bias is None else int(node.bias[channel])
    total = int(exact.sums[element])
    scales, source = weight_of(node).scales, network.encodings[node.inputs[0]].scale
    weight = float(scales[channel if len(scales) > 1 else 0])
    multiplier = Fraction(source) * Fraction(weight) / Fraction(node.output.scale)
    real = total * multiplier
    return {
        "accumulator": f"{total:,} = {total - bias:,} + bias {bias:,}",
        "multiplier": f"{source!r} * {weight!r} / {node.output.scale!r} = {float(multiplier):.12g}",
        "exact value": f"{decimal(real)}, {float(distance_from_tie(real)):.6g} from a tie",
        "zero point": str(node.output.zero_point),
    }


def distance_from_tie(value: Fraction) -> Fraction:
    """How far a number is from the nearest one half way between two integers."""
    return abs(value - (value.__floor__() + Fraction(1, 2)))


def _reasons(
    network: Network,
    node: Node,
    codes: np.ndarray,
    element: tuple[int, ...],
    dialects: tuple[Dialect, Dialect],
    a: Hypothesis,
    b: Hypothesis,
) -> Iterator[str]:
    for one, other, dialect in ((a, b, dialects[0]), (b, a, dialects[1])):
        if one.saturating and not other.saturating:
            layer = layer_of(network.stored_as("uint8"), node)
            pair = first_saturated(layer, layer.nodes[0], store(codes, "uint8"), element)
            yield (
                f"{dialect.name} saturates: {pair}; its accumulator is {int(one.sums[element]):,} "
                f"instead of {int(other.sums[element]):,}"
            )
        if one.inside and not other.inside:
            derivation = derive(_channel(other.requant, element[-1]), int(other.sums[element]))
            zero_point = one.requant.zero_point
            yield (
                f"{dialect.name} adds the zero point {zero_point} before rounding: "
                f"{decimal(derivation.value)} + {zero_point} goes to even"
            )
    if a.rule is b.rule:
        return
    first, second = (_channel(h.requant, element[-1]) for h in (a, b))
    accs = int(a.sums[element]), int(b.sums[element])
    words = reasons(first, second, accs[0]) if accs[0] == accs[1] else ()
    if words:
        yield from words
    else:
        yield f"{dialects[0].name}: {derive(first, accs[0])}"
        yield f"{dialects[1].name}: {derive(second, accs[1])}"


def _channel(requant: Requant, channel: int) -> Requant:
    if requant.channels == 1:
        return requant
    one = {name: v[channel : channel + 1] for name, v in vars(requant.constants).items()}
    return replace(requant, constants=Constants(**one))
