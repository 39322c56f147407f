"""What is measured: named shapes and networks, in the groups that the project's bars speak of.

A case here is a description of a few numbers; :mod:`bench.models` makes the integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

FULL, NARROW, INT4 = 127, 64, 7
"""Largest magnitude of the weights: all of int8, pair sums that fit int16, four bits."""


@dataclass(frozen=True)
class Gemm:
    """``(m, k) x (k, n)``, weights drawn from ``[-limit, limit]``."""

    group: str
    m: int
    k: int
    n: int
    limit: int = FULL

    @property
    def name(self) -> str:
        return f"{self.m}x{self.k}x{self.n}"

    @property
    def macs(self) -> int:
        return self.m * self.k * self.n


@dataclass(frozen=True)
class Conv:
    """Images ``(batch, h, w, c_in)``; the padding keeps the size (divided by the stride)."""

    group: str
    h: int
    w: int
    c_in: int
    c_out: int
    kernel: int = 3
    stride: int = 1
    batch: int = 1

    @property
    def depthwise(self) -> bool:
        return self.group == "depthwise"

    @property
    def name(self) -> str:
        stride = f" /{self.stride}" if self.stride > 1 else ""
        shape = f"{self.h}x{self.w}x{self.c_in}-{self.c_out}"
        return f"{self.kernel}x{self.kernel} {shape}{stride} b{self.batch}"

    @property
    def macs(self) -> int:
        positions = -(-self.h // self.stride) * -(-self.w // self.stride)
        per_output = self.kernel**2 * (1 if self.depthwise else self.c_in)
        return self.batch * positions * per_output * self.c_out


@dataclass(frozen=True)
class Network:
    """A network of :mod:`bench.networks` by name, on a batch."""

    group: str
    network: str
    batch: int

    @property
    def name(self) -> str:
        return f"{self.network} b{self.batch}"


Case = Gemm | Conv | Network

# Powers of two are what kernels are tuned for; 65, 100, 127, 257, 511, 784 and 1000 are not.
_LARGE = (
    (64, 64, 64),
    (64, 256, 1000),
    (64, 784, 512),
    (64, 1024, 65),
    (100, 100, 100),
    (100, 257, 127),
    (100, 511, 784),
    (100, 1000, 257),
    (256, 65, 127),
    (256, 127, 511),
    (256, 512, 512),
    (256, 784, 100),
    (256, 1024, 1000),
    (512, 100, 256),
    (512, 511, 65),
    (512, 512, 512),
)
# Layers of the MLP (784-1200-1200-10), of the students' heads, and of a classifier.
_LAYERS = ((784, 1200), (1200, 1200), (1200, 10), (576, 10), (256, 128), (1024, 1000))
_SMALL_M = (1, 4, 8)

_CONVS = (
    Conv("3x3", 56, 56, 64, 64),
    Conv("3x3", 28, 28, 128, 128),
    Conv("3x3", 14, 14, 256, 256),
    Conv("3x3", 7, 7, 512, 512),
    Conv("3x3", 15, 17, 72, 100),
    Conv("first-layer", 28, 28, 1, 16),
    Conv("first-layer", 28, 28, 1, 32),
    Conv("first-layer", 32, 32, 1, 16),
    Conv("rgb", 32, 32, 3, 16),
    Conv("rgb", 64, 64, 3, 32, stride=2),
    Conv("depthwise", 28, 28, 32, 32),
    Conv("depthwise", 14, 14, 64, 64),
    Conv("depthwise", 14, 14, 128, 128, stride=2),
    Conv("depthwise", 56, 56, 96, 96),
    Conv("1x1", 28, 28, 64, 64, kernel=1),
    Conv("1x1", 14, 14, 128, 256, kernel=1),
    Conv("1x1", 7, 7, 256, 512, kernel=1),
    Conv("1x1", 14, 14, 96, 40, kernel=1),
)
CONV_BATCHES = (1, 8)

_NETWORKS = (
    ("small", "fashion-student"),
    ("small", "residual"),
    ("small", "depthwise"),
    ("larger", "resnet-8"),
    ("larger", "mlp"),
)
NETWORK_BATCHES = (1, 64)
SCALING_BATCH = 256
"""Images per call where our threads are compared with our single thread."""


def gemm_cases() -> Iterator[Gemm]:
    """Every matrix product; the three groups of large ones have the same shapes."""
    for group, limit in (("large", FULL), ("narrow-weights", NARROW), ("int4-weights", INT4)):
        yield from (Gemm(group, *shape, limit) for shape in _LARGE)
    yield from (Gemm("small-m", m, k, n) for m in _SMALL_M for k, n in _LAYERS)


def conv_cases() -> Iterator[Conv]:
    """Every convolution, on one image and on a few."""
    for conv in _CONVS:
        for batch in CONV_BATCHES:
            shape = (conv.h, conv.w, conv.c_in, conv.c_out, conv.kernel, conv.stride)
            yield Conv(conv.group, *shape, batch)


def network_cases() -> Iterator[Network]:
    """Every network at every batch that peers are timed at."""
    for group, network in _NETWORKS:
        yield from (Network(group, network, batch) for batch in NETWORK_BATCHES)


def scaling_cases() -> Iterator[Network]:
    """Every network at the batch that is split among threads."""
    yield from (Network("scaling", network, SCALING_BATCH) for _, network in _NETWORKS)


GROUPS: dict[str, tuple[str, ...]] = {
    subject: tuple(dict.fromkeys(case.group for case in cases))
    for subject, cases in (
        ("gemm", [*gemm_cases()]),
        ("conv", [*conv_cases()]),
        ("network", [*network_cases(), *scaling_cases()]),
    )
}
"""The groups of each subject."""
