"""``kdq prove``: what holds for every input of an integer model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kdq_ref import intref, kernels
from kdq_ref.cli import options, output
from kdq_ref.cli.dialect import Names
from kdq_ref.cli.image_file import read_images
from kdq_ref.cli.models import Model, load, splits_for
from kdq_ref.errors import DatasetError, InvalidArgumentError, UnsupportedError
from kdq_ref.infer import IntGraph, save_model
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.verify import dialects, oracles
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Network
from kdq_ref.verify.proofs import certificate, requantizations
from kdq_ref.verify.proofs.confirmation import confirm
from kdq_ref.verify.proofs.input_search import Search
from kdq_ref.verify.proofs.pair_sums import PAIRED, runtime_codes
from kdq_ref.verify.proofs.reach import Reach, reach
from kdq_ref.verify.proofs.saturation import CERTIFIED, find

_IMAGES = 512
"""How many images of a test set the search starts from."""


@click.command("prove", short_help="Prove what holds for every input of an integer model.")
@click.argument("model", type=options.FILE)
@click.option(
    "--isa",
    "isas",
    metavar="A,B",
    help="Instruction sets whose requantization is checked.  [default: all that run here]",
)
@click.option(
    "--runtime",
    "runtimes",
    type=Names(tuple(PAIRED)),
    help=f"Dialects of {', '.join(PAIRED)}: one that can saturate is an error.  "
    "[default: all, for information]",
)
@click.option(
    "--images", type=options.FILE, help="Images that the search for witnesses starts from."
)
@options.data_option(None)
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True, help="Of the search for witnesses."
)
@click.option("--no-store", is_flag=True, help="Leave the model file as it is.")
@options.threads_option
@options.json_option
@options.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    isas: str | None,
    runtimes: tuple[str, ...] | None,
    images: Path | None,
    data: str | None,
    seed: int,
    no_store: bool,
    threads: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prove, for every input of an integer model: which accumulators every channel can reach, and
    where they leave what float32 holds exactly; that the kernels of this machine requantize each
    of them as the specification says, tried one by one; and, for runtimes that add products in
    pairs of int16, that no input saturates a layer, or an input that does.

    A runtime that is installed is run on each finding. The certificate goes into the model file,
    with a digest of what was proven; kdq info says whether it still holds.

    Exit code 1 if something is refuted: a kernel that differs, a runtime that contradicts its
    dialect, or a runtime asked for with --runtime that can saturate.

    \b
    Examples:
      kdq prove runs/digits-seed0/student_int8.safetensors
      kdq prove MODEL --runtime onnxruntime-avx2-default --no-store
      kdq prove MODEL --images images.npy --json
    """
    loaded = load(model)
    graph = loaded.graph
    if not isinstance(graph, IntGraph):
        raise click.UsageError(f"{model} is a float model: quantize it first, kdq quantize")
    chosen = _chosen_isas(isas)
    codes = _codes(loaded, graph, images, data)
    with _progress(quiet) as bar:
        found = reach(graph)
        checked = _requantizations(graph, found, chosen, threads, bar)
        answers = _runtimes(graph, runtimes or tuple(PAIRED), codes, seed, bar)
    proven = certificate.certify(
        graph, certificate.describe_accumulators(graph, found), checked, answers
    )
    if not no_store:
        save_model(model, certificate.attach(graph, proven))
    refuted = _refuted(proven, runtimes or ())
    report = {"model": str(model), "stored": not no_store, "seed": seed, "refuted": refuted}
    report["images"] = 0 if codes is None else len(codes)
    if as_json:
        output.print_json(report | {"certificate": proven})
    else:
        _show(report, proven)
    ctx.exit(1 if refuted else 0)


def _chosen_isas(isas: str | None) -> tuple[str, ...]:
    if isas is None:
        return kernels.available_isas() if kernels.core_available() else ()
    names = tuple(dict.fromkeys(name.strip() for name in isas.split(",") if name.strip()))
    if not names:
        raise click.UsageError(f"--isa {isas!r} names no instruction set.")
    for name in names:
        kernel_for(name)
    return names


def _codes(
    model: Model, graph: IntGraph, images: Path | None, data: str | None
) -> np.ndarray | None:
    """Codes that the search starts from; without any asked for, the model's own data if it is here.

    Raises
    ------
    click.UsageError, DatasetError, InvalidArgumentError
    """
    if images is not None and data is not None:
        raise click.UsageError("give --images or --data, not both")
    if images is not None:
        x = read_images(images, graph.input_shape, graph.metadata.get("pixel_scale"), integer=True)
    else:
        try:
            test = splits_for(model, data).test
        except (click.UsageError, DatasetError, InvalidArgumentError):
            if data is not None:
                raise
            return None
        x = test.to_input(test.images[:_IMAGES])
    if x.dtype == np.int8:
        return x
    return intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)


