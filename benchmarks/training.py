"""What a step of training with the quantizers in the loop costs, and what training brings beyond calibration.

The networks are those that ``examples/cifar10/train.py`` wrote into subfolders of the folder that OCTAVO_CIFAR names;
they go on training on the same images. Without them only the cost is measured.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import octavo
from benchmarks.workloads import data_folder
from octavo.datasets import load_dataset
from octavo.device.host import host_form
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.num.formats import FORMATS, Format
from octavo.quant.simulate import simulate
from octavo.run.float_run import float_run, to_graph_layout
from octavo.run.sample_bytes import pack, unpack
from octavo.train import Trainable, trainable

__all__ = ["main"]

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "cifar10"
Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]

BATCH = 128
ROUNDS = 6


def main() -> None:
    """The cost of a step, then a row for each network and format."""
    sys.path.insert(0, str(EXAMPLES))
    _cost()
    folder = os.environ.get("OCTAVO_CIFAR", "")
    if not folder:
        print("skipped: accuracy; train networks with examples/cifar10/train.py and name their folder in OCTAVO_CIFAR")
        return
    for path in sorted(Path(folder).glob("*/model.onnx")):
        _accuracy(path.parent)


def _cost() -> None:
    from mobilenet_v2 import MobileNetV2
    from resnet8 import ResNet8

    print(f"seconds of a step of {BATCH} images, one thread: the best of {ROUNDS} that alternate")
    torch.set_num_threads(1)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))
    for make in (ResNet8, MobileNetV2):
        torch.manual_seed(0)
        network: nn.Module = make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        graph = octavo.load(make().eval(), images[:1])
        assert isinstance(graph, Graph)
        start = octavo.quantize(graph, images.numpy(), "host", equalization="none")
        steps = {
            "float": _step(network.train(), images.to(memory_format=torch.channels_last), labels),
            "Octavo, batch norm folded": _step(trainable(start), images, labels),
            "Octavo, batch norm kept": _step(trainable(start, "keep"), images, labels),
            "PyTorch, FX": _step(_fx(make(), images), images, labels),
        }
        best = dict.fromkeys(steps, float("inf"))
        for _ in range(ROUNDS):
            for name, step in steps.items():
                started = time.perf_counter()
                step()
                best[name] = min(best[name], time.perf_counter() - started)
        for name, seconds in best.items():
            print(f"  {make.__name__:<14}{name:<28}{seconds:8.3f} s{seconds / best['float']:8.2f} of float", flush=True)


def _step(module: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """Forward, backward and SGD."""
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=1e-4, momentum=0.9)

    def step() -> None:
        loss = nn.functional.cross_entropy(module(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _fx(module: nn.Module, images: torch.Tensor) -> nn.Module:
    """The same network prepared by PyTorch's own quantization-aware training."""
    from torch.ao.quantization import get_default_qat_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_qat_fx

    mapping = get_default_qat_qconfig_mapping("x86")
    prepared: nn.Module = prepare_qat_fx(module.train(), mapping, (images[:1],))
    return prepared.train()


@dataclass(frozen=True)
class Plan:
    """A format, the bar in points below float, and how to train for it."""

    title: str
    format: Format
    bar: float
    epochs: int
    rate: float


PLANS = (
    Plan("W8A8, powers of two, per tensor", FORMATS["power-of-two"].with_weights("per-tensor"), 0.3, 2, 5e-4),
    Plan("W4A8 per channel", FORMATS["int4"], 0.7, 3, 1e-3),
    Plan("W2A8 per channel", FORMATS["int4"].with_weights(bits=2), 100.0, 4, 2e-3),
)


def _accuracy(folder: Path) -> None:
    """Calibration alone, then training with the quantizers in the loop; top-1 of all test images in integers."""
    from train import batches, read_split, to_input  # type: ignore[import-not-found]

    torch.set_num_threads(2)
    graph = octavo.load(folder / "model.onnx")
    assert isinstance(graph, Graph)
    calibration, test = load_dataset(folder / "calibration.npz"), load_dataset(folder / "test.npz")
    images, labels = np.asarray(test.inputs), np.asarray(test.labels)
    (name,) = graph.inputs
    training = read_split(data_folder() / "cifar10/train.npz")
    exact = float_run(graph, {name: to_graph_layout(graph, name, images)})
    print(f"{folder.name}: float {_top1(next(iter(exact.values())).numpy(), labels):.2f} % of {len(labels)} images")
    for plan in PLANS:
        started = time.perf_counter()
        start = octavo.quantize(graph, calibration.inputs, "host", plan.format, max_drop=0.0)
        before, calibrated = _integers(start, images), time.perf_counter() - started
        started = time.perf_counter()
        module = trainable(start)
        generator = np.random.default_rng(0)

        def epoch() -> Batches:
            for pixels, wanted in batches(training, 64, generator):  # noqa: B023
                yield to_input(pixels, torch.device("cpu")), torch.from_numpy(wanted)

        _train(module, epoch, plan, len(training.labels) // 64)
        end, minutes = module.eval().finish(), (time.perf_counter() - started) / 60
        after, simulated = _integers(end, images), _simulated(end, images)
        top1, from_simulation = _top1(after, labels), _top1(simulated, labels)
        print(
            f"  {plan.title:<34}calibration {_top1(before, labels):6.2f} ({calibrated / 60:.1f} min)"
            f"  training {top1:6.2f} ({minutes:.1f} min)  simulation {from_simulation:6.2f}  bar {plan.bar}",
            flush=True,
        )


def _train(
    module: Trainable, epoch: Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]], plan: Plan, each: int
) -> None:
    """Adam whose rate falls to zero along a cosine: a loop as a user would write it."""
    optimizer = torch.optim.Adam(module.parameter_groups(plan.rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs * each)
    module.train()
    for _ in range(plan.epochs):
        for images, labels in epoch():
            loss = nn.functional.cross_entropy(module(images), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def _integers(quantized: Quantized, images: np.ndarray) -> np.ndarray:
    """The first output of the C for this machine, dequantized."""
    model, (name,) = lower(quantized), quantized.graph.inputs
    x = to_graph_layout(quantized.graph, name, images)
    packed = pack(model.graph, model.graph.inputs, {name: model.encodings[name].quantize_input(x)})
    with host_form(model) as host:
        outputs = unpack(model.graph, model.graph.outputs, host.run(packed))
    first = model.graph.outputs[0]
    return model.encodings[first].dequantize(outputs[first])


def _simulated(quantized: Quantized, images: np.ndarray) -> np.ndarray:
    (name,) = quantized.graph.inputs
    parts = [
        next(iter(simulate(quantized, {name: to_graph_layout(quantized.graph, name, images[i : i + 500])}).values()))
        for i in range(0, len(images), 500)
    ]
    return torch.cat(parts).numpy()


def _top1(outputs: np.ndarray, labels: np.ndarray) -> float:
    return 100 * float((outputs.reshape(len(labels), -1).argmax(1) == labels).mean())
