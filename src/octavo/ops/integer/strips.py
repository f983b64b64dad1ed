"""Several layers run strip by strip: a few rows of each at a time, so that no image between them exists as a whole.

As MCUNetV2's patches (Lin et al. 2021) this keeps the large images of the first layers out of the arena. Strips are as
wide as the image and come from top to bottom, so the rows that the next strip reads again are kept, not computed again.

Step s makes rows made * (s - 1) + lead ... made * s + lead - 1 of a value. A window holds them behind the ``kept`` rows
before them, which the value's readers still need. Rows outside the image hold the zero point: they are the padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, Node, TensorType
from octavo.memory import Arena, Buffer, Distance, Overlap, distance, plan_memory, verify
from octavo.ops.base import IntegerOp

__all__ = ["Rows", "Stage", "Strips", "calls"]


@dataclass(frozen=True)
class Rows:
    """How the rows of a value [1, height, width, channels] come and stay."""

    name: str
    height: int
    width: int
    channels: int
    dtype: str
    made: int
    lead: int
    kept: int
    outside: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.channels * np.dtype(self.dtype).itemsize

    @property
    def window_bytes(self) -> int:
        """Bytes of the rows kept and made."""
        return (self.kept + self.made) * self.row_bytes

    def first(self, step: int) -> int:
        """The first row that a step makes."""
        return self.made * (step - 1) + self.lead

    def inside(self, step: int) -> tuple[int, int]:
        """The first and the end of the rows of the image that a step makes; no rows where both are equal."""
        first = self.first(step)
        return min(max(first, 0), self.height), min(max(first + self.made, 0), self.height)


@dataclass(frozen=True)
class Stage:
    """A layer for one strip. ``reads`` has for each input of the node the first row of its window that is read and how
    many; None for a constant."""

    node: Node
    reads: tuple[tuple[int, int] | None, ...]

    @property
    def working(self) -> str:
        """The name of its working memory."""
        return f"{self.node.name}:scratch"

    @property
    def op(self) -> IntegerOp:
        """The operator, of the strip's sizes."""
        assert isinstance(self.node.op, IntegerOp)
        return self.node.op


