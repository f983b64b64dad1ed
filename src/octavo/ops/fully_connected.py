"""Fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.half import HalfFullyConnected
from octavo.ops.integer import QFullyConnected, QFullyConnected16
from octavo.ops.linear import half_parameters, requantized_parameters
from octavo.ops.unary import NONE, Clip

__all__ = ["FullyConnected"]


@dataclass(frozen=True)
class FullyConnected(Op):
    """x [..., I], weights [O, I], bias [O] -> [..., O]."""

    activation: Clip = NONE

    weight: ClassVar[int | None] = 1
    bias: ClassVar[int | None] = 2
    channel_axis: ClassVar[int] = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[..., O]."""
        x, w, b = inputs
        if len(x.shape) < 2 or len(w.shape) != 2 or w.shape[1] != x.shape[-1] or b.shape != (w.shape[0],):
            raise ValueError(f"weights {w} and bias {b} do not match input {x}")
        return (TensorType((*x.shape[:-1], w.shape[0]), x.dtype),)

    def eval_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's linear."""
        return self.activation.eval_float(F.linear(x, w, b))

    def lower(self, site: Site) -> Lowered:
        """A QFullyConnected, or its int16 or float16 form."""
        out_features, in_features = site.type(1).shape
        rows = site.out_type().size // out_features
        if site.dtype() == "float16":
            limits, halves = half_parameters(site, self.activation)
            halves["weights"] = np.ascontiguousarray(halves["weights"].T)
            return Lowered(HalfFullyConnected(rows, in_features, out_features, **limits), (0,), halves)
        fields, consts = requantized_parameters(site, self.activation)
        form = site.form(QFullyConnected, QFullyConnected16)
        op = form(rows=rows, in_features=in_features, out_features=out_features, **fields)
        return Lowered(op, (0,), consts)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times inputs."""
        return outputs[0].size * inputs[1].shape[1]

    @classmethod
    def examples(cls) -> list[Example]:
        """A vector and a sequence."""
        rng = np.random.default_rng(0)
        w, b = rng.normal(size=(5, 7)).astype(np.float32), rng.normal(size=5).astype(np.float32)
        parameters = (TensorType(w.shape), TensorType(b.shape))
        return [
            Example(cls(), (TensorType((1, 7)), *parameters), {1: w, 2: b}),
            Example(cls(activation=Clip(0.0)), (TensorType((1, 3, 7)), *parameters), {1: w, 2: b}),
        ]
