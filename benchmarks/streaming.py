"""Weights in slow memory: what the buffers add to the arena, and what waiting and copying add in instructions."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.workloads import TINY, tiny
from octavo import api
from octavo.build import profile
from octavo.ir.plan import Quantized

__all__ = ["main"]

LIMIT = 8 * 1024


def main() -> None:
    """One row a model, for a Cortex-M4; each copy is a memcpy by the processor, where a DMA would cost nothing."""
    print(f"{'model':<22}{'streamed':>10}{'resident':>9}{'arena':>9}{'with':>9}{'instructions':>14}{'with':>12}")
    for name in TINY:
        official = api.load(tiny(name, 1).official_int8 or "")
        assert isinstance(official, Quantized)
        with tempfile.TemporaryDirectory(prefix="octavo-streaming-") as folder:
            plain = api.export(official, Path(folder) / "plain", target="cortex-m4")
            made = api.export(official, Path(folder) / "streamed", target="cortex-m4", stream=LIMIT)
            counts = [profile(build).instructions or 0 for build in (plain, made)]
        said = made.manifest["streaming"]
        arenas = [int(build.manifest["arena_bytes"]) for build in (plain, made)]
        print(f"{name:<22}{said['streamed_bytes']:>10,}{len(said['resident']):>9}{arenas[0]:>9,}{arenas[1]:>9,}"
              f"{counts[0]:>14,}{counts[1]:>12,}")  # fmt: skip
