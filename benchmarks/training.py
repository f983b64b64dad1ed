"""What a step of training with the quantizers in the loop costs, in float steps of the same network."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import octavo
from octavo.ir.graph import Graph
from octavo.train import trainable

__all__ = ["main"]

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "cifar10"

BATCH = 128
ROUNDS = 6


def main() -> None:
    """A row for each network and way to train it."""
    sys.path.insert(0, str(EXAMPLES))
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
