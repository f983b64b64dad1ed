"""The arena of a compiled folder over time: the values of its plan as a picture."""

from __future__ import annotations

from octavo.build import Build
from octavo.errors import OctavoError
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import liveness
from octavo.lower.trim import trim
from octavo.report.timeline import Box, timeline_svg

__all__ = ["arena_boxes", "arena_picture"]


def arena_boxes(build: Build) -> tuple[list[str], list[Box]]:
    """(steps, values): the layers in their order with the copy of the outputs last, and what lies where and when.

    Reshapes are steps, too: they take no time and their output is a view. OctavoError when the folder's plan is of
    another version.
    """
    graph = specialize(trim(build.model).model, build.target).graph
    values, views, _ = liveness(graph)
    offsets = build.manifest["arena_offsets"]
    if {value.name for value in values} != set(offsets):
        raise OctavoError(str(build.folder), "was compiled by another version of Octavo", "Compile the model again.")
    parts = {view.part for view in views}

    def kind(name: str) -> str:
        if name in parts:
            return "view"
        if name not in graph.types:
            return "scratch"
        return "input" if name in graph.inputs else "output" if name in graph.outputs else "value"

    steps = [*(node.source or node.name for node in graph.nodes), "outputs"]
    return steps, [Box(v.name, v.first, v.last, int(offsets[v.name]), v.size, kind(v.name)) for v in values]


def arena_picture(build: Build) -> str:
    """The arena as an SVG document."""
    steps, boxes = arena_boxes(build)
    size, bound = (int(build.manifest[key]) for key in ("arena_bytes", "arena_lower_bound_bytes"))
    title = f"{build.manifest['name']} for {build.manifest['target']}: arena of {size:,} bytes (lower bound {bound:,})"
    return timeline_svg(title, steps, size, boxes)
