"""int8 matrix products with fused requantization, beside the peers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.cases import gemm_cases
from bench.comparison import compare, through_plan
from bench.report import Line, Options


def lines(options: Options) -> Iterator[Line]:
    """Yield a line for each product and peer."""
    return compare("gemm", gemm_cases(), options, through_plan)
