"""``kdq quantize``: from a float model to an integer model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdq_ref import infer
from kdq_ref.cli import options, output, sample
from kdq_ref.cli.models import Model, splits_for
from kdq_ref.pipeline import recipe_for
from kdq_ref.pipeline.network import quantize_network
from kdq_ref.train import load_float_model


@click.command("quantize", short_help="Turn a float model into an integer model.")
@click.argument("model", type=options.FILE)
@options.data_option(None)
@click.option(
    "--samples",
    type=options.POSITIVE,
    metavar="N",
    help="Calibrate on the first N training images.  [default: the dataset's recipe]",
)
@sample.seed_option
@options.observer_option
@options.weights_option
@options.rule_option
@click.option("--out", type=options.FILE, metavar="FILE", help="[default: MODEL_int8.safetensors]")
@options.json_option
def command(
    model: Path,
    data: str | None,
    samples: int | None,
    seed: int | None,
    observer: str,
    weights: str,
    rule: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Fold batch norm into its neighbours, choose scales on training images, prove every
    accumulator bound, and write the integer network. Nothing here is random without --seed, which
    the file then names.

    \b
    Examples:
      kdq quantize runs/digits-seed0/student_distilled.safetensors
      kdq quantize MODEL --weights per_tensor --observer percentile --out small.safetensors
      kdq quantize MODEL --samples 200 --seed 1
    """
    graph, metadata = load_float_model(model)
    splits = splits_for(Model(model, graph, metadata), data)
    train = splits.train
    chosen = sample.choose(
        len(train), samples or recipe_for(splits).calibration, seed, option="--samples"
    )
    origin: dict[str, Any] = {name: metadata[name] for name in ("zoo", "seed") if name in metadata}
    if seed is not None:
        # "seed" is that of the float model's training.
        origin |= {"calibration_seed": seed, "calibration_samples": len(chosen)}
    _, spec, integers = quantize_network(
        graph,
        train.subset(chosen),
        origin,
        samples=len(chosen),
        observer=observer,
        weights=weights,
        rule=rule,
    )
    target = out or model.with_name(f"{model.stem}_int8.safetensors")
    infer.save_model(target, integers)
    report = {
        "model": str(model),
        "out": str(target),
        "dataset": train.name,
        "samples": len(chosen),
        "calibration_seed": seed,
        "rule": integers.rule.name,
        "observer": spec.observer,
        "weights": spec.granularity,
        "layers": len(integers.nodes),
        "params": integers.count_parameters(),
        "macs": integers.macs(),
        "file_bytes": target.stat().st_size,
        "source_digest": integers.source_digest,
    }
    if as_json:
        output.print_json(report)
    else:
        show(report)


def show(report: dict[str, Any]) -> None:
    """Print what was written."""
    observer, drawn = report["observer"], sample.remark(report["calibration_seed"])
    output.print_facts(
        {
            "float model": report["model"],
            "integer model": f"{report['out']} ({report['file_bytes']:,} bytes)",
            "calibrated on": (
                f"{report['samples']:,} training images of {report['dataset']}{drawn}"
            ),
            "observer": ", ".join(str(value) for value in observer.values()),
            "weights": report["weights"],
            "rule": report["rule"],
            "layers": str(report["layers"]),
            "parameters": output.count(report["params"]),
            "MACs per image": output.count(report["macs"]),
        }
    )
