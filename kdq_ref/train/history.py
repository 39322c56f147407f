"""One record per epoch, as a JSON line."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdq_ref.files import write_atomically


@dataclass(frozen=True)
class EpochRecord:
    """What happened in one epoch.

    Attributes
    ----------
    epoch : int
        Epochs done, so 1 for the first.
    step : int
        Batches done since the beginning.
    lr : float
        Learning rate of the last batch.
    train_loss : float
        Mean of the objective over the epoch, as the weights were at each batch.
    train_accuracy : float or None
        Over the (augmented) images that have a label; None if none has one.
    validation_loss, validation_accuracy : float or None
        Mean cross-entropy and accuracy after the epoch; None without a validation set.
    seconds : float
        Training and validation together.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


class HistoryFile:
    """A JSONL file that always holds exactly the epochs of its run.

    Parameters
    ----------
    path : path-like
    records : iterable of EpochRecord
        Epochs done before (a resumed run); the file is replaced by these.
    """

    def __init__(self, path: str | os.PathLike[str], records: Iterable[EpochRecord] = ()) -> None:
        self.path = Path(path)
        write_atomically(path, "".join(_line(record) for record in records).encode())

    def append(self, record: EpochRecord) -> None:
        """Add one epoch; on disk when this returns."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())


def _line(record: EpochRecord) -> str:
    return json.dumps(dataclasses.asdict(record), allow_nan=False) + "\n"
