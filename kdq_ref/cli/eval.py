"""``kdq eval``: accuracy and speed of a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from kdq_ref import infer
from kdq_ref.cli import options, output, sample
from kdq_ref.cli.models import check_isa, choose_split, load, splits_for
from kdq_ref.data import Dataset
from kdq_ref.errors import KdqError
from kdq_ref.infer import IntGraph
from kdq_ref.nn import Graph
from kdq_ref.pipeline.measure import BATCH, us_per_image
from kdq_ref.train import evaluate


@click.command("eval", short_help="Measure accuracy and speed of a float or integer model.")
@click.argument("model", type=options.FILE)
@options.data_option(None)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
)
@click.option(
    "--count",
    type=options.POSITIVE,
    metavar="N",
    help="Only the first N images of the split.  [default: all]",
)
@sample.seed_option
@click.option("--spec", is_flag=True, help="Integer model: run the NumPy definition instead.")
@click.option("--compare", is_flag=True, help="Integer model: run both, compare every code.")
@options.isa_option
@options.threads_option
@options.json_option
def command(
    model: Path,
    data: str | None,
    split: str,
    count: int | None,
    seed: int | None,
    spec: bool,
    compare: bool,
    isa: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Measure a model on labelled images: accuracy, and microseconds per image in batches.

    The file says whether it is a float or an integer model. With --compare the exit code is 1 if
    any code differs.

    \b
    Examples:
      kdq eval runs/digits-seed0/teacher.safetensors
      kdq eval runs/digits-seed0/student_int8.safetensors --compare
      kdq eval MODEL --split train --count 1000 --seed 1
      KDQ_ISA=scalar kdq eval MODEL --threads 1
    """
    if seed is not None and count is None:
        raise click.UsageError("--seed draws which images are measured: say how many, --count")
    if spec and (compare or isa is not None):
        raise click.UsageError("--spec runs without C: it excludes --compare and --isa")
    loaded = load(model)
    if not isinstance(loaded.graph, IntGraph) and (spec or compare or isa is not None):
        raise click.UsageError(f"{model} is a float model: --spec, --compare, --isa need integers")
    if isinstance(loaded.graph, IntGraph) and not spec:
        check_isa(isa)
    dataset = choose_split(splits_for(loaded, data), split)
    if count is not None:
        dataset = dataset.subset(sample.choose(len(dataset), count, seed, option="--count"))
    report = {
        "model": str(model),
        "kind": loaded.kind,
        "dataset": dataset.name,
        "split": split,
        "images": len(dataset),
        "seed": seed,
        **(
            _measure_float(loaded.graph, dataset, threads)
            if isinstance(loaded.graph, Graph)
            else _measure_integers(
                loaded.graph, dataset, spec=spec, compare=compare, isa=isa, threads=threads
            )
        ),
    }
    if as_json:
        output.print_json(report)
    else:
        show(report)
    if report.get("bit_exact_spec_vs_c") is False:
        raise KdqError("the C kernels differ from the NumPy specification; please report this")


def _measure_float(graph: Graph, dataset: Dataset, threads: int) -> dict[str, Any]:
    measured = evaluate(graph, dataset, threads=threads)
    batch = dataset.subset(slice(BATCH))
    return {
        "accuracy": measured.accuracy,
        "loss": measured.loss,
        # The network as it stands, batch norm not folded, in one thread.
        "threads": 1,
        "us_per_image": us_per_image(graph, batch.to_input(batch.images)),
        "params": graph.count_parameters(),
        "macs": graph.macs(),
    }


def _measure_integers(
    graph: IntGraph, dataset: Dataset, *, spec: bool, compare: bool, isa: str | None, threads: int
) -> dict[str, Any]:
    images = dataset.to_input(dataset.images)
    facts: dict[str, Any] = {
        "rule": graph.rule.name,
        "params": graph.count_parameters(),
        "macs": graph.macs(),
    }

    def accuracy(codes: np.ndarray) -> float:
        return float((codes.argmax(axis=1) == dataset.labels).mean())

    def defined(x: np.ndarray) -> np.ndarray:
        return infer.run(graph, x)

    if spec:
        return facts | {
            "backend": "spec",
            "isa": "numpy",
            "threads": 1,
            "accuracy": accuracy(defined(images)),
            "us_per_image": us_per_image(defined, images[:BATCH]),
        }
    engine = infer.Engine(graph, isa=isa, threads=threads)
    codes = engine.run(images)
    facts |= {
        "backend": engine.backend,
        "isa": engine.isa,
        "threads": threads,
        "accuracy": accuracy(codes),
        "us_per_image": us_per_image(engine.run, images[:BATCH]),
        "arena_bytes": engine.arena_bytes,
    }
    if compare:
        wanted = defined(images)
        facts |= {
            "accuracy_spec": accuracy(wanted),
            "us_per_image_spec": us_per_image(defined, images[:BATCH]),
            # Without the C core the engine is the specification: nothing was compared.
            "bit_exact_spec_vs_c": (
                bool(np.array_equal(codes, wanted)) if engine.backend == "c" else None
            ),
        }
    return facts


def show(report: dict[str, Any]) -> None:
    """Print one row per fact."""
    drawn = sample.remark(report["seed"])
    facts = {
        f"{report['kind']} model": report["model"],
        "images": f"{report['images']:,} ({report['dataset']}, {report['split']}){drawn}",
        "accuracy": output.percent(report["accuracy"]),
        "µs per image": f"{output.micros(report['us_per_image'])} (threads: {report['threads']})",
        "parameters": output.count(report["params"]),
        "MACs per image": output.count(report["macs"]),
    }
    if report["kind"] == "integer":
        by_c = report["backend"] == "c"
        facts["run by"] = f"C ({report['isa']})" if by_c else "NumPy specification"
        facts["rule"] = report["rule"]
    if "bit_exact_spec_vs_c" in report:
        exact = report["bit_exact_spec_vs_c"]
        facts["accuracy by NumPy spec"] = output.percent(report["accuracy_spec"])
        facts["µs per image by NumPy spec"] = output.micros(report["us_per_image_spec"])
        facts["C = NumPy spec, bit for bit"] = output.agreement(exact)
    output.print_facts(facts)
