"""Train the demo network and write the files that ``octavo.demo`` ships.

Usage::

    python examples/demo/train.py --data /usr/share/datasets/fashion-mnist

The data are the four ``.gz`` idx files of Fashion-MNIST (Debian: ``apt install dataset-fashion-mnist``). One thread and
one seed, so that the result is the same on the same machine with the same PyTorch; about eight minutes on one core. The
schedule is fixed beforehand: the test images are looked at once, at the end.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from octavo.demo.network import CLASSES, FashionNet

Bytes = NDArray[np.uint8]
Batch = tuple[torch.Tensor, torch.Tensor]

SIDE = 28
ASSETS = Path(__file__).resolve().parents[2] / "src" / "octavo" / "demo" / "assets"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, apart from the data."""

    epochs: int = 14
    batch: int = 128
    peak_rate: float = 6e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    shift: int = 1
    seed: int = 20170825


@dataclass(frozen=True)
class Split:
    """Images ``uint8[N, 28, 28]`` and labels ``uint8[N]``."""

    images: Bytes
    labels: Bytes


def read_idx(path: Path) -> Bytes:
    """Read a gzipped idx file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    zero, kind, rank = struct.unpack_from(">HBB", raw)
    if zero != 0 or kind != 8:
        raise SystemExit(f"{path}: not an idx file of unsigned bytes.")
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_split(folder: Path, prefix: str) -> Split:
    """Read one of the two splits, ``train`` or ``t10k``."""
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    return Split(images, read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz"))


def to_input(images: Bytes) -> torch.Tensor:
    """Pixels as the network takes them: ``float32[N, 1, 28, 28]``, divided by 255."""
    return torch.from_numpy(images.astype(np.float32) / 255.0).unsqueeze(1)


def batches(split: Split, recipe: Recipe, generator: np.random.Generator) -> Iterator[Batch]:
    """One epoch in random order, each image flipped half of the time and moved by up to ``recipe.shift`` pixels."""
    order = generator.permutation(len(split.labels))
    order = order[: len(order) // recipe.batch * recipe.batch]
    padded = np.pad(split.images, ((0, 0), (recipe.shift, recipe.shift), (recipe.shift, recipe.shift)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    for chosen in order.reshape(-1, recipe.batch):
        down, right = generator.integers(0, 2 * recipe.shift + 1, size=(2, recipe.batch))
        images = windows[chosen, down, right]
        mirrored = generator.random(recipe.batch) < 0.5
        images = np.where(mirrored[:, None, None], images[:, :, ::-1], images)
        yield to_input(images), torch.from_numpy(split.labels[chosen].astype(np.int64))


def train(network: FashionNet, split: Split, recipe: Recipe) -> None:
    """Train in place: AdamW, one rate cycle, cross entropy with smoothed labels."""
    generator = np.random.default_rng(recipe.seed)
    steps = recipe.epochs * (len(split.labels) // recipe.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.peak_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak_rate, total_steps=steps, pct_start=0.2)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for epoch in range(recipe.epochs):
        started, total = time.monotonic(), 0.0
        network.train()
        for images, labels in batches(split, recipe, generator):
            logits = network(images.contiguous(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        mean = total * recipe.epochs / steps
        print(f"epoch {epoch + 1:2d}/{recipe.epochs}  loss {mean:.4f}  {time.monotonic() - started:.0f} s", flush=True)
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def count_correct(network: FashionNet, split: Split) -> int:
    """Count the images whose largest logit is at the label."""
    network.eval()
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(split.labels), 500):
            predicted = network(to_input(split.images[first : first + 500])).argmax(dim=1).numpy()
            correct += int((predicted == split.labels[first : first + 500]).sum())
    return correct


def first_of_each_class(labels: Bytes, count: int) -> NDArray[np.int64]:
    """Indices of the first ``count`` images of each class, in the order of the data set."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(len(CLASSES))]))


def save_samples(path: Path, training: Split, test: Split, tests: int) -> None:
    """Write 20 training images a class for calibration and the first ``tests`` test images."""
    chosen = first_of_each_class(training.labels, 20)
    np.savez_compressed(
        path,
        calibration=training.images[chosen][:, None],
        inputs=test.images[:tests, None],
        labels=test.labels[:tests],
        class_names=np.array(CLASSES),
    )


def main() -> None:
    """Train, measure once, save."""
    parser = argparse.ArgumentParser(description="Train the demo network on Fashion-MNIST.")
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--output", type=Path, default=ASSETS)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--test-images", type=int, default=800, help="how many test images to ship")
    options = parser.parse_args()

    recipe = Recipe(epochs=options.epochs)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    training, test = read_split(options.data, "train"), read_split(options.data, "t10k")
    network = FashionNet()
    train(network, training, recipe)

    options.output.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    path = options.output / "fashion_mnist_cnn.safetensors"
    save_file(weights, path)
    path.chmod(0o644)
    save_samples(options.output / "samples.npz", training, test, options.test_images)
    shipped = Split(test.images[: options.test_images], test.labels[: options.test_images])
    print(f"training images: {count_correct(network, training)} of {len(training.labels)} right")
    print(f"test images:     {count_correct(network, test)} of {len(test.labels)} right")
    print(f"shipped images:  {count_correct(network, shipped)} of {len(shipped.labels)} right")


if __name__ == "__main__":
    main()
