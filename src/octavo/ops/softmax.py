"""Softmax over the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from octavo.ir.graph import TensorType
from octavo.num.exponential import decay_table
from octavo.num.tables import softmax_parameters, softmax_table
from octavo.num.tables16 import require_unit, softmax16_parameters, softmax16_tables
from octavo.ops.base import Constraint, Example, Fixed, Lowered, Op, Site
from octavo.ops.half import HalfSoftmax
from octavo.ops.integer import QSoftmax, QSoftmax16

__all__ = ["LogSoftmax", "Softmax"]


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x) / sum exp(x) over the last axis."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as the input."""
        (x,) = inputs
        if len(x.shape) < 2:
            raise ValueError(f"input {x} has no axis beside the batch")
        return (x,)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's softmax."""
        return torch.softmax(x, dim=-1)

    def constraint(self) -> Constraint:
        """TFLite's fixed output encoding."""
        return Fixed(1 / 256, -128, 1 / 32768)

    def lower(self, site: Site) -> Lowered:
        """A QSoftmax with its table of exponentials, its int16 form with two tables, or its float16 form with one."""
        depth = site.type(0).shape[-1]
        if site.dtype() == "float16":
            return Lowered(HalfSoftmax(site.type(0).size // depth, depth), (0,), {"table": decay_table()})
        if site.dtype() == "int16":
            where = site.node.source or site.node.name
            require_unit(site.y(), where)
            wide = QSoftmax16(site.type(0).size // depth, depth, **softmax16_parameters(site.x(), where=where))
            exps, inverse = softmax16_tables()
            return Lowered(wide, (0,), {"exps": exps, "inverse": inverse})
        scale = site.x().scale[0]
        op = QSoftmax(outer=site.type(0).size // depth, depth=depth, **softmax_parameters(scale))
        return Lowered(op, (0,), {"table": softmax_table(scale)})

    @classmethod
    def examples(cls) -> list[Example]:
        """A vector and an image."""
        return [Example(cls(), (TensorType((1, 10)),)), Example(cls(), (TensorType((1, 3, 2, 5)),))]


@dataclass(frozen=True)
class LogSoftmax(Op):
    """Logarithm of the softmax over the last axis. It has no integer form: cut the network at the logits."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as the input."""
        (x,) = inputs
        return (x,)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's log_softmax."""
        return torch.log_softmax(x, dim=-1)
