"""The one container: a directed acyclic graph of named layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import GraphError, InvalidArgumentError
from kdq_ref.nn.layer import Gradients, Layer, Shape
from kdq_ref.nn.registry import layer_from_config
from kdq_ref.nn.state import check_state
from kdq_ref.nn.topology import INPUT, Node, as_input_shape, infer_shapes, sort_nodes


@dataclass
class Tape:
    """Record of one forward pass.

    Attributes
    ----------
    caches : dict of str to object
        What each layer's backward pass needs; `Graph.backward` consumes it.
    statistics : dict of str to object
        What `Graph.update_statistics` needs; small, kept.
    """

    caches: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)


class Graph:
    """A network: named nodes in topological order.

    Parameters
    ----------
    input_shape : sequence of int
        Of one example, without the batch axis. The input is the value named ``"input"``.
    nodes : iterable of Node
        In any order; kept as given where that is topological already.
    output : str, optional
        The node whose value is the result, by default the last one given.

    Raises
    ------
    GraphError
        Naming the node: unknown input, cycle, duplicate or malformed name, wrong number of
        inputs, shapes that clash, a layer in two places, a node that nothing uses.

    Examples
    --------
    >>> import numpy as np
    >>> from kdq_ref import nn
    >>> graph = nn.Graph((3,), [nn.Node("act", nn.ReLU(), ("input",))])
    >>> graph(np.array([[-1.0, 0.0, 2.0]]))
    array([[0., 0., 2.]])
    """

    def __init__(
        self, input_shape: Sequence[int], nodes: Iterable[Node], output: str | None = None
    ) -> None:
        given = tuple(nodes)
        if not given:
            raise GraphError("a graph needs at least one node")
        self.input_shape: Shape = as_input_shape(input_shape)
        self.output = given[-1].name if output is None else output
        self.nodes = sort_nodes(given, self.output)
        self._shapes = infer_shapes(self.input_shape, self.nodes)
        self._layers = {node.name: node.layer for node in self.nodes}
        self._last_reader = {name: node.name for node in self.nodes for name in node.inputs}

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of the node called `name`."""
        try:
            return self._layers[name]
        except KeyError:
            raise GraphError(f"no node is called {name!r}; nodes: {list(self._layers)}") from None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Inference: map x : (B, *input_shape) to the output's value."""
        value = x
        for name, result in self.values(x):
            if name == self.output:
                value = result
        return value

    def values(self, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every value of an inference pass, ``"input"`` first, in topological order.

        Parameters
        ----------
        x : (B, *input_shape) ndarray

        Yields
        ------
        name : str
        value : ndarray
            Not kept by the graph once its last reader has run.
        """
        values = {INPUT: self._check_input(x)}
        yield INPUT, values[INPUT]
        for node in self.nodes:
            values[node.name], _ = node.layer.forward(self._operands(node, values))
            yield node.name, values[node.name]

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Tape]:
        """Map x : (B, *input_shape) to the output's value and the record for `backward`.

        Parameters
        ----------
        x : ndarray
            Of the parameters' dtype.
        training : bool
            Batch statistics and dropout. Running statistics do not change here.
        rng : numpy.random.Generator, optional
            Needed for dropout in training; layers draw from it in topological order.

        Raises
        ------
        ShapeError, DTypeError
        """
        values = {INPUT: self._check_input(x)}
        tape = Tape()
        for node in self.nodes:
            operands = self._operands(node, values)
            values[node.name], cache = node.layer.forward(operands, training=training, rng=rng)
            tape.caches[node.name] = cache
            tape.statistics[node.name] = node.layer.statistics(cache)
        return values[self.output], tape

    def backward(
        self, dy: np.ndarray, tape: Tape, *, input_gradient: bool = False
    ) -> tuple[np.ndarray | None, Gradients]:
        """Gradients of a scalar loss, given its gradient with respect to the output.

        Parameters
        ----------
        dy : ndarray
            Of the output's shape.
        tape : Tape
            From `forward`. Its caches are freed on the way, so it serves once.
        input_gradient : bool
            Whether to compute the gradient with respect to the input.

        Returns
        -------
        dx : (B, *input_shape) ndarray or None
        grads : dict of str to ndarray
            With the keys of `parameters`.

        Raises
        ------
        InvalidArgumentError
            If the tape has been used already.
        """
        if len(tape.caches) != len(self.nodes):
            raise InvalidArgumentError(
                "this tape has no caches of this graph (any more): backward uses them up, "
                "run forward again"
            )
        upstream = {self.output: dy}
        grads: Gradients = {}
        for node in reversed(self.nodes):
            wanted = input_gradient or any(name != INPUT for name in node.inputs)
            dx, own = node.layer.backward(
                upstream.pop(node.name), tape.caches.pop(node.name), input_gradient=wanted
            )
            for key, value in own.items():
                grads[f"{node.name}.{key}"] = value
            if not wanted:
                continue
            parts = dx if len(node.inputs) > 1 else (dx,)
            for name, part in zip(node.inputs, parts, strict=True):
                upstream[name] = upstream[name] + part if name in upstream else part
        return upstream[INPUT] if input_gradient else None, grads

    def update_statistics(self, tapes: Iterable[Tape]) -> None:
        """Update running statistics from the training passes of one step's micro-batches."""
        tapes = list(tapes)
        for node in self.nodes:
            node.layer.update_statistics([tape.statistics[node.name] for tape in tapes])

    def shapes(self) -> dict[str, Shape]:
        """Shape of every value, ``"input"`` included, without the batch axis."""
        return dict(self._shapes)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the live parameters as ``{"node.param": array}``; writing to them trains."""
        return {
            f"{node.name}.{key}": value
            for node in self.nodes
            for key, value in node.layer.params.items()
        }

    def _state(self) -> dict[str, np.ndarray]:
        buffers = {
            f"{node.name}.{key}": value
            for node in self.nodes
            for key, value in node.layer.buffers.items()
        }
        return self.parameters() | buffers

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers."""
        return {key: value.copy() for key, value in self._state().items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Overwrite all parameters and buffers, or none of them.

        Raises
        ------
        InvalidArgumentError
            Missing or unexpected keys.
        ShapeError, DTypeError
            Naming the key.
        """
        live = self._state()
        for key, value in check_state(state, live).items():
            live[key][...] = value

    def count_parameters(self) -> int:
        """Trained numbers; running statistics do not count."""
        return sum(value.size for value in self.parameters().values())

    def macs(self) -> int:
        """Multiply-accumulates per example."""
        return sum(
            node.layer.macs(self._operands(node, self._shapes, keep=True)) for node in self.nodes
        )

    def astype(self, dtype: Any) -> Graph:
        """Return a copy with parameters and buffers of another float dtype."""
        nodes = [Node(node.name, node.layer.astype(dtype), node.inputs) for node in self.nodes]
        return Graph(self.input_shape, nodes, self.output)

    def copy(self) -> Graph:
        """Return a copy that shares no array with this graph."""
        nodes = [Node(node.name, node.layer.copy(), node.inputs) for node in self.nodes]
        return Graph(self.input_shape, nodes, self.output)

    def config(self) -> dict[str, Any]:
        """Describe the architecture, without weights, as JSON-able values."""
        nodes = [
            {
                "name": node.name,
                "layer": type(node.layer).__name__,
                "config": node.layer.config(),
                "inputs": list(node.inputs),
            }
            for node in self.nodes
        ]
        return {"input_shape": list(self.input_shape), "nodes": nodes, "output": self.output}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], rng: np.random.Generator) -> Graph:
        """Build the architecture that `config` describes, with fresh weights drawn from `rng`.

        Raises
        ------
        GraphError
            If `config` does not describe a network.
        """
        try:
            nodes = [
                Node(
                    entry["name"],
                    layer_from_config(entry["name"], entry["layer"], entry["config"], rng),
                    tuple(entry["inputs"]),
                )
                for entry in config["nodes"]
            ]
            return cls(config["input_shape"], nodes, config["output"])
        except (KeyError, TypeError) as error:
            raise GraphError(f"not the configuration of a graph: {error!r}") from error

    def _check_input(self, x: np.ndarray) -> np.ndarray:
        dtype = next((value.dtype for value in self.parameters().values()), None)
        return check_array("x", x, dtype=dtype, shape=(None, *self.input_shape))

    def _operands(self, node: Node, values: dict[str, Any], *, keep: bool = False) -> Any:
        """Return what `node` reads, letting go of values that nobody reads later."""
        found = tuple(values[name] for name in node.inputs)
        if not keep:
            for name in node.inputs:
                if self._last_reader[name] == node.name:
                    values.pop(name, None)
        return found if node.layer.inputs > 1 else found[0]
