"""kdq_ref: the exact reference for distilled, quantized neural networks."""

__version__ = "0.1.0"
