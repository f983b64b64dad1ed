"""Finds the layers that are to run strip by strip, so that the arena becomes small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from octavo.kernels.specialize import Chosen, specialize
from octavo.lower.liveness import liveness, plan_arena
from octavo.lower.lower import IntegerModel
from octavo.lower.strips import in_strips
from octavo.memory import Arena, held
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import Strips
from octavo.targets import Target

__all__ = ["InStrips", "find_strips", "model_macs"]

_ROWS = (1, 2, 4, 8)
_ROUNDS = 4
_PLANNED = 4


@dataclass(frozen=True)
class InStrips:
    """A form of a model in which some layers run strip by strip.

    ``model`` has portable kernels, ``program`` those of the target; ``arena`` is the program's. ``macs`` are all
    multiply-accumulates of one inference, ``whole_macs`` those of the model as it was: the difference is computed for
    rows outside of images.
    """

    model: IntegerModel
    program: IntegerModel
    arena: Arena
    macs: int
    whole_macs: int

    @property
    def strips(self) -> tuple[Strips, ...]:
        """The operators that loop over strips."""
        return tuple(node.op for node in self.model.graph.nodes if isinstance(node.op, Strips))

    @property
    def layers(self) -> int:
        """How many layers run strip by strip."""
        return sum(len(op.stages) for op in self.strips)


def model_macs(model: IntegerModel) -> int:
    """Multiply-accumulates of one inference."""
    total, types = 0, model.graph.types
    for node in model.graph.nodes:
        assert isinstance(node.op, IntegerOp)
        total += node.op.macs([types[value] for value in node.inputs], [types[value] for value in node.outputs])
    return total


def find_strips(model: IntegerModel, target: Target, limit: int | None = None) -> InStrips | None:
    """The form in strips with the smallest arena on the target, or with a ``limit`` in bytes the one that computes
    least among those that keep it; None when strips make no arena smaller.

    Every span of layers around the step that holds most is tried, with strips of several heights; what it would hold is
    estimated by the lower bound, and the best few are planned. Then the same for the step that holds most now.
    """
    chosen: Chosen = {}
    best = _planned(model, model, target, chosen)
    for _ in range(_ROUNDS):
        if limit is not None and best.arena.size <= limit:
            break
        forms = sorted(_forms(best.model, target, chosen), key=lambda form: form[0])
        if limit is not None:
            forms.sort(key=lambda form: (form[0] > limit, model_macs(form[1]) if form[0] <= limit else form[0]))
        plans = [_planned(model, form, target, chosen) for _, form in forms[:_PLANNED]]
        kept = [plan for plan in plans if limit is not None and plan.arena.size <= limit]
        better = kept[0] if kept else min(plans, key=lambda plan: plan.arena.size, default=best)
        if better.arena.size >= best.arena.size:
            break
        best = better
    return best if best.strips else None


def _planned(whole: IntegerModel, form: IntegerModel, target: Target, chosen: Chosen) -> InStrips:
    program = specialize(form, target, chosen)
    arena = plan_arena(program.graph, target.alignment)
    return InStrips(form, program, arena, model_macs(form), model_macs(whole))


def _forms(model: IntegerModel, target: Target, chosen: Chosen) -> Iterator[tuple[int, IntegerModel]]:
    """(bytes that some step must hold, form) for the spans of layers around the step that holds most."""
    program = specialize(model, target, chosen)
    steps = _held(program)
    worst = program.graph.nodes[steps.index(max(steps[: len(program.graph.nodes)]))].name
    names = [node.name for node in model.graph.nodes]
    for start, stop in _spans(model, names.index(worst)):
        for rows in _ROWS:
            form = in_strips(model, start, stop, rows, target.alignment)
            if form is not None:
                yield max(_held(specialize(form, target, chosen))), form


def _held(model: IntegerModel) -> list[int]:
    return held(*liveness(model.graph))


def _spans(model: IntegerModel, step: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of the spans around a step that begin and end where images are small: smaller than all that lie
    between there and the step."""
    graph = model.graph
    sizes = [graph.types[node.outputs[0]].nbytes for node in graph.nodes]
    before = [graph.types[node.inputs[0]].nbytes for node in graph.nodes]
    starts = [i for i in range(step + 1) if before[i] <= min(before[i : step + 1])]
    stops = [j for j in range(step + 1, len(sizes) + 1) if sizes[j - 1] <= min(sizes[step:j])]
    return ((start, stop) for start in starts for stop in stops)
