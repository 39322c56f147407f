"""Runs that several tests compare with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from strategies.runs import CONFIG, SETTINGS, fit_tiny
from strategies.training import tiny_network


@pytest.fixture(scope="session")
def whole_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An uninterrupted run of every setting, on one thread."""
    runs = {}
    for name, arguments in SETTINGS.items():
        runs[name] = tmp_path_factory.mktemp("whole")
        one_thread = dataclasses.replace(CONFIG, threads=1)
        fit_tiny(tiny_network(), one_thread, directory=runs[name], **arguments)
    return runs
