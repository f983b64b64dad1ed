"""What was tried on the way to the network, and what was kept."""

from __future__ import annotations

from octavo.ir.plan import QuantPlan
from octavo.report.blocks import Block, Section, Table, Text
from octavo.report.words import count, share

__all__ = ["tried"]


def tried(plan: QuantPlan) -> Section | None:
    """The rungs of the ladder and the mixtures of formats; None where nothing was tried."""
    blocks: list[Block] = []
    if plan.trail:
        blocks.append(_rungs(plan))
        kept = plan.verdict.get("rung")
        blocks += [] if kept is None else [Text(f"Kept: {kept}.")]
    front = plan.verdict.get("front")
    if front:
        kind = next(iter(front[0]))
        rows = [
            (
                ", ".join(f"{times} {name}" for name, times in row["layers"].items()),
                count(row[kind]),
                f"{row['expected_sqnr_db']:.2f}",
                str(row["int16_nodes"]),
            )
            for row in front
        ]
        columns = ("Layers", kind, "Expected SQNR, dB", "int16 nodes")
        blocks.append(Table("Mixed precision: the Pareto front", columns, rows))
    return Section("tried", "What was tried", blocks) if blocks else None


def _rungs(plan: QuantPlan) -> Table:
    rows = [
        (
            str(row["rung"]),
            count(row["weight_bytes"]),
            _decimals(row.get("drop")),
            share(row.get("accuracy")),
            share(row.get("agreement")),
            _decimals(row.get("sqnr_db")),
        )
        for row in plan.trail
    ]
    samples = plan.trail[0].get("samples")
    caption = "The rungs of the ladder" + ("" if samples is None else f", on {samples:,} samples")
    # What few samples chose is calibrated again under its name: the last of them counts.
    kept = [at for at, row in enumerate(plan.trail) if row["rung"] == plan.verdict.get("rung")][-1:]
    columns = ("Rung", "Weight bytes", "Drop, points", "Accuracy", "Agreement", "SQNR, dB")
    return Table(caption, columns, rows, strong=kept)


def _decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
