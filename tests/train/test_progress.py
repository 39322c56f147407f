"""What people see: lines in logs, a bar on terminals, nothing on standard output."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from strategies.training import tiny_dataset, tiny_network

from kdq_ref.train import (
    BarReporter,
    EpochRecord,
    LineReporter,
    Reporter,
    TrainConfig,
    fit,
    reporter_for,
)
from kdq_ref.train.progress import describe

RECORD = EpochRecord(2, 20, 0.05, 0.5, 0.75, 0.25, 0.9, 1.5)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _run(reporter: Reporter | None, directory: Path | None = None, resume: bool = False) -> None:
    config = TrainConfig(epochs=2, batch_size=8)
    fit(
        tiny_network(),
        tiny_dataset(),
        tiny_dataset(8, seed=1),
        config,
        reporter=reporter,
        directory=directory,
        resume=resume,
    )


def test_description() -> None:
    """An epoch is one readable line; what was not measured is left out."""
    assert describe(RECORD, 10) == (
        "epoch 2/10  lr 0.05  loss 0.5000  acc 75.00%  val loss 0.2500  val acc 90.00%  1.5 s"
    )
    bare = EpochRecord(1, 10, 1e-6, 0.5, None, None, None, 0.0)
    assert describe(bare, 1) == "epoch 1/1  lr 1e-06  loss 0.5000  0.0 s"


def test_stream_decides() -> None:
    """A terminal gets a bar, anything else gets lines."""
    assert isinstance(reporter_for("x", _Terminal()), BarReporter)
    assert isinstance(reporter_for("x", io.StringIO()), LineReporter)


def test_one_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    """By default on standard error, titled."""
    _run(LineReporter("student"))
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["student: epoch 1/2", "student: epoch 2/2"]


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a reporter nothing is printed."""
    _run(None)
    assert capsys.readouterr() == ("", "")


def test_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows loss, accuracy and speed, leaves one line an epoch, and frees the terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("kdq_ref.train.progress._REDRAW_SECONDS", 0.0)
    stream = _Terminal()
    _run(BarReporter("student", stream))
    text = stream.getvalue()
    assert text.count("val acc") == 2
    assert "loss" in text
    assert "/s" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor is shown again"


def test_resuming_is_told(tmp_path: Path) -> None:
    """A person learns whether there was something to resume."""
    stream = io.StringIO()
    _run(LineReporter("run", stream), tmp_path, resume=True)
    assert "run: no checkpoint in" in stream.getvalue()
    _run(LineReporter("run", stream), tmp_path, resume=True)
    assert "run: resumed after epoch 2, step 6" in stream.getvalue()
