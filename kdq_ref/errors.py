"""Every error this package raises on purpose.

Catch :class:`KdqError` to catch them all; each also derives from the built-in one would expect.

::

    KdqError
    ├── InvalidArgumentError (ValueError)      a call that cannot mean anything
    │   ├── ShapeError
    │   ├── RangeError
    │   ├── NotFiniteError
    │   └── DTypeError (also TypeError)
    ├── GraphError (ValueError)                a network that cannot exist
    ├── UnsupportedError (RuntimeError)        a runtime lacks it, or is not installed
    ├── AccumulatorOverflowError (OverflowError)   an int32 accumulator might overflow
    ├── FileFormatError (ValueError)           a file is not what it should be
    │   ├── DatasetError
    │   ├── ModelFileError
    │   └── CheckpointError
    ├── KernelUnavailableError (RuntimeError)  the asked-for C kernel cannot run here
    │   └── KernelSelfTestError                it ran, and its known answer came out wrong
    ├── TrainingInterrupted                    Ctrl-C: stopped between batches, checkpoint written
    └── TrainingDivergedError (ArithmeticError)    the loss is NaN or infinite

A message says what was asked, what is true, and what to do.
"""

from __future__ import annotations

import os
from pathlib import Path


class KdqError(Exception):
    """Base of every error raised on purpose by kdq_ref."""


class InvalidArgumentError(KdqError, ValueError):
    """An argument whose value makes no sense for this call."""


class ShapeError(InvalidArgumentError):
    """An array of the wrong rank or size."""


class RangeError(InvalidArgumentError):
    """A number outside its allowed range."""


class NotFiniteError(InvalidArgumentError):
    """NaN or infinity where a finite number is needed."""


class DTypeError(InvalidArgumentError, TypeError):
    """An array of the wrong dtype."""


class GraphError(KdqError, ValueError):
    """A network that cannot exist: unknown input, cycle, duplicate name, shapes that clash."""


class UnsupportedError(KdqError, RuntimeError):
    """Something that a runtime cannot do here: it lacks the operator, or is not installed."""


class AccumulatorOverflowError(KdqError, OverflowError):
    """A channel whose accumulator cannot be proven to stay inside int32."""


class FileFormatError(KdqError, ValueError):
    """A file that is not what it should be.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    fault : str
        What is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str], fault: str) -> None:
        super().__init__(f"{os.fspath(path)}: {fault}")
        self.path = Path(path)
        self.fault = fault

    def __reduce__(self) -> tuple[type[FileFormatError], tuple[Path, str]]:
        return type(self), (self.path, self.fault)


class DatasetError(FileFormatError):
    """A dataset file that is missing, damaged or inconsistent."""


class ModelFileError(FileFormatError):
    """An integer model file that is damaged or describes an impossible network."""


class CheckpointError(FileFormatError):
    """A training checkpoint or float model file that cannot be used."""


class KernelUnavailableError(KdqError, RuntimeError):
    """The C core, or the instruction set asked for, cannot run here."""


class KernelSelfTestError(KernelUnavailableError):
    """A kernel returned a wrong result for its known-answer self-test."""


class TrainingInterrupted(KdqError):
    """Training stopped between two batches because it was asked to.

    Attributes
    ----------
    checkpoint : pathlib.Path or None
        Where the state was saved; resuming from it continues to the same bits.
    """

    def __init__(self, message: str, checkpoint: Path | None = None) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


class TrainingDivergedError(KdqError, ArithmeticError):
    """The loss became NaN or infinite."""
