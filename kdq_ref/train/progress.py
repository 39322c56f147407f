"""What a person sees of a training run."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from kdq_ref.train.history import EpochRecord

_REDRAW_SECONDS = 0.1


class Reporter:
    """Says nothing; the base of those that do.

    One reporter serves one run at a time. `finish` is always called, whatever ended the run.
    """

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        """A run of `steps` batches begins, the first `done` of them done earlier."""

    def batch(self, *, epoch: int, images: int, loss: float, accuracy: float | None) -> None:
        """A batch of so many images is done; loss and accuracy are the epoch's so far."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is done."""

    def note(self, text: str) -> None:
        """Something else worth a line."""

    def finish(self) -> None:
        """The run is over, or was stopped."""


class LineReporter(Reporter):
    """One line per epoch: for logs and pipes.

    Parameters
    ----------
    title : str
        Begins every line.
    stream : text file, optional
        Default: standard error, so that standard output stays clean for results.
    """

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = sys.stderr if stream is None else stream
        self._epochs = 0

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        self._epochs = epochs

    def epoch(self, record: EpochRecord) -> None:
        self.note(describe(record, self._epochs))

    def note(self, text: str) -> None:
        print(f"{self._title}: {text}", file=self._stream, flush=True)


class BarReporter(Reporter):
    """A live bar with loss, accuracy, images per second and the time left: for terminals.

    Parameters
    ----------
    title : str
        Stands before the bar.
    stream : text file, optional
        Default: standard error.
    """

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self._title = title
        self._console = Console(file=sys.stderr if stream is None else stream)
        self._epochs = 0
        self._progress: Progress | None = None
        self._task = TaskID(0)
        # Since the last redraw: (time, images, batches).
        self._since = (0.0, 0, 0)

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task(self._title, total=steps, completed=done, numbers="")
        self._progress.start()
        self._since = (time.monotonic(), 0, 0)

    def batch(self, *, epoch: int, images: int, loss: float, accuracy: float | None) -> None:
        then, seen, batches = self._since
        now, seen, batches = time.monotonic(), seen + images, batches + 1
        if self._progress is None or now - then < _REDRAW_SECONDS:
            self._since = (then, seen, batches)
            return
        share = "" if accuracy is None else f" acc {accuracy:.1%}"
        numbers = f"epoch {epoch}/{self._epochs} loss {loss:.4f}{share} {seen / (now - then):.0f}/s"
        self._progress.update(self._task, advance=batches, numbers=numbers)
        self._since = (now, 0, 0)

    def epoch(self, record: EpochRecord) -> None:
        self.note(describe(record, self._epochs))
        if self._progress is not None:
            self._progress.update(self._task, completed=record.step)
        # Validation is not training: it must not slow the next images per second down.
        self._since = (time.monotonic(), 0, 0)

    def note(self, text: str) -> None:
        self._console.print(f"{self._title}: {text}", markup=False, highlight=False, soft_wrap=True)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def reporter_for(title: str, stream: TextIO | None = None) -> Reporter:
    """Return a bar for a terminal, lines for anything else."""
    stream = sys.stderr if stream is None else stream
    return (BarReporter if stream.isatty() else LineReporter)(title, stream)


def describe(record: EpochRecord, epochs: int) -> str:
    """Return an epoch as one line of text."""
    parts = [
        f"epoch {record.epoch}/{epochs}",
        f"lr {record.lr:.4g}",
        f"loss {record.train_loss:.4f}",
    ]
    if record.train_accuracy is not None:
        parts.append(f"acc {record.train_accuracy:.2%}")
    if record.validation_loss is not None and record.validation_accuracy is not None:
        parts.append(f"val loss {record.validation_loss:.4f}")
        parts.append(f"val acc {record.validation_accuracy:.2%}")
    return "  ".join([*parts, f"{record.seconds:.1f} s"])
