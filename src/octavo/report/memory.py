"""The RAM of a network: its arena over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from octavo.report.blocks import Block, Facts, Figure, Section

__all__ = ["memory"]


def memory(manifest: Mapping[str, Any], picture: str) -> Section:
    """``picture`` is the timeline as SVG."""
    rows = [
        ("Arena", f"{int(manifest['arena_bytes']):,} bytes"),
        ("Lower bound", f"{int(manifest['arena_lower_bound_bytes']):,} bytes"),
    ]
    rows += [
        ("Strip by strip", f"{len(loop['layers'])} layers, {loop['layers'][0]} to {loop['layers'][-1]}")
        for loop in (manifest.get("strips") or {}).get("loops", [])
    ]
    streaming = manifest.get("streaming")
    if streaming:
        rows.append(("Streamed from slow memory", f"{int(streaming['streamed_bytes']):,} bytes"))
        rows.append(("Buffers for it", f"{int(streaming['arena_bytes_added']):,} bytes of the arena"))
    caption = "Which value lies at which bytes, from step to step"
    blocks: list[Block] = [Facts(rows), Figure(caption, picture, wide=True)]
    return Section("memory", "Memory", blocks)
