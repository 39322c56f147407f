"""Each stage reports to its own display and leaves its own folder."""

from __future__ import annotations

from pathlib import Path

from kdq_ref.pipeline import Job
from kdq_ref.pipeline.job import prepare
from kdq_ref.pipeline.stages import train_all
from kdq_ref.train import Reporter


def test_three_stages_in_order(tmp_path: Path) -> None:
    """Teacher first; histories and checkpoints beside the final weights."""
    titles: list[str] = []

    def reporter(title: str) -> Reporter:
        titles.append(title)
        return Reporter()

    networks = train_all(prepare(Job(epochs=1)), tmp_path, reporter=reporter)
    assert titles == ["teacher", "student_scratch", "student_distilled"]
    for title, network in zip(titles, networks, strict=True):
        assert network.file == tmp_path / f"{title}.safetensors"
        names = {path.name for path in (tmp_path / title).iterdir()}
        assert names == {"last.safetensors", "best.safetensors", "history.jsonl"}
        assert network.report()["bytes"] == 4 * network.graph.count_parameters()
