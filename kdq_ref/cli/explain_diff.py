"""``kdq explain-diff``: the first integer that two dialects compute differently, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output, sample
from kdq_ref.cli.image_file import read_images
from kdq_ref.cli.models import load, splits_for
from kdq_ref.infer import IntGraph
from kdq_ref.verify.dialects import NAMES
from kdq_ref.verify.dialects.kdq_rules import RULE_NAMES, dialect_or_rule
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.parting import Parting, first_parting

_DEFAULT_COUNT = 10
_DIALECT = click.Choice([*NAMES, *RULE_NAMES])


@click.command("explain-diff", short_help="Where two dialects part first on an input, and why.")
@click.argument("first", type=_DIALECT, metavar="A")
@click.argument("second", type=_DIALECT, metavar="B")
@click.option("--model", type=options.FILE, required=True, help="An integer model.")
@click.option(
    "--input", "images", type=options.FILE, help="Images: idx or .npy, as in kdq predict."
)
@options.data_option(None)
@click.option(
    "--count",
    type=options.POSITIVE,
    metavar="N",
    help=f"Only the first N images.  [default: all of a file, {_DEFAULT_COUNT} of a test set]",
)
@sample.seed_option
@options.json_option
def command(
    first: str,
    second: str,
    model: Path,
    images: Path | None,
    data: str | None,
    count: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Run two dialects over an integer model and print the first value, and its first element, at
    which they part: the integers behind it, what either makes of them, and the reason in words.
    The second dialect computes every value from what the first one computed before it.

    A and B are dialects (kdq dialect list) or rounding rules (kdq rules): kdq itself under that
    rule. Reals are quantized by either dialect.

    \b
    Examples:
      kdq explain-diff onnxruntime onnxruntime-avx2-default --model MODEL
      kdq explain-diff single_rounding double_rounding --model MODEL --input images.npy
    """
    if images is not None and data is not None:
        raise click.UsageError("give --input or --data, not both")
    loaded = load(model)
    if not isinstance(loaded.graph, IntGraph):
        raise click.UsageError(f"{model} is a float model: quantize it first, kdq quantize")
    if images is None:
        test = splits_for(loaded, data).test
        chosen = sample.choose(len(test), count or _DEFAULT_COUNT, seed, option="--count")
        x = test.to_input(test.images[chosen])
    else:
        scale = loaded.metadata.get("pixel_scale")
        x = read_images(images, loaded.graph.input_shape, scale, integer=True)
        chosen = sample.choose(len(x), count or len(x), seed, option="--count")
        x = x[chosen]
    a, b = dialect_or_rule(first), dialect_or_rule(second)
    parting, outcome = first_parting(network_of(loaded.graph), a, b, x)
    report: dict[str, Any] = {"model": str(model), "a": first, "b": second, "images": len(x)}
    report |= {"output": outcome, "parting": None}
    if parting is not None:
        place = int(chosen[parting.element[0]]), *parting.element[1:]
        report["parting"] = vars(parting) | {"element": place}
    if as_json:
        output.print_json(report)
    else:
        _show(report, parting)


def _show(report: dict[str, Any], parting: Parting | None) -> None:
    a, b, images = report["a"], report["b"], output.count(report["images"])
    if parting is None:
        output.print_line(f"{a} and {b} agree in every value of {images} images")
        return
    image, *place = report["parting"]["element"]
    outcome = report["output"]
    facts = {
        "first parting": f"{parting.value}{place} ({parting.operator}), image {image}",
        a: str(parting.codes[0]),
        b: str(parting.codes[1]),
        **parting.numbers,
        "differing there": f"{parting.differing:,} of {parting.elements:,}",
        "differing outputs": f"{outcome['differing']:,} of {outcome['elements']:,}",
    }
    if "classes_changed" in outcome:
        facts["classes changed"] = f"{outcome['classes_changed']:,} of {images}"
    output.print_facts(facts)
    for reason in parting.reasons:
        output.print_line(f"because {reason}")
