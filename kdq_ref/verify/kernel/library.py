"""A kernel in a shared library."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdq_ref.errors import KernelUnavailableError
from kdq_ref.verify.kernel.abi import SCRATCH_SUFFIX, Abi, RequantStruct
from kdq_ref.verify.kernel.child import Shared, run_in_child
from kdq_ref.verify.kernel.fence import Stack
from kdq_ref.verify.kernel.native_thread import NativeThread
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.trial import Prepared

# e_machine of ELF files.
_MACHINES = {3: "x86", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64"}
_MACHINES |= {183: "aarch64", 243: "riscv", 258: "loongarch"}
_HERE = {"amd64": "x86_64", "arm64": "aarch64", "riscv64": "riscv", "riscv32": "riscv"}

_M_PERTURB = -6  # of malloc.h


class Library:
    """A function of a shared library, called on threads whose stacks are ours.

    Parameters
    ----------
    path : path-like
    symbol : str
    abi : Abi

    Raises
    ------
    KernelUnavailableError
        If there is no such library or symbol, it is for another machine, or loading it fails.
    """

    def __init__(self, path: str | os.PathLike[str], symbol: str, abi: Abi) -> None:
        self.path = Path(path).absolute()
        self.symbol = symbol
        self.abi = abi
        self._function: Any = None
        self._scratch: Any = None
        self._stacks: list[Stack] = []
        _check_file(self.path)
        self._check_loading()

    def scratch_bytes(self, problem: Problem) -> int:
        """Ask ``<symbol>_scratch_bytes``, if the library has it."""
        self._load()
        if self._scratch is None:
            return 0
        arguments = self.abi.family.struct()
        for name, value in problem.sizes.items():
            setattr(arguments, name, value)
        return int(self._scratch(ctypes.byref(arguments)))

    def invoke(self, calls: Sequence[Prepared]) -> None:
        """Call the function, every call on a thread of its own."""
        self._load()
        while len(self._stacks) < len(calls):
            self._stacks.append(Stack())
        arguments = [_arguments(call) for call in calls]
        stacks = self._stacks[: len(calls)]
        for call, stack in zip(calls, stacks, strict=True):
            stack.fill(call.call.setting.stack_fill)
            _fill_heap(call.call.setting.heap_fill)
        threads = [
            NativeThread(self._function, pointer, stack)
            for (pointer, _), stack in zip(arguments, stacks, strict=True)
        ]
        for thread in threads:
            thread.start()
        for call, thread in zip(calls, threads, strict=True):
            call.number = thread.join()

    def _load(self) -> None:
        if self._function is None:
            library = _open(self.path)
            found = _find(library, self.symbol)
            if found is None:
                raise OSError(
                    f"{self.path} was replaced: it has no symbol {self.symbol!r} any more"
                )
            self._function = ctypes.cast(found, ctypes.c_void_p)
            self._scratch = _find(library, self.symbol + SCRATCH_SUFFIX)
            if self._scratch is not None:
                self._scratch.restype = ctypes.c_int64

    def _check_loading(self) -> None:
        """Load it in a child, since constructors of a library may do anything."""
        shared = Shared(8)

        def work() -> None:
            library = _open(self.path)
            shared.bytes[0] = 1
            shared.progress[1] = _find(library, self.symbol) is not None

        ending = run_in_child(work, shared, 60.0)
        if ending.kind == "finished":
            return
        if shared.bytes[0]:
            raise KernelUnavailableError(
                f"{self.path} has no symbol '{self.symbol}'; is it exported (not static, not "
                f'hidden, extern "C" in C++)? `nm -D {self.path}` lists what is'
            )
        how = {"signal": f"signal {ending.number}", "hang": "it hangs"}.get(ending.kind, "")
        raise KernelUnavailableError(
            f"{self.path} cannot be loaded: {ending.text or how or 'it ended the process'}"
        )


def _open(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(os.fspath(path))
    except UnicodeDecodeError as error:  # a message that names a path that is no UTF-8
        raise OSError(error.object.decode("utf-8", "backslashreplace")) from None


def _find(library: ctypes.CDLL, symbol: str) -> Any:
    """The function; None if there is none, in whatever words ctypes says so."""
    try:
        return getattr(library, symbol)
    except (AttributeError, UnicodeDecodeError):
        return None


def _check_file(path: Path) -> None:
    if path.exists() and not path.is_file():  # opening a FIFO would wait
        raise KernelUnavailableError(f"{path} is no file; --lib must name a shared library")
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise KernelUnavailableError(
            f"{path}: {error.strerror}; --lib must name a shared library "
            f"(`cc -shared -fPIC -o mine.so mine.c` makes one)"
        ) from error
    if head[:4] != b"\x7fELF" or len(head) < 20:
        if platform.system() == "Linux":
            raise KernelUnavailableError(
                f"{path} is no shared library of this system (ELF); "
                f"`cc -shared -fPIC -o mine.so mine.c` makes one"
            )
        return
    order = ">" if head[5] == 2 else "<"
    kind, machine = struct.unpack(f"{order}HH", head[16:20])
    built = _MACHINES.get(machine, f"machine {machine}")
    here = platform.machine().lower()
    if built != _HERE.get(here, here) and not (built == "x86" and here in ("i386", "i686")):
        raise KernelUnavailableError(
            f"{path} is built for {built}, but this machine is {here}; "
            f"build it for this machine, or verify it on one it is built for"
        )
    if kind != 3:
        raise KernelUnavailableError(
            f"{path} is an ELF file, but no shared library; link it with -shared"
        )


def _arguments(ready: Prepared) -> tuple[ctypes.Structure, RequantStruct | None]:
    """The structure for one call, and the one it points to."""
    problem = ready.call.problem
    struct_ = problem.abi.family.struct()
    for name, value in problem.sizes.items():
        setattr(struct_, name, value)
    for name in problem.inputs:
        setattr(struct_, name, ready.arrays[name].address)
    setattr(struct_, problem.abi.family.output, ready.output.address)
    if ready.scratch is not None:
        struct_.scratch = ready.scratch.address
        struct_.scratch_bytes = ready.scratch.array.nbytes
    if problem.scaling is None:
        return struct_, None
    scaling = problem.scaling
    requant = RequantStruct(scaling.zero_point, scaling.qmin, scaling.qmax, len(scaling.real))
    for name in scaling.arrays:
        setattr(requant, name, ready.arrays[name].address)
    struct_.requant = ctypes.addressof(requant)
    return struct_, requant


def _fill_heap(byte: int) -> None:
    """Let memory from malloc hold ``byte``, where the C library can do that (glibc's can)."""
    system = ctypes.CDLL(None)
    if hasattr(system, "mallopt"):
        system.mallopt(_M_PERTURB, byte ^ 0xFF)  # which holds the complement
