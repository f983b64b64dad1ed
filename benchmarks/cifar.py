"""The networks that ``examples/cifar10/train.py`` trained, and a loop that trains them on as a user would write it.

They lie in subfolders of the folder that OCTAVO_CIFAR names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

import octavo
from benchmarks.workloads import data_folder
from octavo.datasets import load_dataset
from octavo.device.host import host_form
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.run.float_run import float_run, to_graph_layout
from octavo.run.sample_bytes import pack, unpack
from octavo.train import Teacher, Trainable, logit_loss

__all__ = ["BATCH", "Case", "cases", "cross_entropy", "integers_of", "simulated", "taught", "top1", "train"]

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "cifar10"
BATCH = 64

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]
Loss = Callable[[Trainable, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Case:
    """A trained float network, samples to calibrate on, the test images and the training images."""

    folder: Path

    @cached_property
    def graph(self) -> Graph:
        """The float network, with what its batch norms know."""
        from train import NETWORKS, SIDE  # type: ignore[import-not-found]

        network = NETWORKS[self.folder.name]()
        network.load_state_dict(load_file(self.folder / "weights.safetensors"))
        found = octavo.load(network.eval(), torch.zeros(1, 3, SIDE, SIDE))
        assert isinstance(found, Graph)
        return found

    @cached_property
    def calibration(self) -> Array:
        """200 training images."""
        return np.asarray(load_dataset(self.folder / "calibration.npz").inputs)

    @cached_property
    def test(self) -> tuple[Array, Array]:
        """Images and labels."""
        found = load_dataset(self.folder / "test.npz")
        return np.asarray(found.inputs), np.asarray(found.labels)

    @cached_property
    def float_top1(self) -> float:
        """Of all test images, in percent."""
        (name,), (images, labels) = self.graph.inputs, self.test
        parts = [
            next(iter(float_run(self.graph, {name: to_graph_layout(self.graph, name, images[i : i + 500])}).values()))
            for i in range(0, len(images), 500)
        ]
        return top1(torch.cat(parts).numpy(), labels)

    def batches(self, seed: int) -> Callable[[], Batches]:
        """Endless epochs of the training images, cropped and mirrored at random."""
        from train import batches, read_split, to_input  # type: ignore[import-not-found]

        training, generator = read_split(data_folder() / "cifar10/train.npz"), np.random.default_rng(seed)

        def epoch() -> Batches:
            for pixels, wanted in batches(training, BATCH, generator):
                yield to_input(pixels, torch.device("cpu")), torch.from_numpy(wanted)

        return epoch


def cases() -> list[Case]:
    """One for each subfolder; none, and a line that says so, where OCTAVO_CIFAR names no folder."""
    folder = os.environ.get("OCTAVO_CIFAR", "")
    if not folder:
        print("skipped: train networks with examples/cifar10/train.py and name the folder they are in in OCTAVO_CIFAR")
        return []
    sys.path.insert(0, str(EXAMPLES))
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return [Case(path.parent) for path in sorted(Path(folder).glob("*/model.onnx"))]


def cross_entropy(module: Trainable, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of the labels."""
    return nn.functional.cross_entropy(module(images), labels)


def taught(graph: Graph) -> Loss:
    """Cross entropy, and the divergence from what the float network answers."""
    teacher, (name,) = Teacher(graph), graph.inputs

    def loss_of(module: Trainable, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = module(images)
        known, _ = teacher({name: images.permute(graph.layouts[name])})
        return nn.functional.cross_entropy(logits, labels) + logit_loss(logits, known, 2.0)

    return loss_of


def train(
    module: Trainable,
    epoch: Callable[[], Batches],
    epochs: int,
    rate: float,
    loss_of: Loss = cross_entropy,
    after: Callable[[int], None] = lambda step: None,
) -> None:
    """Adam whose rate falls to zero along a cosine; ``after`` follows each step."""
    each = 50_000 // BATCH
    optimizer = torch.optim.Adam(module.parameter_groups(rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * each)
    module.train()
    for number in range(epochs):
        for step, (images, labels) in enumerate(epoch()):
            loss = loss_of(module, images, labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            after(number * each + step + 1)


def integers_of(quantized: Quantized, images: Array) -> tuple[Array, Array]:
    """The input's integers, and the first output's from the C for this machine, samples first."""
    model, (name,) = lower(quantized), quantized.graph.inputs
    x = model.encodings[name].quantize_input(to_graph_layout(quantized.graph, name, images))
    packed = pack(model.graph, model.graph.inputs, {name: x})
    with host_form(model) as host:
        outputs = unpack(model.graph, model.graph.outputs, host.run(packed))
    return x, outputs[model.graph.outputs[0]]


def simulated(module: Trainable, images: Array) -> Array:
    """The first output's integers as the module in training computes them."""
    with torch.inference_mode():
        parts = [module.eval()(torch.from_numpy(images[i : i + 500])) for i in range(0, len(images), 500)]
    quantized = module.finish()
    return quantized.plan.qparams[quantized.graph.outputs[0]].quantize(torch.cat(parts).numpy())


def top1(outputs: Array, labels: Array) -> float:
    """In percent."""
    return 100 * float((outputs.reshape(len(labels), -1).argmax(1) == labels).mean())
