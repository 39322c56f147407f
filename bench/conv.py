"""int8 convolutions with fused requantization, channels last, beside the peers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.cases import conv_cases
from bench.comparison import compare, through_plan
from bench.report import Line, Options


def lines(options: Options) -> Iterator[Line]:
    """Yield a line for each convolution and peer."""
    return compare("conv", conv_cases(), options, through_plan)
