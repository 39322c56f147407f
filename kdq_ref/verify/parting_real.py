"""Why two dialects differ in an operator whose exact real result is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from kdq_ref.rounding.reason import decimal
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects.windows import window_counts, window_terms
from kdq_ref.verify.network import Network, Node, code_bounds
from kdq_ref.verify.parting_affine import distance_from_tie

_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda x: float(1 / (1 + np.exp(-x))),
    "tanh": lambda x: float(np.tanh(x)),
    "hard_swish": lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
}


def exact_steps(
    network: Network, node: Node, inputs: Mapping[str, np.ndarray], element: tuple[int, ...]
) -> Fraction | None:
    """The real result of one element in steps of the output, without zero point; None if unknown.

    Exact, but for functions with an exponential, which are those of float64.
    """
    encodings = [network.encodings[name] for name in node.inputs]
    values = [inputs[name] for name in node.inputs]
    out = Fraction(node.output.scale)
    if node.operator == "quantize":
        return Fraction(float(values[0][element])) / out
    scale, zero_point = Fraction(encodings[0].scale), encodings[0].zero_point
    if node.operator in ("add", "mul"):
        reals = [
            Fraction(e.scale) * (int(v[element]) - e.zero_point)
            for e, v in zip(encodings, values, strict=True)
        ]
        return (reals[0] + reals[1] if node.operator == "add" else reals[0] * reals[1]) / out
    if node.operator == "global_avg_pool":
        window = values[0][element[0], :, :, element[1]].astype(np.int64) - zero_point
        return scale * int(window.sum()) / window.size / out
    if node.operator == "avg_pool2d":
        centred = values[0][element[0]][None].astype(np.int64) - zero_point
        place = (0, *element[1:])
        total = sum(int(term[place]) for term in window_terms(node, centred))
        inside = int(window_counts(node, centred)[0, element[1], element[2], 0])
        return scale * total / inside / out
    if node.operator in _FUNCTIONS:
        real = encodings[0].scale * (int(values[0][element]) - zero_point)
        return Fraction(_FUNCTIONS[node.operator](real)) / out
    return None


def explain_real(
    network: Network,
    node: Node,
    dialects: tuple[Dialect, Dialect],
    inputs: Mapping[str, np.ndarray],
    outputs: tuple[np.ndarray, np.ndarray],
    element: tuple[int, ...],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the numbers behind an element, and the reasons why two dialects differ there."""
    results = [int(output[element]) for output in outputs]
    numbers = {"zero point": str(node.output.zero_point)}
    for dialect in dialects:
        numbers[f"{dialect.name} computes"] = dialect.notes.get(node.operator, "not described")
    for name in node.inputs:
        if inputs[name].shape == outputs[0].shape:
            numbers[f"{name} there"] = str(inputs[name][element])
    exact = exact_steps(network, node, inputs, element)
    if exact is None:
        return numbers, (f"{node.operator}: its codes are {results[0]} and {results[1]}",)
    zero_point = node.output.zero_point
    numbers["exact value"] = (
        f"{decimal(exact)} steps, {float(distance_from_tie(exact)):.6g} from a tie"
    )
    low, high = node.output.limits
    if node.clamp is not None:
        low, high = code_bounds(node.output, node.clamp)
    nearest = min(max(round(exact) + zero_point, low), high)
    said = []
    if distance_from_tie(exact) == 0:
        for dialect, result in zip(dialects, results, strict=True):
            went = _went(exact, result, zero_point)
            said.append(f"{dialect.name}: {decimal(exact)} is a tie and {went}")
        return numbers, tuple(said)
    for dialect, result in zip(dialects, results, strict=True):
        if result != nearest:
            said.append(
                f"{dialect.name} makes {result} of {decimal(exact)} + {zero_point}, whose nearest "
                f"code is {nearest}: its own steps err by at least "
                f"{float(_error(exact + zero_point, result)):.3g}"
            )
    return numbers, tuple(said)


def _error(exact: Fraction, result: int) -> Fraction:
    """How far a number must have been moved to round to a result."""
    return max(abs(exact - result) - Fraction(1, 2), Fraction(0))


def _went(exact: Fraction, result: int, zero_point: int) -> str:
    """Where a tie went, and which rule takes it there."""
    steps, down = result - zero_point, exact.__floor__()
    if steps not in (down, down + 1):
        return f"becomes {steps}: it was clamped, or not met exactly"
    rules = []
    if steps == round(exact):
        rules.append("to even")
    if result == round(exact + zero_point):
        rules.append(f"to even after the zero point {zero_point} was added")
    if steps == down + 1:
        rules.append("up")
    if steps == (down + 1 if exact > 0 else down):
        rules.append("away from zero")
    return f"goes to {steps}" + (f" ({', or '.join(rules)})" if rules else " (down)")
