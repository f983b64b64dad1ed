"""Weights in slow memory: what stays in flash, what the buffers add to the arena, and what copying and pieces cost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.workloads import TINY, tiny
from octavo import api
from octavo.build import profile
from octavo.ir.plan import Quantized

__all__ = ["main"]

LIMITS = (None, 16, 4)


def main() -> None:
    """One row a model and size, for a Cortex-M4; each copy is a memcpy by the processor, which a DMA would save it."""
    heads = ("buffer", "streamed", "in flash", "copies", "arena", "code", "instructions")
    print(f"{'model':<18}" + "".join(f"{head:>13}" for head in heads))
    for name in TINY:
        official = api.load(tiny(name, 1).official_int8 or "")
        assert isinstance(official, Quantized)
        for kib in LIMITS:
            with tempfile.TemporaryDirectory(prefix="octavo-streaming-") as folder:
                stream = None if kib is None else 1024 * kib
                made = api.export(official, Path(folder) / "build", target="cortex-m4", stream=stream)
                cost = profile(made)
            said = made.manifest.get("streaming", {"layers": (), "streamed_bytes": 0})
            flash = said.get("flash_bytes", made.manifest["model_bytes"])
            counts = (said["streamed_bytes"], flash, len(said["layers"]), made.manifest["arena_bytes"],
                      cost.code_bytes or 0, cost.instructions or 0)  # fmt: skip
            print(f"{name:<18}{'none' if kib is None else f'{kib} KiB':>13}" + "".join(f"{n:>13,}" for n in counts))
