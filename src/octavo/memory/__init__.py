"""Memory planning: from sizes and lives of values to offsets in one arena. Knows no operators and no graphs."""

from __future__ import annotations

from octavo.memory.arena import Arena, plan, plan_memory
from octavo.memory.buffers import Buffer, Group, live_bytes, lower_bound
from octavo.memory.check import verify
from octavo.memory.merge import InPlace, merge
from octavo.memory.parts import place_parts

__all__ = [
    "Arena",
    "Buffer",
    "Group",
    "InPlace",
    "live_bytes",
    "lower_bound",
    "merge",
    "plan",
    "place_parts",
    "plan_memory",
    "verify",
]
