"""Memory planning: from sizes and lives of values to offsets in one arena. Knows no operators and no graphs."""

from __future__ import annotations

from octavo.memory.access import Distance, Spans, distance
from octavo.memory.arena import Arena, held, plan, plan_memory
from octavo.memory.buffers import Buffer, Overlap, View
from octavo.memory.check import verify
from octavo.memory.parts import place_parts
from octavo.memory.schedule import Step, schedule

__all__ = [
    "Arena",
    "Buffer",
    "Distance",
    "Overlap",
    "Spans",
    "Step",
    "View",
    "distance",
    "held",
    "place_parts",
    "plan",
    "plan_memory",
    "schedule",
    "verify",
]
