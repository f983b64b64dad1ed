"""Cycles estimated from the instructions that ran, by a target's table: an estimate, never a measurement.

Each block of code is priced instruction by instruction, with what the table says of neighbours (loads behind loads,
results needed at once, vector units that overlap, two instructions at a time); its first instruction is priced as if
nothing had run before it. Not in the model: wait states, caches, contention on the bus, wrong branch predictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from octavo.device.kinds import MEMORY
from octavo.device.listing import Instruction
from octavo.device.trace import Block, Moved, Trace
from octavo.targets import Cycles

__all__ = ["Cost", "block_cycles", "costs", "total"]

_LEAVING = ("branch", "jump", "loop_end")
_MULTIPLIER = ("multiply", "multiply_accumulate", "multiply_long", "multiply_simd", "divide")
_UNIT: Mapping[str, str] = {
    **dict.fromkeys(MEMORY, "memory"),
    **dict.fromkeys(_MULTIPLIER, "multiplier"),
    "vector_multiply": "vector multiplier",
    "vector": "vector",
    "floating": "floating",
    **dict.fromkeys(_LEAVING, "branch"),
}


@dataclass(frozen=True)
class Cost:
    """Of a segment of one inference: executed instructions by kind, their estimated cycles, the bytes they moved.

    ``cycles`` is None without a table.
    """

    mix: Mapping[str, int]
    cycles: float | None
    moved: Moved

    @property
    def instructions(self) -> int:
        """All that ran."""
        return sum(self.mix.values())


def costs(trace: Trace, table: Cycles | None) -> tuple[Cost, ...]:
    """The cost of each of the trace's segments."""
    return tuple(_cost(blocks, moved, table) for blocks, moved in zip(trace.blocks, trace.moved, strict=True))


def total(parts: Sequence[Cost]) -> Cost:
    """The sum of some segments; its cycles are None where a part's are."""
    mix: Counter[str] = Counter()
    for part in parts:
        mix.update(part.mix)
    cycles = [part.cycles for part in parts if part.cycles is not None]
    moved = [(part.moved.flash_read, part.moved.ram_read, part.moved.ram_written) for part in parts]
    sums = (sum(column) for column in zip(*moved, strict=True))
    return Cost(dict(sorted(mix.items())), sum(cycles) if len(cycles) == len(parts) else None, Moved(*sums))


def _cost(blocks: Sequence[Block], moved: Moved, table: Cycles | None) -> Cost:
    mix: Counter[str] = Counter()
    cycles = 0.0
    for block in blocks:
        for instruction in block.instructions:
            mix[instruction.kind] += block.times
        if table is not None:
            cycles += block_cycles(block, table)
    return Cost(dict(sorted(mix.items())), None if table is None else cycles, moved)


def block_cycles(block: Block, table: Cycles) -> float:
    """Estimated cycles of all runs of a block."""
    *body, last = block.instructions
    once, slots = 0.0, _slots(block.instructions, table)
    for index, instruction in enumerate(body):
        before = body[index - 1] if index else None
        once += slots[index] * _straight(instruction, before, table)
    before = body[-1] if body else None
    stays = block.times - block.taken
    if last.kind == "branch":
        return block.times * once + block.taken * table.branch_taken + stays * table.branch * slots[-1]
    # A jump whose target lies right behind it goes nowhere else, and is one all the same.
    if last.kind == "jump":
        return block.times * (once + table.jump)
    ends = once + slots[-1] * _straight(last, before, table)
    refill = 0.0 if last.kind == "loop_end" else max(table.jump - table.branch, 0.0)
    return block.times * ends + block.taken * refill


def _straight(instruction: Instruction, before: Instruction | None, table: Cycles) -> float:
    """Cycles of an instruction that goes on to the next."""
    cycles = _alone(instruction, before, table)
    if before is not None:
        if before.kind in ("load", "multiple") and before.writes & (instruction.reads | instruction.address_from):
            cycles += table.load_use
        elif before.kind not in MEMORY and before.writes & instruction.address_from:
            cycles += table.address_use
    return cycles


def _alone(instruction: Instruction, before: Instruction | None, table: Cycles) -> float:
    kind = instruction.kind
    if kind == "multiple":
        return table.multiple + table.multiple_register * instruction.words
    if kind == "load" and before is not None and before.kind == "load" and table.load_after_load is not None:
        return table.load if before.writes & instruction.address_from else table.load_after_load
    if kind.startswith("vector"):
        overlaps = before is not None and before.kind.startswith("vector") and _UNIT[before.kind] != _UNIT[kind]
        return table.vector_overlap if overlaps and table.vector_overlap is not None else table.vector
    return float(getattr(table, kind))


def _slots(instructions: Sequence[Instruction], table: Cycles) -> list[float]:
    """1 for each instruction, 0 for one that runs beside the one before it."""
    slots = [1.0] * len(instructions)
    if table.dual_issue:
        for index in range(1, len(instructions)):
            if slots[index - 1] and _pair(instructions[index - 1], instructions[index], table):
                slots[index] = 0.0
    return slots


def _pair(first: Instruction, second: Instruction, table: Cycles) -> bool:
    """Whether two neighbours run at once: the second takes no longer, needs nothing of the first, uses another unit."""
    apart = _UNIT.get(first.kind) is None or _UNIT.get(first.kind) != _UNIT.get(second.kind)
    quick = _alone(second, first, table) <= _alone(first, None, table)
    return apart and quick and not first.writes & (second.reads | second.address_from | second.writes)
