"""Wrong kernels, each as a NumPy model: what would come out if exactly this were wrong.

A defect replaces steps of :mod:`kdq_ref.verify.kernel.pipeline`. It is what is wrong with a kernel
if the model returns what the kernel returned, for every call, the right results included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdq_ref.verify.kernel import pipeline
from kdq_ref.verify.kernel.abi import CONV2D, GEMM, REQUANTIZE, Abi
from kdq_ref.verify.kernel.pipeline import Operands, Steps
from kdq_ref.verify.kernel.problem import Problem, matrix


@dataclass(frozen=True)
class Defect:
    """One thing that can be wrong.

    Attributes
    ----------
    name : str
    words : str
        What the verdict says.
    steps : mapping
        The steps that it replaces.
    applies : callable
        Whether a calling convention can show it.
    """

    name: str
    words: str
    steps: Steps
    applies: Callable[[Abi], bool] = lambda abi: True


Load = Callable[[Problem, Operands], Operands]


def _products(abi: Abi) -> bool:
    return abi.family is not REQUANTIZE


def _layers(abi: Abi) -> bool:
    return abi.requantizes and abi.family is not REQUANTIZE


def _images(abi: Abi) -> bool:
    return abi.family is CONV2D


def _dense(abi: Abi) -> bool:
    return abi.family is GEMM


def _matrices(abi: Abi) -> bool:
    return abi.family is not CONV2D


def _operand(
    name: str, words: str, change: Load, applies: Callable[[Abi], bool] = _products
) -> Defect:
    """A defect of what is multiplied."""

    def load(problem: Problem) -> Operands:
        operands = pipeline.load(problem)
        assert operands is not None
        return change(problem, operands)

    return Defect(name, words, {"load": load}, applies)


def _codes(
    change_a: Callable[[np.ndarray], np.ndarray] | None,
    change_b: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Load:
    """Codes that are read as others; padding is not read."""

    def change(problem: Problem, o: Operands) -> Operands:
        a = o.a if change_a is None else change_a(o.a)
        if o.padded is not None:
            a = np.where(o.padded, o.a, a)
        return Operands(a, o.b if change_b is None else change_b(o.b), o.zero_point, o.padded)

    return change


def _not_128(x: np.ndarray) -> np.ndarray:
    return np.where(x == -128, -127, x)


def _zero_point(change: Callable[[int], int], *, padding_skipped: bool) -> Load:
    def load(problem: Problem, o: Operands) -> Operands:
        zero_point = change(o.zero_point)
        a = o.a
        if padding_skipped and o.padded is not None:
            a = np.where(o.padded, zero_point, a)
        return Operands(a, o.b, zero_point, o.padded)

    return load


def _padding_zero(problem: Problem, o: Operands) -> Operands:
    assert o.padded is not None
    return Operands(np.where(o.padded, 0, o.a), o.b, o.zero_point, o.padded)


def _keep(chosen: Callable[[int], np.ndarray], *, each_tap: bool) -> Load:
    """Only some of the K products (or of every tap's input channels) count."""

    def load(problem: Problem, o: Operands) -> Operands:
        k = o.a.shape[2]
        if each_tap:
            taps = problem.sizes["kernel_h"] * problem.sizes["kernel_w"]
            kept = np.tile(chosen(k // taps), taps)
        else:
            kept = chosen(k)
        b = np.where(kept[None, :, None], o.b, 0)
        return Operands(o.a, b, o.zero_point, o.padded)

    return load


def _no_stride(name: str) -> Load:
    """A matrix read as if its rows followed each other."""

    def load(problem: Problem, o: Operands) -> Operands:
        array = problem.inputs[name]
        flat = problem.flat(name).astype(np.int64)
        tight = matrix(flat, array.shape, array.shape[1])[None]
        return (
            Operands(tight, o.b, o.zero_point)
            if name == "a"
            else (Operands(o.a, tight, o.zero_point))
        )

    return load


def _geometry(change: Callable[[dict[str, int]], dict[str, int]]) -> Load:
    def load(problem: Problem, o: Operands) -> Operands:
        wrong = change(dict(problem.sizes))
        return pipeline.patches(problem, problem.inputs["weight"], **wrong)

    return load


def _weights(change: Callable[[np.ndarray], np.ndarray]) -> Load:
    def load(problem: Problem, o: Operands) -> Operands:
        return pipeline.patches(problem, change(problem.inputs["weight"]))

    return load


def _swapped(name: str) -> Callable[[dict[str, int]], dict[str, int]]:
    pair = ("pad_top", "pad_left") if name == "pad" else (f"{name}_h", f"{name}_w")
    return lambda s: {pair[0]: s[pair[1]], pair[1]: s[pair[0]]}


def _transposed_kernel(weight: np.ndarray) -> np.ndarray:
    square = weight.shape[0] == weight.shape[1]
    return weight.transpose(1, 0, 2, 3) if square else weight


def _other_channel(problem: Problem, o: Operands) -> Operands:
    """Output ``c`` of a depthwise convolution reads input ``c % in_c``."""
    c_in = problem.sizes["in_c"]
    repeats = problem.channels // c_in
    source = np.arange(problem.channels).reshape(c_in, repeats) % c_in
    # One group per output channel now, in the order of the outputs.
    a = o.a[source.ravel()]
    b = o.b.transpose(0, 2, 1).reshape(problem.channels, -1, 1)
    return Operands(a, b, o.zero_point)


def operand_defects() -> list[Defect]:
    """What may be wrong with what is read."""
    found = [
        _operand(
            "minus_128_as_minus_127",
            "-128 is handled as -127",
            _codes(*pair),
            lambda abi, pair=pair: (
                _products(abi)  # type: ignore[misc]
                and (abi.data == "int8" or pair[0] is None)
                and (not abi.requantizes or pair[1] is None)
            ),
        )
        for pair in ((_not_128, None), (None, _not_128), (_not_128, _not_128))
    ]
    for name, words, change in (
        ("zero_point_sign", "the input's zero point has the wrong sign: it is added", lambda z: -z),
        ("zero_point_ignored", "the input's zero point is ignored", lambda z: 0),
    ):
        for skipped in (True, False):
            load = _zero_point(change, padding_skipped=skipped)
            found.append(_operand(name, words, load, _layers))
    found += [
        _operand(
            "padding_is_code_0",
            "padding counts as code 0, not as the input's zero point",
            _padding_zero,
            _images,
        ),
        _operand(
            "data_as_unsigned",
            "the data are read as unsigned",
            _codes(lambda a: a & 0xFF),
            lambda abi: _products(abi) and abi.data == "int8",
        ),
        _operand(
            "data_as_signed",
            "the data are read as signed",
            _codes(lambda a: a - 256 * (a > 127)),
            lambda abi: abi.data == "uint8",
        ),
        _operand(
            "weights_as_unsigned",
            "the weights are read as unsigned",
            _codes(None, lambda b: b & 255),
        ),
    ]
    for q in (2, 4, 8, 16, 32, 64):
        chosen = _whole_units(q)
        words = f"wrong for K not a multiple of {q}: the last K mod {q} products are left out"
        found.append(_operand("k_tail", words, _keep(chosen, each_tap=False)))
        words = f"input channels beyond a multiple of {q} are left out"
        found.append(_operand("channel_tail", words, _keep(chosen, each_tap=True), _images))
    for name, words, chosen in (
        (
            "last_product",
            "the last product of every sum is left out",
            lambda k: np.arange(k) < k - 1,
        ),
        ("first_product", "the first product of every sum is left out", lambda k: np.arange(k) > 0),
    ):
        found.append(_operand(name, words, _keep(chosen, each_tap=False)))
    for name in ("a", "b"):
        words = f"the row stride of {name.upper()} (ld{name}) is ignored"
        found.append(_operand("stride_ignored", words, _no_stride(name), _dense))
    return found + _geometry_defects()


def _whole_units(q: int) -> Callable[[int], np.ndarray]:
    return lambda k: np.arange(k) < k // q * q


def _fixed(sizes: dict[str, int]) -> Callable[[dict[str, int]], dict[str, int]]:
    return lambda _: sizes


def _geometry_defects() -> list[Defect]:
    found = []
    for name, word in (("stride", "strides"), ("dilation", "dilations"), ("pad", "paddings")):
        words = f"vertical and horizontal {word} are swapped"
        found.append(_operand(f"{name}_swapped", words, _geometry(_swapped(name)), _images))
    for name, keys, value in (
        ("stride_1", ("stride_h", "stride_w"), 1),
        ("dilation_ignored", ("dilation_h", "dilation_w"), 1),
        ("padding_ignored", ("pad_top", "pad_left"), 0),
    ):
        fixed = dict.fromkeys(keys, value)
        words = f"{keys[0]} and {keys[1]} are ignored, {value} is used"
        found.append(_operand(name, words, _geometry(_fixed(fixed)), _images))
    found += [
        _operand(
            "kernel_flipped",
            "the window is flipped: a convolution, not a cross-correlation",
            _weights(lambda w: w[::-1, ::-1]),
            _images,
        ),
        _operand(
            "kernel_transposed",
            "rows and columns of the window are swapped",
            _weights(_transposed_kernel),
            _images,
        ),
        _operand(
            "depthwise_order",
            "output channel c reads input channel c mod in_c, not c / (out_c / in_c)",
            _other_channel,
            lambda abi: abi.depthwise,
        ),
    ]
    return found


def store_defects() -> list[Defect]:
    """What may be wrong with what is written."""
    found = []
    for axis, word in ((0, "row"), (1, "column")):
        found.append(
            _unwritten(f"last_{word}", f"the last {word} is not written", axis, _all_but_one)
        )
        for q in (2, 4, 8, 16, 32):
            words = f"{word}s beyond a multiple of {q} are not written"
            found.append(_unwritten(f"{word}_tail", words, axis, _whole(q)))
    found += [
        Defect(
            "k_0",
            "nothing is written when K is 0",
            {"store": _store_unless_empty},
            lambda abi: _products(abi),
        ),
        Defect(
            "output_stride_ignored",
            "the row stride of the output is ignored",
            {"store": _store_tight},
            _matrices,
        ),
        Defect(
            "adds_to_output",
            "it adds to what the output held before the call",
            {"store": _store_added},
        ),
    ]
    return found


def _all_but_one(size: int) -> int:
    return max(size - 1, 0)


def _whole(q: int) -> Callable[[int], int]:
    return lambda size: size // q * q


def _unwritten(name: str, words: str, axis: int, count: Callable[[int], int]) -> Defect:
    def store(codes: np.ndarray, memory: np.ndarray, problem: Problem) -> None:
        end = count(codes.shape[axis])
        view = matrix(memory, codes.shape, problem.output_stride)
        part = (slice(None, end),) if axis == 0 else (slice(None), slice(None, end))
        view[part] = codes[part].astype(memory.dtype)

    return Defect(name, words, {"store": store})


def _store_unless_empty(codes: np.ndarray, memory: np.ndarray, problem: Problem) -> None:
    weight = problem.inputs[problem.abi.family.weight]
    if weight.size:
        pipeline.store(codes, memory, problem)


def _store_tight(codes: np.ndarray, memory: np.ndarray, problem: Problem) -> None:
    memory[: codes.size] = codes.ravel().astype(memory.dtype)


def _store_added(codes: np.ndarray, memory: np.ndarray, problem: Problem) -> None:
    view = matrix(memory, codes.shape, problem.output_stride)
    view[...] = (view.astype(np.int64) + codes).astype(memory.dtype)
