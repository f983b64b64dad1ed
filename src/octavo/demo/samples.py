"""The trained network and the sample images that ship with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from octavo.demo.network import FashionNet

__all__ = ["Samples", "load_network", "load_samples"]

_ASSETS = files("octavo.demo") / "assets"


@dataclass(frozen=True)
class Samples:
    """Images as the network takes them, ``float32[N, 1, 28, 28]`` in [0, 1]; labels index ``class_names``."""

    calibration: NDArray[np.float32]
    inputs: NDArray[np.float32]
    labels: NDArray[np.uint8]
    class_names: tuple[str, ...]


def load_samples() -> Samples:
    """Read the images that ship with the package."""
    with as_file(_ASSETS / "samples.npz") as path, np.load(path, allow_pickle=False) as stored:
        return Samples(
            calibration=_as_input(stored["calibration"]),
            inputs=_as_input(stored["inputs"]),
            labels=stored["labels"],
            class_names=tuple(str(name) for name in stored["class_names"]),
        )


def load_network() -> FashionNet:
    """The trained network, ready for inference."""
    network = FashionNet()
    with as_file(_ASSETS / "fashion_mnist_cnn.safetensors") as path:
        network.load_state_dict(load_file(path))
    return network.eval()


def _as_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255.0)
