"""Train a small network on CIFAR-10 and export it for ``octavo compile``.

Usage::

    python examples/cifar10/train.py --network resnet8 --output resnet8

The data are ``train.npz`` and ``test.npz``, each with ``jpeg`` (the bytes of all images), ``offsets`` (image i is
``jpeg[offsets[i]:offsets[i + 1]]``) and ``labels``; they are looked for in ``cifar10/`` under ``OCTAVO_DATA``. The same
seed gives the same weights on the same machine with the same PyTorch and number of threads. The schedule is fixed
beforehand and the last weights are kept: the test accuracy that each epoch prints decides nothing.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mobilenet_v2 import MobileNetV2
from mobilenet_v3 import MobileNetV3Small
from numpy.typing import NDArray
from PIL import Image
from resnet8 import ResNet8
from safetensors.torch import save_file
from torch import nn

Bytes = NDArray[np.uint8]

NETWORKS: dict[str, type[nn.Module]] = {
    "resnet8": ResNet8,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_small": MobileNetV3Small,
}

SIDE = 32
MARGIN = 4
CALIBRATION = 200
DATA = Path(os.environ.get("OCTAVO_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "cifar10"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, apart from the data."""

    epochs: int = 13
    seed: int = 0
    batch: int = 64
    peak_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 3e-4
    label_smoothing: float = 0.05
    warm_up: float = 0.05


@dataclass(frozen=True)
class Split:
    """Images ``uint8[N, 32, 32, 3]`` and labels ``int64[N]``."""

    images: Bytes
    labels: NDArray[np.int64]


def read_split(path: Path) -> Split:
    """Read and decode one of the two archives."""
    if not path.is_file():
        raise SystemExit(f"{path}: not found; give --data FOLDER, or set OCTAVO_DATA.")
    with np.load(path) as archive:
        jpeg, offsets, labels = archive["jpeg"], archive["offsets"], archive["labels"]
    opened = (Image.open(io.BytesIO(jpeg[a:b].tobytes())) for a, b in zip(offsets[:-1], offsets[1:], strict=True))
    images = np.stack([np.asarray(image.convert("RGB")) for image in opened])
    if images.shape[1:] != (SIDE, SIDE, 3) or len(images) != len(labels):
        raise SystemExit(f"{path}: needs one label for each image of {SIDE} x {SIDE} pixels.")
    return Split(images, labels.astype(np.int64))


def to_input(images: Bytes, device: torch.device) -> torch.Tensor:
    """Pixels as the network takes them: ``float32[N, 3, 32, 32]``, (pixels - 128) / 128, channels last in memory.

    int8 holds these values exactly: a scale of 1/128 and zero point 0.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    return (pixels.permute(0, 3, 1, 2).float() - 128) / 128


def batches(split: Split, size: int, generator: np.random.Generator) -> Iterator[tuple[Bytes, NDArray[np.int64]]]:
    """One epoch in random order: random crops of the images with a grey margin, half of them mirrored."""
    size = min(size, len(split.labels))
    order = generator.permutation(len(split.labels))
    order = order[: len(order) // size * size]
    margins = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    padded = np.pad(split.images, margins, constant_values=128)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    for chosen in order.reshape(-1, size):
        down, right = generator.integers(0, 2 * MARGIN + 1, size=(2, size))
        images = windows[chosen, down, right].transpose(0, 2, 3, 1)
        mirrored = generator.random(size) < 0.5
        yield np.where(mirrored[:, None, None, None], images[:, :, ::-1], images), split.labels[chosen]


def rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate's share of its peak: a linear rise, then half a cosine down to zero."""
    done, rise = (step + 1) / (steps + 1), recipe.warm_up
    return done / rise if done < rise else 0.5 * (1 + math.cos(math.pi * (done - rise) / (1 - rise)))


def train(network: nn.Module, training: Split, test: Split, recipe: Recipe, device: torch.device) -> None:
    """Train in place: SGD with Nesterov momentum, cross entropy with smoothed labels. Norms and biases do not decay."""
    generator = np.random.default_rng(recipe.seed)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=recipe.peak_rate, momentum=recipe.momentum, nesterov=True)
    each = max(1, len(training.labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, recipe.epochs * each, recipe))
    for epoch in range(recipe.epochs):
        started, total = time.monotonic(), torch.zeros((), device=device)
        network.train()
        for images, labels in batches(training, recipe.batch, generator):
            logits, wanted = network(to_input(images, device)), torch.from_numpy(labels).to(device)
            loss = torch.nn.functional.cross_entropy(logits, wanted, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.detach()
        took, mean = time.monotonic() - started, float(total) / each
        accuracy = 100 * count_correct(network, test, device) / len(test.labels)
        line = f"epoch {epoch + 1:3d}/{recipe.epochs}  loss {mean:.4f}  test {accuracy:.2f} %  {took:.0f} s"
        print(line, flush=True)


def count_correct(network: nn.Module, split: Split, device: torch.device) -> int:
    """Count the images whose largest logit is at the label."""
    network.eval()
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(split.labels), 500):
            predicted = network(to_input(split.images[first : first + 500], device)).argmax(dim=1).cpu().numpy()
            correct += int((predicted == split.labels[first : first + 500]).sum())
    return correct


def save(output: Path, network: nn.Module, training: Split, test: Split) -> None:
    """Write the weights, the ONNX model, and samples for calibration and evaluation; each file appears whole."""
    cpu = torch.device("cpu")
    network.to(cpu, memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    calibration = Split(training.images[:CALIBRATION], training.labels[:CALIBRATION])
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=output) as name:
        folder = Path(name)
        weights = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        export_onnx(network, folder / "model.onnx")
        for part, split in (("calibration", calibration), ("test", test)):
            inputs = to_input(split.images, cpu).contiguous().numpy()
            np.savez_compressed(folder / f"{part}.npz", inputs=inputs, labels=split.labels)
        for path in sorted(folder.iterdir()):
            path.chmod(0o644)
            path.replace(output / path.name)


def export_onnx(network: nn.Module, path: Path) -> None:
    """Write the network as ONNX, opset 17, for any batch."""
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    )


def main() -> None:
    """Train, measure, save."""
    parser = argparse.ArgumentParser(description="Train a small network on CIFAR-10.")
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with train.npz and test.npz")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    options = parser.parse_args()

    recipe, device = Recipe(epochs=options.epochs, seed=options.seed), torch.device(options.device)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(recipe.seed)
    training, test = read_split(options.data / "train.npz"), read_split(options.data / "test.npz")
    network = NETWORKS[options.network]()
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, {len(training.labels):,} images", flush=True)
    train(network, training, test, recipe, device)
    save(options.output, network, training, test)
    print(f"wrote {', '.join(sorted(path.name for path in options.output.iterdir()))} to {options.output}")


if __name__ == "__main__":
    main()
