"""The command line ``kdq``: one command per file, each a thin skin over a few library calls.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed
(one line says why), 2 wrong usage, 130 interrupted by Ctrl-C, 141 nobody reads the output any more.
"""

import os

# Work is split over micro-batches by our own threads. BLAS threads inside each of them would fight
# for the same cores, so BLAS gets one. It reads this when numpy is first imported, hence up here;
# whoever has set the variables keeps their choice.
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
for _variable in BLAS_VARIABLES:
    os.environ.setdefault(_variable, "1")

from kdq_ref.cli.application import main  # noqa: E402

__all__ = ["BLAS_VARIABLES", "main"]
