"""Wrong sums: what narrow or rounded accumulators make of the products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.verify.kernel.abi import REQUANTIZE, Abi
from kdq_ref.verify.kernel.defects import Defect
from kdq_ref.verify.kernel.pipeline import Operands, join

_INT16 = -(2**15), 2**15 - 1
PAIRS_SATURATE = "pair_saturation"


def _products_of(o: Operands, a: np.ndarray) -> np.ndarray:
    """(G, R, K, N) : every product."""
    return a[:, :, :, None] * o.b[:, None, :, :]


def _pair_sums(o: Operands, shift: int) -> np.ndarray:
    """Products of ``a + shift``, two neighbours at a time, each pair saturated to int16.

    The shift makes signed codes unsigned, as ``vpmaddubsw`` wants them; it and the zero point are
    corrected exactly afterwards. Padding holds the zero point.
    """
    products = _products_of(o, o.a + shift)
    if products.shape[2] % 2:
        products = np.pad(products, ((0, 0), (0, 0), (0, 1), (0, 0)))
    pairs = np.clip(products[:, :, 0::2] + products[:, :, 1::2], *_INT16)
    return pairs.sum(axis=2) - (o.zero_point + shift) * o.b.sum(axis=1)[:, None, :]


def _wrapped(o: Operands) -> np.ndarray:
    """Sums modulo 2**16, of codes from which the zero point is subtracted."""
    return ((o.a - o.zero_point) @ o.b).astype(np.int16).astype(np.int64)


def _wrapped_raw(o: Operands) -> np.ndarray:
    """Sums of the codes themselves modulo 2**16, the zero point corrected afterwards."""
    raw = (o.a @ o.b).astype(np.int16).astype(np.int64)
    return raw - o.zero_point * o.b.sum(axis=1)[:, None, :]


def _saturated(o: Operands) -> np.ndarray:
    """Sums that saturate to int16 after every product."""
    acc = np.zeros((*o.a.shape[:2], o.b.shape[2]), np.int64)
    for p in range(o.a.shape[2]):
        step = (o.a[:, :, p, None] - o.zero_point) * o.b[:, None, p, :]
        acc = np.clip(acc + step, *_INT16)
    return acc


def _saturated_once(o: Operands) -> np.ndarray:
    return np.clip((o.a - o.zero_point) @ o.b, *_INT16)


def _in_float32(o: Operands) -> np.ndarray:
    """One product after the other added in float32."""
    acc = np.zeros((*o.a.shape[:2], o.b.shape[2]), np.float32)
    for p in range(o.a.shape[2]):
        acc += ((o.a[:, :, p, None] - o.zero_point) * o.b[:, None, p, :]).astype(np.float32)
    return acc.astype(np.int64)


def _centred_int8(fit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Operands], np.ndarray]:
    return lambda o: fit(o.a - o.zero_point) @ o.b


def _wrap_int8(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int8).astype(np.int64)


def _clip_int8(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -128, 127)


def sum_defects() -> list[Defect]:
    """What may be wrong with the sums."""
    return [
        *(
            _sum(PAIRS_SATURATE, "pair sums saturate to int16", sums, dtype)
            for sums, dtype in (
                (lambda o: _pair_sums(o, 0), ""),
                (lambda o: _pair_sums(o, 128), "int8"),
            )
        ),
        _sum("int16_wraps", "int16 accumulators overflow: they wrap around", _wrapped),
        _sum("int16_wraps", "int16 accumulators overflow: they wrap around", _wrapped_raw),
        _sum("int16_saturates", "int16 accumulators overflow: they saturate", _saturated),
        _sum("int16_saturates", "accumulators are narrowed to int16 at the end", _saturated_once),
        _sum("float32_sums", "sums in float32: inexact beyond 2^24", _in_float32),
        _sum(
            "centred_in_int8",
            "the zero point is subtracted in 8 bits, and wraps around",
            _centred_int8(_wrap_int8),
        ),
        _sum(
            "centred_in_int8",
            "the zero point is subtracted in 8 bits, and saturates",
            _centred_int8(_clip_int8),
        ),
    ]


def _sum(name: str, words: str, sums: Callable[[Operands], np.ndarray], dtype: str = "") -> Defect:
    def applies(abi: Abi) -> bool:
        return abi.family is not REQUANTIZE and dtype in ("", abi.data)

    def accumulate(operands: Operands) -> np.ndarray:
        return join(sums(operands))

    return Defect(name, words, {"accumulate": accumulate}, applies)
