"""Every measurement still runs, and what is measured is right."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kdq_ref
from kdq_ref import infer, kernels
from kdq_ref.verify.dialects.kdq_rules import under

ROOT = Path(kdq_ref.__file__).parent.parent


@pytest.mark.skipif(not kernels.core_available(), reason="measures the C core")
@pytest.mark.parametrize("subject", ["gemm", "conv", "network", "requant"])
def test_a_case_of_each_group_is_measured(subject: str) -> None:
    """Beside NumPy alone; our outputs are the specification's."""
    peers = [] if subject == "requant" else ["--peers", "numpy"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench", subject, "--quick", "--json", *peers],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    measured = [line for line in lines if "ours_s" in line]
    assert len(measured) >= 2
    assert all(line["exact_ours"] for line in measured)
    assert all(line["ratio"] > 0 for line in measured)


@pytest.mark.parametrize("subject", ["conv", "network"])
def test_peers_are_given_the_network_that_is_measured(
    subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its integers and scales, under the rule of most peers: the same codes as the reference."""
    monkeypatch.syspath_prepend(str(ROOT))
    cases = importlib.import_module("bench.cases")
    models = importlib.import_module("bench.models")
    found = {case.group: case for case in getattr(cases, f"{subject}_cases")()}
    for case in found.values():
        model = models.build(case, "single_rounding").model
        codes = model.codes[:1]
        values = under("float32_rne").run(model.network, {"input": codes})
        expected = infer.run(model.reference, codes)
        np.testing.assert_array_equal(values[model.network.output], expected)
