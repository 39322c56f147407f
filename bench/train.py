"""A training step beside PyTorch eager: same network, batch, optimizer and number of threads.

A step is forward, cross-entropy, backward and an SGD step with Nesterov momentum and weight decay,
on 128 images. We run micro-batches on our own threads with a single-threaded BLAS, as
:func:`kdq_ref.train.fit` does; PyTorch runs the whole batch with ``torch.set_num_threads``. Batch
norm therefore sees a micro-batch with us and 128 images there; the work per image is equal.

First both are shown to compute the same thing: from equal weights, the gradients of one micro-batch
agree to float32 accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.report import Line, Options, machine, progress
from bench.timing import interleave
from kdq_ref import losses, nn, optim, zoo
from kdq_ref.data import DIGIT_CLASSES, Dataset
from kdq_ref.distill import Workers
from kdq_ref.train import HardLabels, TrainConfig
from kdq_ref.train.gradient import batch_gradient
from kdq_ref.train.task import make_task

BATCH = 128
SECONDS = 0.15
"""Of one turn: a few steps."""
MAX_GRADIENT_DIFFERENCE = 1e-4
# Network, and images per micro-batch: large layers want large products, images want the cache.
CASES = {"mlp 784-1200-1200-10": ("mlp", 64), "two-conv CNN": ("two-conv", 32)}
_OPTIONS = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
_LR = 0.01


def network(name: str) -> nn.Graph:
    """Build a case's network; dropout is left out, since its draws cannot be made equal."""
    rng = np.random.default_rng(0)
    if name == "two-conv":
        layers: list[nn.Layer] = []
        for c_in, c_out in ((1, 16), (16, 32)):
            conv = nn.Conv2d(c_in, c_out, 3, bias=False, rng=rng)
            layers += [conv, nn.BatchNorm(c_out), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(
            (28, 28, 1), [*layers, nn.Flatten(), nn.Dense(7 * 7 * 32, 10, rng=rng)]
        )
    graph = zoo.build(name, rng)
    kept = [(n.name, n.layer) for n in graph.nodes if not isinstance(n.layer, nn.Dropout)]
    return nn.Sequential(graph.input_shape, kept)


def our_step(
    graph: nn.Graph, dataset: Dataset, threads: int, micro_batch: int
) -> Callable[[], Any]:
    """Return one step of ours as a call."""
    config = TrainConfig(
        epochs=1,
        batch_size=BATCH,
        optimizer_options=_OPTIONS,
        micro_batch=micro_batch,
        threads=threads,
    )
    task = make_task(graph, dataset, None, config, HardLabels(), None, None)
    optimizer = optim.SGD(**_OPTIONS)  # type: ignore[arg-type]
    workers = Workers(threads)
    indices = np.arange(BATCH)

    def step() -> None:
        gradient = batch_gradient(task, workers, indices, 0)
        optimizer.update(graph.parameters(), gradient.grads, _LR)
        graph.update_statistics(gradient.tapes)

    return step


def torch_network(graph: nn.Graph) -> Any:
    """Build the same network in PyTorch, with the same weights."""
    import torch

    layers: list[Any] = []
    channels: int | None = None
    for node in graph.nodes:
        layer = node.layer
        if isinstance(layer, nn.Dense):
            twin = torch.nn.Linear(*layer.params["w"].shape)
            weight = layer.params["w"].T
            if channels is not None:  # their flatten has channels first
                weight = weight.reshape(len(weight), -1, channels).swapaxes(1, 2)
                channels = None
            twin.weight.data = torch.tensor(weight.reshape(twin.weight.shape).copy())
            twin.bias.data = torch.tensor(layer.params["b"])
            layers.append(twin)
        elif isinstance(layer, nn.Conv2d):
            weight = layer.params["w"].transpose(3, 2, 0, 1)
            channels = weight.shape[0]
            twin = torch.nn.Conv2d(weight.shape[1], channels, 3, padding=1, bias=False)
            twin.weight.data = torch.tensor(weight.copy())
            layers.append(twin)
        elif isinstance(layer, nn.BatchNorm):
            layers.append(torch.nn.BatchNorm2d(len(layer.params["gamma"])))
        elif isinstance(layer, nn.MaxPool2d):
            layers.append(torch.nn.MaxPool2d(2))
        elif isinstance(layer, nn.ReLU):
            layers.append(torch.nn.ReLU())
        else:
            layers.append(torch.nn.Flatten())
    return torch.nn.Sequential(*layers)


def torch_step(model: Any, images: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    """Return one step of PyTorch eager as a call."""
    import torch

    x, y = torch.tensor(images.transpose(0, 3, 1, 2).copy()), torch.tensor(labels)
    optimizer = torch.optim.SGD(model.parameters(), lr=_LR, **_OPTIONS)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def largest_difference(
    graph: nn.Graph, model: Any, images: np.ndarray, labels: np.ndarray
) -> float:
    """Largest difference of the first layer's gradients, relative to the largest gradient."""
    import torch

    logits, tape = graph.forward(images, training=True)
    _, grads = graph.backward(losses.cross_entropy(logits, labels)[1], tape)
    model.zero_grad()
    x = torch.tensor(images.transpose(0, 3, 1, 2).copy())
    torch.nn.functional.cross_entropy(model(x), torch.tensor(labels)).backward()
    first = next(name for name in graph.parameters() if name.endswith(".w"))
    ours = grads[first]
    theirs = next(model.parameters()).grad.numpy()
    axes = (2, 3, 1, 0) if theirs.ndim == 4 else (1, 0)
    return float(np.abs(theirs.transpose(axes) - ours).max() / np.abs(ours).max())


def lines(options: Options) -> Iterator[Line]:
    """Time every case, the two taking turns.

    Raises
    ------
    SystemExit
        If the two do not compute the same gradients.
    """
    import torch

    threads, protocol = options.threads, options.protocol()
    if not options.quick:
        protocol = replace(protocol, min_seconds=SECONDS)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (BATCH, 28, 28, 1)).astype(np.uint8)
    dataset = Dataset("noise", pixels, rng.integers(0, 10, BATCH), DIGIT_CLASSES, 255)
    images = dataset.to_input(pixels)
    for case, (name, micro_batch) in CASES.items():
        progress(f"train: {case}")
        graph = network(name)
        model = torch_network(graph)
        difference = largest_difference(graph, model, images[:32], dataset.labels[:32])
        if difference > MAX_GRADIENT_DIFFERENCE:
            raise SystemExit(f"{case}: the gradients of the two differ by {difference:.2g}")
        steps = (
            our_step(graph, dataset, threads, micro_batch),
            torch_step(model, images, dataset.labels),
        )
        ours, theirs = interleave(steps, protocol)
        yield {
            "subject": "train",
            "group": "train",
            "case": case,
            "peer": f"torch {torch.__version__} eager",
            "threads": threads,
            "micro_batch": micro_batch,
            "ours_s": ours.best,
            "peer_s": theirs.best,
            "ratio": theirs.best / ours.best,
            "ratio_median": theirs.median / ours.median,
            "gradient_difference": difference,
            **machine(),
        }
