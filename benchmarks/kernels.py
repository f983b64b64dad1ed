"""Single layers on emulated cores: estimated cycles of a target's kernels beside those of fewer features."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import torch
from torch import nn

from octavo import api
from octavo.build import profile
from octavo.ir.plan import Quantized
from octavo.targets.target import target_text

__all__ = ["main"]


class GlobalMean(nn.Module):
    """The mean over an image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C]."""
        return x.mean((2, 3))


LAYERS: dict[str, tuple[nn.Module, tuple[int, int, int]]] = {
    "max pool 2 x 2, 32 channels": (nn.MaxPool2d(2), (32, 16, 16)),
    "max pool 3 x 3, stride 2, padded, 32": (nn.MaxPool2d(3, 2, 1), (32, 16, 16)),
    "average pool 8 x 8, 64": (nn.AvgPool2d(8), (64, 8, 8)),
    "average pool 3 x 3, padded, 32": (nn.AvgPool2d(3, 1, 1, count_include_pad=False), (32, 16, 16)),
    "mean over 7 x 7, 1280": (GlobalMean(), (1280, 7, 7)),
    "convolution 3 x 3, 16 to 32": (nn.Conv2d(16, 32, 3, padding=1), (16, 16, 16)),
    "pointwise, 64 to 64": (nn.Conv2d(64, 64, 1), (64, 8, 8)),
    "depthwise 3 x 3, 64": (nn.Conv2d(64, 64, 3, padding=1, groups=64), (64, 16, 16)),
    "depthwise 5 x 5, 32": (nn.Conv2d(32, 32, 5, padding=2, groups=32), (32, 16, 16)),
}
POOLS, SUMS = tuple(LAYERS)[:5], tuple(LAYERS)[5:]
ROWS = (
    (POOLS, "affine", "cortex-m4", ((), ("dsp",))),
    (POOLS, "affine", "cortex-m55", ((), ("mve", "dsp"))),
    (POOLS[:4], "16x8", "cortex-m4", ((), ("dsp",))),
    (SUMS, "16x8", "cortex-m55", (("dsp",), ("mve", "dsp"))),
    (SUMS[:2], "int4", "cortex-m55", (("dsp",), ("mve", "dsp"))),
)
"""Layers, number format, core, and the features that are compared."""


def main() -> None:
    """A row a layer: thousands of estimated cycles of the layer alone, and bytes of model data."""
    for names, number_format, core, features in ROWS:
        print(f"{core}, {number_format}: " + " | ".join(" ".join(kinds) or "portable" for kinds in features))
        for name in names:
            costs = [_cost(name, number_format, core, kinds) for kinds in features]
            parts = (f"{cycles / 1e3:>10.1f} ({size} bytes)" for cycles, size in costs)
            print(f"  {name:<38}{''.join(parts)}", flush=True)


def _cost(name: str, number_format: str, core: str, features: tuple[str, ...]) -> tuple[float, int]:
    """Estimated cycles of the layer, and bytes of its constants."""
    module, shape = LAYERS[name]
    torch.manual_seed(0)
    samples = torch.rand(8, *shape)
    graph = api.load(module.eval(), (samples[:1],))
    quantized = api.quantize(graph, samples.numpy(), core, number_format, equalization="none")
    assert isinstance(quantized, Quantized)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "target.toml"
        target.write_text(re.sub(r"(?m)^features = .*$", f"features = {json.dumps(features)}", target_text(core)))
        found = profile(api.export(quantized, Path(folder) / "build", target=target), core)
    assert found.model_bytes is not None
    return float(sum(row["estimated_cycles"] for row in found.layers)), found.model_bytes
