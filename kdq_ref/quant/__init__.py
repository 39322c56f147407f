"""From a trained float network to integers: fold, calibrate, then lower or fake-quantize."""

from kdq_ref.quant.calibration import calibrate
from kdq_ref.quant.convert import quantize
from kdq_ref.quant.fakequant import FakeQuantGraph, fake_quantize
from kdq_ref.quant.fold import fold_batch_norm
from kdq_ref.quant.lowering import lower
from kdq_ref.quant.schemes import QuantParams
from kdq_ref.quant.spec import QuantSpec

__all__ = [
    "FakeQuantGraph",
    "QuantParams",
    "QuantSpec",
    "calibrate",
    "fake_quantize",
    "fold_batch_norm",
    "lower",
    "quantize",
]