@dataclass(frozen=True)
class Strips(IntegerOp):
    """Stages that run one after another for each step from ``first`` to ``last``.

    ``values`` are the rows of the source and of each stage's output, in order; the last is the operator's output, of
    which step s >= 1 makes the rows from made * (s - 1) on. ``inputs`` names the node's inputs: source, constants.
    ``alignment`` in bytes is that of all places in the working memory.
    """

    first: int
    last: int
    values: tuple[Rows, ...]
    stages: tuple[Stage, ...]
    inputs: tuple[str, ...]
    alignment: int

    kernel: ClassVar[str] = "strips"

    @property
    def steps(self) -> range:
        """All steps."""
        return range(self.first, self.last + 1)

    @property
    def output(self) -> Rows:
        """The rows of the output."""
        return self.values[-1]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[1, height, width, channels] of the last stage."""
        source, out = self.values[0], self.output
        if inputs[0] != TensorType((1, source.height, source.width, source.channels), source.dtype):
            raise ValueError(f"input {inputs[0]} is not {source}")
        return (TensorType((1, out.height, out.width, out.channels), out.dtype),)

    def eval_int(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The loop of the C, on windows as it has them."""
        image, known = inputs[0], dict(zip(self.inputs, inputs, strict=True))
        windows = {rows.name: self._outside(rows, rows.kept + rows.made, image) for rows in self.values}
        strips = []
        for step in self.steps:
            for index, rows in enumerate(self.values):
                if rows is self.output and step < 1:
                    continue
                if index == 0:
                    low, high = rows.inside(step)
                    made = self._placed(rows, step, image[:, low:high], image)
                else:
                    made = self._made(self.stages[index - 1], windows, known)
                    low, high = (bound - rows.first(step) for bound in rows.inside(step))
                    made = self._placed(rows, step, made[:, low:high], image)
                windows[rows.name] = torch.cat([windows[rows.name][:, rows.made :], made], 1)
            if step >= 1:
                strips.append(windows[self.output.name])
        return torch.cat(strips, 1)

    @staticmethod
    def _outside(rows: Rows, count: int, like: torch.Tensor) -> torch.Tensor:
        shape = (len(like), count, rows.width, rows.channels)
        return torch.full(shape, rows.outside, dtype=getattr(torch, rows.dtype))

    def _placed(self, rows: Rows, step: int, inside: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """The rows of the image among those outside, as many as a step makes."""
        above = min(max(-rows.first(step), 0), rows.made)
        below = rows.made - above - inside.shape[1]
        return torch.cat([self._outside(rows, above, like), inside, self._outside(rows, below, like)], 1)

    @staticmethod
    def _made(stage: Stage, windows: Mapping[str, torch.Tensor], known: Mapping[str, torch.Tensor]) -> torch.Tensor:
        arguments = []
        for value, read in zip(stage.node.inputs, stage.reads, strict=True):
            arguments.append(known[value] if read is None else windows[value][:, read[0] : read[0] + read[1]])
        return stage.op.eval_int(*arguments)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Those of all stages."""
        return sum(self.stage_macs(inputs).values())

    def stage_macs(self, inputs: Sequence[TensorType]) -> dict[str, int]:
        """Those that each stage computes in all strips, by its node; rows outside of the image included."""
        known = dict(zip(self.inputs[1:], inputs[1:], strict=True))
        found = {}
        for stage, rows in zip(self.stages, self.values[1:], strict=True):
            made = TensorType((1, rows.made, rows.width, rows.channels), rows.dtype)
            types = [known.get(value, made) for value in stage.node.inputs]
            found[stage.node.name] = stage.op.macs(types, [made]) * self.runs(rows)
        return found

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A step takes its rows of the source, then writes those of the output."""
        source, out = self.values[0], self.output
        read = np.array([source.inside(step) for step in self.steps], np.int64) * source.row_bytes
        written = np.array([out.inside(step) for step in self.steps], np.int64) * out.row_bytes
        return {0: distance((read[:, 0], read[:, 1]), (written[:, 0], written[:, 1]))}

    def scratch(self) -> int:
        """Bytes of the windows and of the stages' own working memory."""
        return self.layout.size

    @cached_property
    def layout(self) -> Arena:
        """Places in the working memory: of windows by the value's name, of what a stage needs by ``Stage.working``.

        A window that keeps rows lives always, others from the stage that writes them to the last that reads them.
        """
        end = len(self.stages)
        last = {rows.name: index for index, rows in enumerate(self.values)}
        for index, stage in enumerate(self.stages, 1):
            last |= {value: index for value, read in zip(stage.node.inputs, stage.reads, strict=True) if read}
        buffers: list[Buffer] = []
        passing: dict[str, Rows] = {}
        for index, rows in enumerate(self.values[:-1]):
            life = (0, end) if rows.kept else (index, last[rows.name])
            buffers.append(Buffer(rows.name, rows.window_bytes, *life))
            passing |= {} if rows.kept else {rows.name: rows}
        overlaps = []
        for index, stage in enumerate(self.stages, 1):
            if stage.op.scratch():
                buffers.append(Buffer(stage.working, stage.op.scratch(), index, index))
            for which, near in stage.op.overlaps().items():
                value, output = stage.node.inputs[which], stage.node.outputs[0]
                whole = value in passing and stage.reads[which] == (0, passing[value].made)
                if whole and output in passing and last[value] == index:
                    overlaps.append(Overlap(output, value, index, *near))
        arena = plan_memory(buffers, (), overlaps, self.alignment)
        verify(arena, buffers, (), overlaps)
        return arena

    def runs(self, rows: Rows) -> int:
        """How often the stage that makes a value runs: in the steps that make rows of the image."""
        return sum(low < high for low, high in map(rows.inside, self.steps))


def calls(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes with stages in place of the strips that they form: everything that calls a kernel, aliases included."""
    for node in nodes:
        if isinstance(node.op, Strips):
            yield from (stage.node for stage in node.op.stages)
        else:
            yield node
