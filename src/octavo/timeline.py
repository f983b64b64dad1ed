"""The arena of a compiled folder over time: the values of its plan, in the manifest and as a picture."""

from __future__ import annotations

from typing import Any

from octavo.build import Build
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.lower.liveness import liveness
from octavo.lower.streaming import Streaming, stream_buffers
from octavo.memory import Arena
from octavo.report.timeline import Box, timeline_svg

__all__ = ["arena_boxes", "arena_picture", "arena_rows", "arena_steps"]


def arena_steps(graph: Graph) -> list[str]:
    """The layers in their order with the copy of the outputs last; reshapes, which take no time, are steps, too."""
    return [*(node.source or node.name for node in graph.nodes), "outputs"]


def arena_rows(graph: Graph, arena: Arena, streaming: Streaming) -> list[dict[str, Any]]:
    """The manifest's rows: every value of the plan, its kind, its first and last step, and where it lies."""
    values, views, _ = liveness(graph)
    kinds = {value.name: "scratch" for value in values if value.name not in graph.types}
    kinds |= dict.fromkeys(graph.inputs, "input") | dict.fromkeys(graph.outputs, "output")
    kinds |= {view.part: "view" for view in views}
    streams = stream_buffers(graph, streaming)
    kinds |= {stream.name: "stream" for stream in streams}
    return [
        {
            "name": value.name,
            "kind": kinds.get(value.name, "value"),
            "first": value.first,
            "last": value.last,
            "offset": arena.offsets[value.name],
            "bytes": value.size,
        }
        for value in (*values, *streams)
    ]


def arena_boxes(build: Build) -> tuple[list[str], list[Box]]:
    """(steps, values) of the folder's plan. OctavoError when its manifest has none, or one that makes no sense."""
    try:
        rows = [
            Box(row["name"], row["first"], row["last"], row["offset"], row["bytes"], row["kind"])
            for row in build.manifest["arena_values"]
        ]
        return [str(step) for step in build.manifest["arena_steps"]], rows
    except (KeyError, TypeError) as error:
        where, why = str(build.folder), "was compiled by another version of Octavo"
        raise OctavoError(where, why, "Compile the model again.") from error


def arena_picture(build: Build) -> str:
    """The arena as an SVG document."""
    steps, boxes = arena_boxes(build)
    size, bound = (int(build.manifest[key]) for key in ("arena_bytes", "arena_lower_bound_bytes"))
    title = f"{build.manifest['name']} for {build.manifest['target']}: arena of {size:,} bytes (lower bound {bound:,})"
    return timeline_svg(title, steps, size, boxes)
