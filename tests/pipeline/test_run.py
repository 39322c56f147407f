"""The main job, briefly trained: every artefact, every promise that does not need accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kdq_ref import data, infer, kernels, quant, train
from kdq_ref.errors import CheckpointError, DatasetError
from kdq_ref.pipeline import Job, run
from kdq_ref.train import Reporter


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    directory = tmp_path_factory.mktemp("job") / "made"
    return directory, run(Job(epochs=1), directory)


def test_the_report_says_what_is_true_of_the_files(finished: tuple[Path, dict]) -> None:
    """Accuracies, sizes and exactness can be measured again from the artefacts."""
    directory, report = finished
    test = data.load_digits().test
    images = test.to_input(test.images)
    for name in ("teacher", "student_scratch", "student_distilled"):
        graph, facts = train.load_float_model(directory / report["files"][name])
        assert train.evaluate(graph, test).accuracy == report[name]["accuracy"]
        assert graph.count_parameters() == report[name]["params"]
        assert facts["dataset"] == "digits"
    graph = infer.load_model(directory / report["files"]["int8"])
    spec = infer.run(graph, images)
    int8 = report["int8"]
    accuracy = (spec.argmax(axis=1) == test.labels).mean()
    assert int8["accuracy"] == int8["accuracy_spec"] == int8["accuracy_fakequant"] == accuracy
    np.testing.assert_array_equal(infer.Engine(graph).run(images), spec)
    assert int8["bit_exact_spec_vs_c"] is (True if kernels.core_available() else None)
    assert int8["bit_exact_fakequant"] is True
    assert int8["bytes"] < report["student_distilled"]["bytes"] / 2
    assert graph.source_digest == train.digest_of(
        train.load_float_model(directory / "student_distilled.safetensors")[0]
    )


def test_the_report_has_every_promised_key(finished: tuple[Path, dict]) -> None:
    """The keys that scripts rely on, and the file beside the models."""
    directory, report = finished
    assert json.loads((directory / "report.json").read_text()) == report
    assert {"dataset", "seed", "seconds", "peak_memory_bytes", "machine"} <= report.keys()
    for network in ("teacher", "student_scratch", "student_distilled", "int8"):
        assert {"accuracy", "params", "bytes", "macs"} <= report[network].keys()
        assert report[network]["us_per_image"] > 0
    assert report["float"]["us_per_image"] > 0
    if kernels.core_available():
        assert report["int8"]["arena_bytes"] > 0
    peak = report["peak_memory_bytes"]
    assert peak is None or peak > 2**20


def test_the_quantization_spec_is_kept(finished: tuple[Path, dict]) -> None:
    """With it the distilled student gives, number by number, the integer network that was saved."""
    directory, report = finished
    kept = json.loads((directory / report["files"]["quant_spec"]).read_text())
    spec = quant.QuantSpec.from_dict(kept)
    assert spec.to_dict() == kept
    student, _ = train.load_float_model(directory / report["files"]["student_distilled"])
    saved = infer.load_model(directory / report["files"]["int8"])
    made = quant.lower(
        quant.fold_batch_norm(student),
        spec,
        report["int8"]["rule"],
        source_digest=saved.source_digest,
        metadata=saved.metadata,
    )
    infer.save_model(directory / "made", made)
    file = directory / report["files"]["int8"]
    assert (directory / "made").read_bytes() == file.read_bytes()


def test_resuming_a_finished_job_changes_no_bit(finished: tuple[Path, dict]) -> None:
    """Nothing is trained again, and every file is the same."""
    directory, _ = finished
    before = {path: path.read_bytes() for path in directory.rglob("*.safetensors")}
    run(Job(epochs=1), directory, resume=True)
    assert {path: path.read_bytes() for path in directory.rglob("*.safetensors")} == before


def test_threads_change_no_bit(finished: tuple[Path, dict], tmp_path: Path) -> None:
    """One thread writes the same models as two."""
    directory, report = finished
    run(Job(epochs=1, threads=1), tmp_path)
    for name in report["files"].values():
        if name.endswith(".safetensors"):
            assert (tmp_path / name).read_bytes() == (directory / name).read_bytes()


def test_another_job_does_not_resume_this_one(finished: tuple[Path, dict]) -> None:
    """A different seed is a different run, and the message says so."""
    with pytest.raises(CheckpointError, match="seed"):
        run(Job(epochs=1, seed=1), finished[0], resume=True)


def test_a_job_that_cannot_be_planned_leaves_nothing(tmp_path: Path) -> None:
    """A mistyped dataset makes no folder."""
    with pytest.raises(DatasetError):
        run(Job(data="digit"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_replacement_can_be_resumed(tmp_path: Path) -> None:
    """A new job in an old folder, stopped after its teacher: old students are not in the way."""
    run(Job(epochs=1), tmp_path)

    def interrupt(title: str) -> Reporter:
        if title == "student_scratch":
            raise KeyboardInterrupt
        return Reporter()

    job = Job(epochs=1, seed=1)
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path, reporter=interrupt)
    assert run(job, tmp_path, resume=True)["seed"] == 1


@pytest.mark.parametrize("rule", ["double_rounding", "float32_rne"])
def test_every_rule_and_scheme_stays_exact(rule: str, tmp_path: Path) -> None:
    """Other rules, per-tensor weights and percentile ranges are as exact as the default."""
    job = Job(epochs=1, labels=50, rule=rule, observer="percentile", weights="per_tensor")
    report = run(job, tmp_path)
    assert report["labels"] == 50
    assert report["int8"]["rule"] == rule
    assert report["int8"]["bit_exact_fakequant"] is True
    assert report["int8"]["bit_exact_spec_vs_c"] is not False
