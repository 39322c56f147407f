"""``kdq predict``: which class is it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from kdq_ref import infer, intref
from kdq_ref.cli import options, output, sample
from kdq_ref.cli.image_file import read_images
from kdq_ref.cli.models import Model, check_isa, load, splits_for
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.infer import IntGraph

_DEFAULT_COUNT = 10


@click.command("predict", short_help="Say which class images belong to.")
@click.argument("model", type=options.FILE)
@click.argument("images", type=options.FILE, required=False)
@options.data_option(None)
@click.option(
    "--count",
    type=options.POSITIVE,
    metavar="N",
    help=f"Only the first N images.  [default: all of a file, {_DEFAULT_COUNT} of a test set]",
)
@sample.seed_option
@options.isa_option
@options.json_option
def command(
    model: Path,
    images: Path | None,
    data: str | None,
    count: int | None,
    seed: int | None,
    isa: str | None,
    as_json: bool,
) -> None:
    """Print the class of each image with the network's outputs: logits, and codes of an integer
    model. Images are numbered from 0, by their place in the file or the test set.

    IMAGES is an idx file or a .npy file: uint8 pixels, float32 values, or int8 codes for an
    integer model. Without it, images of a dataset's test set are taken.

    \b
    Examples:
      kdq predict runs/digits-seed0/student_int8.safetensors --count 5
      kdq predict MODEL --count 5 --seed 1    five drawn at random
      kdq predict MODEL images.npy --json
      kdq predict MODEL t10k-images-idx3-ubyte.gz --count 100
    """
    if images is not None and data is not None:
        raise click.UsageError("give IMAGES or --data, not both")
    if images is not None and seed is not None and count is None:
        raise click.UsageError("--seed draws which images of the file are taken: give --count")
    loaded = load(model)
    if isinstance(loaded.graph, IntGraph):
        check_isa(isa)
    elif isa is not None:
        raise click.UsageError(f"{model} is a float model: --isa needs an integer model")
    labels = None
    if images is None:
        test = splits_for(loaded, data).test
        chosen = sample.choose(len(test), count or _DEFAULT_COUNT, seed, option="--count")
        x, labels = test.to_input(test.images[chosen]), test.labels[chosen]
    else:
        x = read_images(
            images,
            loaded.graph.input_shape,
            loaded.metadata.get("pixel_scale"),
            integer=loaded.kind == "integer",
        )
        chosen = sample.choose(len(x), count or len(x), seed, option="--count")
        x = x[chosen]
    report = {
        "model": str(model),
        "kind": loaded.kind,
        "images": len(chosen),
        "seed": seed,
        "predictions": predict(loaded, x, labels, isa=isa, numbers=chosen),
    }
    if as_json:
        output.print_json(report)
    else:
        show(report)


def predict(
    model: Model,
    x: np.ndarray,
    labels: np.ndarray | None,
    *,
    isa: str | None,
    numbers: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Run the network; return one JSON-able entry per image.

    `numbers` are the images' places in what they were taken from; by default they are all of it.

    Raises
    ------
    InvalidArgumentError
        If the network does not end in one value per class.
    """
    if len(model.output_shape) != 1:
        raise InvalidArgumentError(
            f"{model.path} maps an image to {model.output_shape}, not to one value per class"
        )
    graph, codes = model.graph, None
    if isinstance(graph, IntGraph):
        codes = infer.Engine(graph, isa=isa).run(x)
        logits = intref.dequantize(
            codes, scale=graph.output_scale, zero_point=graph.output_zero_point
        )
    else:
        logits = graph(x)
    answers = (logits if codes is None else codes).argmax(axis=1)
    entries = []
    for number, answer in enumerate(answers.tolist()):
        entry = {
            "image": number if numbers is None else int(numbers[number]),
            "class": answer,
            "name": model.classes[answer],
            "logits": [float(value) for value in logits[number]],
        }
        if codes is not None:
            entry["codes"] = codes[number].tolist()
        if labels is not None:
            entry["label"] = int(labels[number])
            entry["label_name"] = model.classes[entry["label"]]
        entries.append(entry)
    return entries


def show(report: dict[str, Any]) -> None:
    """Print one row per image."""
    entries = report["predictions"]
    known = any("label" in entry for entry in entries)
    integer = report["kind"] == "integer"
    columns = ["image", "class", *(["label"] if known else []), "codes" if integer else "logits"]
    rows = []
    for entry in entries:
        values = (
            " ".join(f"{code:4d}" for code in entry["codes"])
            if integer
            else " ".join(f"{logit:6.2f}" for logit in entry["logits"])
        )
        label = [entry["label_name"]] if known else []
        rows.append([str(entry["image"]), entry["name"], *label, values])
    output.print_table(columns, rows)
