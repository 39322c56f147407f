"""This machine's own peaks: instruction mixes that touch registers only, in GMAC/s.

What a kernel reaches is then also a fraction of what the hardware can do: of ``vpmaddwd`` +
``vpaddd``, the exact mix of AVX2, or of ``vpdpbusd`` where there is VNNI.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.report import Line, Options, machine
from bench.timing import interleave

_SOURCE = Path(__file__).with_name("roofline.c")
_FLAGS = ("-O2", "-shared", "-fPIC")
_PASSES = 20_000
_PER_PASS = 10
"""Independent multiply-accumulates in one pass of a loop of roofline.c."""


class NoPeaks(Exception):
    """The loops cannot be built or run here; the message says why."""


@dataclass(frozen=True)
class Mix:
    """One instruction mix.

    Attributes
    ----------
    name : str
        Of the C function.
    feature : str
        Whose ``kdq_roofline_has_...`` says whether this CPU can run it.
    instructions : str
    macs : int
        Multiply-accumulates of one step.
    """

    name: str
    feature: str
    instructions: str
    macs: int


MIXES = (
    Mix("fma", "fma", "float32 vfmadd231ps", 8),
    Mix("maddwd", "avx2", "vpmaddwd + vpaddd (exact)", 16),
    Mix("maddubsw_maddwd", "avx2", "vpmaddubsw + vpmaddwd + vpaddd", 32),
    Mix("maddubsw_addw", "avx2", "vpmaddubsw + vpaddw", 32),
    Mix("avxvnni", "avxvnni", "vpdpbusd, 256 bits (AVX-VNNI)", 32),
    Mix("avx512vnni", "avx512vnni", "vpdpbusd, 512 bits (AVX-512 VNNI)", 64),
)


@cache
def library() -> ctypes.CDLL:
    """Compile and load the loops.

    Raises
    ------
    NoPeaks
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise NoPeaks(f"the loops are written for x86-64, this is {platform.machine()}")
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    compiler = next((found for name in names if name and (found := shutil.which(name))), None)
    if compiler is None:
        raise NoPeaks("no C compiler found (CC, cc, gcc, clang): install one to measure peaks")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "roofline.so")
        for extra in (["-DKDQ_WITH_AVXVNNI"], []):
            command = [compiler, *_FLAGS, *extra, str(_SOURCE), "-o", target]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return ctypes.CDLL(target)
    raise NoPeaks(f"{compiler} could not compile {_SOURCE.name}:\n{done.stderr.strip()}")


def available(mix: Mix) -> bool:
    """Whether this CPU has the instructions."""
    return bool(getattr(library(), f"kdq_roofline_has_{mix.feature}")())


def loop(mix: Mix) -> tuple[Callable[[], Any], int]:
    """A call that runs a mix for some microseconds, and the MACs it stands for."""
    function = getattr(library(), f"kdq_roofline_{mix.name}")
    function.argtypes, function.restype = [ctypes.c_long], None
    return lambda: function(_PASSES), _PASSES * _PER_PASS * mix.macs


def mix_of(isa: str) -> Mix | None:
    """The mix that a kernel of ours is made of, by its name; None where we have no loop for it."""
    if "avx512vnni" in isa:
        wanted = "avx512vnni"
    elif "avxvnni" in isa:
        wanted = "avxvnni"
    elif isa in ("neon", "neondot", "i8mm"):
        return None
    else:
        wanted = "maddwd"
    mix = next(mix for mix in MIXES if mix.name == wanted)
    return mix if available(mix) else None


def lines(options: Options) -> Iterator[Line]:
    """Measure every mix, each on all threads at once."""
    for mix in MIXES:
        line: Line = {"subject": "roofline", "group": "peaks", "case": mix.instructions}
        line |= {"peer": None, "threads": options.threads}
        if not available(mix):
            yield {**line, "unavailable": f"this CPU lacks {mix.feature}", **machine()}
            continue
        call, macs = loop(mix)
        with ThreadPoolExecutor(options.threads) as pool:

            def on_all(call: Callable[[], Any] = call, pool: ThreadPoolExecutor = pool) -> None:
                # ctypes lets go of the interpreter's lock.
                for future in [pool.submit(call) for _ in range(options.threads)]:
                    future.result()

            (times,) = interleave([call if options.threads == 1 else on_all], options.protocol())
        total = macs * options.threads
        yield {
            **line,
            "ours_s": times.best,
            "gmacs": total / times.best / 1e9,
            "gmacs_median": total / times.median / 1e9,
            **machine(),
        }
