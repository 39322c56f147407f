"""Model files as the commands see them: float or integer, with what they say about themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kdq_ref import data, kernels
from kdq_ref.data import Dataset, Splits
from kdq_ref.errors import InvalidArgumentError, ModelFileError
from kdq_ref.files import kind_of
from kdq_ref.infer import IntGraph, load_model
from kdq_ref.infer.model_file import KIND as INTEGER
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.nn import Graph
from kdq_ref.train import load_float_model
from kdq_ref.train.float_model import KIND as FLOAT


@dataclass(frozen=True, eq=False)
class Model:
    """A network from a file.

    Attributes
    ----------
    path : Path
    graph : Graph or IntGraph
    metadata : dict
        What the file says about its origin; nothing in it is checked.
    """

    path: Path
    graph: Graph | IntGraph
    metadata: dict[str, Any]

    @property
    def kind(self) -> str:
        """``"float"`` or ``"integer"``."""
        return "integer" if isinstance(self.graph, IntGraph) else "float"

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result for one image."""
        if isinstance(self.graph, IntGraph):
            return self.graph.output_shape
        return self.graph.shapes()[self.graph.output]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes: the file's if it has the right number of them, else numbers."""
        count = self.output_shape[-1]
        names = self.metadata.get("classes")
        if isinstance(names, list) and len(names) == count:
            return tuple(str(name) for name in names)
        return tuple(str(number) for number in range(count))


def load(path: str | os.PathLike[str]) -> Model:
    """Read a float or an integer model; the file says which it is.

    Raises
    ------
    ModelFileError, CheckpointError
    """
    kind = kind_of(path, error=ModelFileError)
    if kind == INTEGER:
        integers = load_model(path)
        return Model(Path(path), integers, integers.metadata)
    if kind == FLOAT:
        graph, metadata = load_float_model(path)
        return Model(Path(path), graph, metadata)
    raise ModelFileError(
        path, f"holds {kind!r}, which is not a model; give a float model or an integer model"
    )


def splits_for(model: Model, source: str | None) -> Splits:
    """Load the dataset asked for, or the one that the model was made for, if it has a name.

    Raises
    ------
    click.UsageError
        If none was asked for and the model names none that we know.
    DatasetError, InvalidArgumentError
    """
    if source is None:
        source = model.metadata.get("dataset")
        if source not in data.NAMES:
            raise click.UsageError(f"{model.path} was made for {source!r}: say where it is, --data")
    splits = data.load(source)
    dataset = splits.test
    wanted = dataset.input_shape, (len(dataset.classes),)
    if (model.graph.input_shape, model.output_shape) != wanted:
        raise InvalidArgumentError(
            f"{model.path} maps images {model.graph.input_shape} to {model.output_shape}; "
            f"{dataset.name!r} has images {wanted[0]} of {wanted[1][0]} classes"
        )
    return splits


def choose_split(splits: Splits, name: str) -> Dataset:
    """Return the part of that name.

    Raises
    ------
    InvalidArgumentError
        If it is empty.
    """
    dataset: Dataset = getattr(splits, name)
    if not len(dataset):
        raise InvalidArgumentError(f"the {name} part of {dataset.name!r} is empty")
    return dataset


def check_isa(isa: str | None) -> None:
    """Raise KernelUnavailableError now if ``isa`` (or KDQ_ISA) cannot run, not after training."""
    if isa is not None or kernels.core_available():
        kernel_for(isa)
