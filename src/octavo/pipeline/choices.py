"""Choices of how to quantize that contradict each other, or of which one would have no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.num.formats import Format
from octavo.quant.mixed import Budget
from octavo.targets import Target

__all__ = ["Choices"]


@dataclass(frozen=True)
class Choices:
    """What the user chose, and what else was given; None and "" where nothing was."""

    format: Format
    granularity: str | None
    ranges: str | None
    weight_ranges: str
    equalization: str
    layers: Mapping[str, str]
    options: Sequence[str]
    budget: Budget | None
    max_drop: float | None
    seed: int
    data: bool
    labels: bool
    input_range: bool
    checkpoint: bool
    device: bool

    def check(self, graph: Graph, target: Target) -> None:
        """OctavoError for the first choice that is out of range, contradicts another one or would have no effect."""
        for where, wrong, why, remedy in (*self._values(graph, target), *self._contradictions()):
            if wrong:
                raise OctavoError(where, why, remedy)

    def _values(self, graph: Graph, target: Target) -> list[tuple[str, bool, str, str]]:
        first = graph.outputs[0]
        return [
            (
                f"format {self.format.name}",
                self.format.name not in target.formats,
                f"is not one that target {target.name} has",
                f"Use one of {', '.join(target.formats)}, or another target.",
            ),
            (
                f"max_drop {self.max_drop}",
                self.max_drop is not None and not 0 <= self.max_drop < 100,
                "is not a number of points",
                "Give 0 or more, below 100.",
            ),
            (f"seed {self.seed}", self.seed < 0, "is negative", "Give 0 or more."),
            (
                f"options {self.options!r}",
                isinstance(self.options, str),
                "are one text",
                "Give a sequence of names, as ('int8', 'int4').",
            ),
            (
                f"max_drop {self.max_drop}",
                self.max_drop is not None and graph.types[first].size == 1,
                f"counts classes, and output {first} is a single value",
                "Leave it out: the SQNR in the trail tells the quality.",
            ),
        ]

    def _contradictions(self) -> list[tuple[str, bool, str, str]]:
        half = self.format.weights.kind == "float16"
        no_steps = "has no effect: float16 has no scales"
        leave = "Leave it out."
        return [
            (
                "budget",
                self.budget is not None and not self.options,
                "has no options to choose from",
                "Give options, as ('int8', 'int4').",
            ),
            (
                "layers",
                bool(self.options and self.layers),
                "have no effect where options choose",
                "Leave out layers, or options.",
            ),
            (
                "labels",
                not self.data and self.labels,
                "belong to no calibration data",
                "Give evaluation_labels with evaluation samples.",
            ),
            (
                "input_range",
                self.data and self.input_range,
                "has no effect where there are calibration data",
                leave,
            ),
            (
                "ranges cross-entropy",
                not self.data and self.ranges == "cross-entropy",
                "need the logits of samples",
                "Use another method, or give calibration data.",
            ),
            (
                "equalization align",
                self.equalization == "align" and not self.format.activations.power_of_two,
                "has no effect: it aligns activations to powers of two",
                "Use it with the format power-of-two.",
            ),
            ("granularity", half and self.granularity is not None, no_steps, leave),
            ("ranges", half and self.ranges is not None, no_steps, leave),
            ("layers", half and bool(self.layers), "have no effect: float16 is for the whole network", leave),
            (
                f"weight ranges {self.weight_ranges}",
                self.weight_ranges != "mse" and self.format.weights.kind != "uniform",
                f"have no effect: {self.format.name} has none to set, or chooses them by mse",
                leave,
            ),
            *(
                (
                    choice,
                    given and (not self.data or bool(self.options) or self.max_drop is None or half),
                    "has no effect: only block reconstruction uses it, the rung that max_drop may reach",
                    "Give calibration data and max_drop, and no options.",
                )
                for choice, given in (("checkpoint", self.checkpoint), ("device", self.device))
            ),
        ]
