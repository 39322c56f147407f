"""The order in which an epoch visits its images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdq_ref.checks import check_int, check_positive_int

_SHUFFLE = int.from_bytes(b"shuffle", "big")


def batches(n: int, batch_size: int, *, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Shuffle ``range(n)`` and cut it into batches.

    A pure function of its arguments: nothing needs to be stored to resume an epoch in its middle,
    ``itertools.islice(batches(...), done, None)`` goes on where it stopped.

    Parameters
    ----------
    n, batch_size : int
    seed, epoch : int
        Non-negative. Every pair shuffles differently.

    Yields
    ------
    (B,) int64 ndarray
        ``B == batch_size``, except for a shorter last batch where it does not divide ``n``.
    """
    check_positive_int("n", n)
    check_positive_int("batch_size", batch_size)
    check_int("seed", seed, 0)
    check_int("epoch", epoch, 0)
    order = np.random.default_rng([seed, _SHUFFLE, epoch]).permutation(n)
    return (order[start : start + batch_size] for start in range(0, n, batch_size))