def _requantizations(
    graph: IntGraph, found: Reach, isas: tuple[str, ...], threads: int, bar: Progress
) -> dict[str, Any]:
    total = requantizations.count(graph, found)
    task = bar.add_task("requantization", total=total if isas else 0)
    checked = requantizations.check(
        graph,
        found,
        isas,
        threads=threads,
        progress=lambda done: bar.advance(task, done),
    )
    return certificate.describe_checked(checked)


def _runtimes(
    graph: IntGraph,
    names: tuple[str, ...],
    codes: np.ndarray | None,
    seed: int,
    bar: Progress,
) -> dict[str, Any]:
    """By dialect: what is known of each layer, or why nothing is."""
    try:
        network = network_of(graph)
    except UnsupportedError as fault:
        return {name: {"refused": str(fault), "layers": []} for name in names}
    return {name: _runtime(graph, network, name, codes, seed, bar) for name in names}


def _runtime(
    graph: IntGraph,
    network: Network,
    name: str,
    codes: np.ndarray | None,
    seed: int,
    bar: Progress,
) -> dict[str, Any]:
    dialect = dialects.get_dialect(name)
    oracle = oracles.get_oracle(dialect.runtime)
    task = bar.add_task(name, total=len(network.nodes))

    def report(layer: str) -> None:
        done = [node.name for node in network.nodes].index(layer)
        bar.update(task, description=f"{name}: {layer}", completed=done)

    ranges = runtime_codes(network.stored_as(dialect.storage), name)
    sources = {node.name: node.inputs[0] for node in network.nodes}
    layers = []
    try:
        for finding in find(graph, network, dialect, codes, Search(seed), report):
            inputs = ranges[sources[finding.layer]]
            answer = confirm(finding, network, dialect, oracle, inputs, seed)
            layers.append(certificate.describe_finding(finding, answer))
    except UnsupportedError as fault:
        return {"refused": str(fault), "layers": layers}
    return {"refused": "", "layers": layers}


def _refuted(proven: dict[str, Any], asked: tuple[str, ...]) -> list[str]:
    """What is refuted, a line each."""
    lines = [
        f"{m['layer']}, channel {m['channel']}: {m['isa']} makes {m['got']} of accumulator "
        f"{m['accumulator']}, the specification {m['expected']}"
        for m in proven["requantization"]["mismatches"]
    ]
    for name, answer in proven["runtimes"].items():
        for layer in answer["layers"]:
            if layer["confirmed"] is False:
                lines.append(f"{name}, {layer['layer']}: {layer['runtime']} contradicts it")
            if name in asked and layer["verdict"] != CERTIFIED:
                lines.append(f"{name}, {layer['layer']}: {layer['reason']}")
        if name in asked and answer["refused"]:
            lines.append(f"{name}: {answer['refused']}")
    return lines


def _show(report: dict[str, Any], proven: dict[str, Any]) -> None:
    output.print_table(
        ("layer", "accumulators", "codes", "channels beyond 2^24"),
        [
            [
                entry["layer"],
                f"[{entry['lowest']:,}, {entry['highest']:,}]",
                "[{}, {}]".format(*entry["codes"]),
                str(len(entry["inexact_in_float32"])),
            ]
            for entry in proven["accumulators"]
        ],
        f"what {report['model']} can reach",
    )
    rows = [
        [
            layer["layer"],
            name,
            layer["verdict"],
            "[{:,}, {:,}]".format(*layer["pair_sums"]),
            output.count(layer["suspects"]),
            _confirmed(layer),
        ]
        for name, answer in proven["runtimes"].items()
        for layer in answer["layers"]
    ]
    if rows:
        columns = ("layer", "runtime", "verdict", "pair sums", "may leave int16", "confirmed")
        output.print_table(columns, rows)
    for name, answer in proven["runtimes"].items():
        for layer in answer["layers"]:
            if layer.get("witness", {}).get("pair"):
                text, element = (layer["witness"]["pair"][key] for key in ("text", "element"))
                place = ", ".join(map(str, element[1:]))
                output.print_line(f"{name}: {layer['layer']}[{place}] {text}")
        if answer["refused"]:
            output.print_line(f"{name}: not decided: {answer['refused']}")
    checked = proven["requantization"]
    compared = (
        f"{checked['accumulators']:,} accumulators of {checked['distinct']} channels, each on "
        f"{', '.join(checked['isas'])}: {len(checked['mismatches']) or 'no'} channels differ"
    )
    facts = {
        "requantization": compared if checked["isas"] else output.agreement(None),
        "digest": proven["digest"],
        "certificate": f"stored in {report['model']}" if report["stored"] else "not stored",
    }
    output.print_facts(facts)
    for line in report["refuted"]:
        output.print_line(f"refuted: {line}")


def _confirmed(layer: dict[str, Any]) -> str:
    if layer["confirmed"] is None:
        return layer["note"] or "not run"
    if not layer["confirmed"]:
        return f"CONTRADICTED by {layer['runtime']}"
    differing, outputs = output.count(layer["differing"]), output.count(layer["outputs"])
    alone = " (the layer alone)" if layer["note"] else ""
    return f"{layer['runtime']}: {differing} of {outputs} codes saturate{alone}"


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    )
