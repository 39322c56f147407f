"""kdq_ref: the exact reference for distilled, quantized neural networks.

Import what you need: ``from kdq_ref import data, infer, quant, train, zoo``.

============  ======================================================================
`data`        datasets, splits, batching, augmentation
`nn`          layers and `Graph`; over `functional`, with `losses` and `optim`
`zoo`         named teachers and students
`train`       `fit`, checkpoints, evaluation; its objectives come from `distill`
`quant`       float `Graph` to `infer.IntGraph`: fold, calibrate, lower
`rounding`    the requantization rules by name
`intref`      the specification: integer operators in plain NumPy
`kernels`     the same operators in C
`infer`       integer networks: `run` (NumPy), `Engine` (C), the model file
`verify`      kernels examined, dialects of runtimes, proofs about networks
`pipeline`    the whole job; the command ``kdq`` is `cli`
============  ======================================================================

Every error raised on purpose derives from `kdq_ref.errors.KdqError`.
"""

__version__ = "0.1.0"
