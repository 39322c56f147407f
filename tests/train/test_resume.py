"""Stopped anywhere and resumed: the same bits as if nothing had happened."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.runs import (
    CONFIG,
    EPOCHS,
    SETTINGS,
    SPE,
    StopAt,
    assert_same_run,
    fit_interrupted,
    fit_tiny,
)
from strategies.training import same_bits, tiny_network

from kdq_ref.train import LAST, Reporter, evaluate, load_checkpoint


@settings(max_examples=25)
@given(
    name=st.sampled_from(list(SETTINGS)),
    stops=st.lists(st.integers(1, SPE * EPOCHS), min_size=1, max_size=3),
    threads=st.integers(1, 3),
)
def test_interrupted_and_resumed(
    whole_runs: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    stops: list[int],
    threads: int,
) -> None:
    """Stopped at any steps, in an epoch or at its end, and resumed: the same bits."""
    directory = tmp_path_factory.mktemp("run")
    done = 0
    for wait in stops:
        if done + wait > SPE * EPOCHS:
            break
        # A fresh process would draw other weights: the checkpoint must replace them.
        graph = tiny_network(seed=100 if done else 0)
        config = dataclasses.replace(CONFIG, threads=threads)
        fit_interrupted(graph, directory, StopAt(wait), config=config, **SETTINGS[name])
        done += wait
        assert load_checkpoint(directory / LAST).progress.step == done
    graph = tiny_network(seed=200 if done else 0)
    result = fit_tiny(graph, directory=directory, resume=True, **SETTINGS[name])
    assert_same_run(whole_runs[name], directory)
    last = load_checkpoint(directory / LAST)
    assert same_bits(graph.state_dict(), last.model)
    assert result.history == last.history
    assert same_bits(result.best_state, last.best)


def test_stopped_behind_each_epoch(whole_runs: dict[str, Path], tmp_path: Path) -> None:
    """A signal after validation, even the last, stops with that epoch done; nothing is doubled."""
    for epoch in range(1, EPOCHS + 1):
        checkpoint = fit_interrupted(tiny_network(), tmp_path, StopAt(1, after_epoch=True))
        assert load_checkpoint(checkpoint).progress.epochs == epoch
    fit_tiny(tiny_network(), directory=tmp_path, resume=True)
    assert_same_run(whole_runs["hard"], tmp_path)


class _Slow(StopAt):
    """Takes its time over a batch."""

    def batch(self, **numbers: Any) -> None:
        time.sleep(0.05)
        super().batch(**numbers)


def test_seconds_of_both_parts_count(tmp_path: Path) -> None:
    """The seconds of an interrupted epoch are those before and after, not those between."""
    began = time.perf_counter()
    checkpoint = fit_interrupted(tiny_network(), tmp_path, _Slow(2))
    before = time.perf_counter() - began
    assert 0.1 <= load_checkpoint(checkpoint).progress.seconds <= before
    time.sleep(0.3)
    began = time.perf_counter()
    result = fit_tiny(tiny_network(), directory=tmp_path, resume=True)
    after = time.perf_counter() - began
    assert 0.1 <= result.history[0].seconds <= before + after


def test_stopped_in_validation(
    whole_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal between validation batches stops there; the epoch's training is not lost."""
    calls = []

    def interrupting(*arguments: Any, between: Callable[[], None], **more: Any) -> Any:
        def kill_then_check() -> None:
            calls.append(1)
            os.kill(os.getpid(), signal.SIGINT)
            between()

        return evaluate(*arguments, between=kill_then_check, **more)

    with monkeypatch.context() as patch:
        patch.setattr("kdq_ref.train.loop.evaluate", interrupting)
        fit_interrupted(tiny_network(), tmp_path, Reporter())
    assert len(calls) == 1
    progress = load_checkpoint(tmp_path / LAST).progress
    assert (progress.epochs, progress.step, progress.images) == (0, SPE, 22)
    fit_tiny(tiny_network(), directory=tmp_path, resume=True)
    assert_same_run(whole_runs["hard"], tmp_path)


def _child_code(directory: Path, slow: float) -> str:
    return f"""
import signal, sys, time
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
from strategies.training import tiny_dataset, tiny_network
from kdq_ref.errors import TrainingInterrupted
from kdq_ref.train import Reporter, TrainConfig, fit

class Slow(Reporter):
    def batch(self, **numbers):
        print("batch", flush=True)
        time.sleep({slow})

config = TrainConfig(**{CONFIG.identity()!r}, threads=2)
try:
    fit(tiny_network(), tiny_dataset(), tiny_dataset(70, seed=1), config,
        directory={str(directory)!r}, resume=True, reporter=Slow())
except TrainingInterrupted as stopped:
    print("stopped", stopped.checkpoint, flush=True)
    sys.exit(130)
"""


def _start(directory: Path, slow: float) -> subprocess.Popen[str]:
    code = _child_code(directory, slow)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_real_process_stops_and_goes_on(
    whole_runs: dict[str, Path], tmp_path: Path, number: signal.Signals
) -> None:
    """A signal from outside: stopped within a batch, and resumed here to the same bits."""
    with _start(tmp_path, slow=0.05) as child:
        assert child.stdout is not None
        for _ in range(SPE + 2):
            child.stdout.readline()
        child.send_signal(number)
        rest, _ = child.communicate(timeout=60)
    assert rest.count("batch") <= 1
    step = load_checkpoint(tmp_path / LAST).progress.step
    if number == signal.SIGKILL:
        assert child.returncode == -number
        assert step == SPE, "what was saved at the end of the epoch"
    else:
        assert child.returncode == 130
        assert f"stopped {tmp_path / LAST}" in rest
        assert SPE + 2 <= step < SPE * EPOCHS
    fit_tiny(tiny_network(), directory=tmp_path, resume=True)
    assert_same_run(whole_runs["hard"], tmp_path)


def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    """Not waiting for the batch, and what was saved before is whole."""
    with _start(tmp_path, slow=60.0) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        # The batch lasts a minute: only the second signal can end the process now.
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.3)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == -signal.SIGTERM
    assert load_checkpoint(tmp_path / LAST).progress.step == 0
