"""Leaky ReLU with a learned slope per channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.half import HalfPrelu
from octavo.ops.integer import QPrelu, QPrelu16, prelu_parameters

__all__ = ["Prelu"]


@dataclass(frozen=True)
class Prelu(Op):
    """x if x > 0 else alpha * x; alpha is a constant of shape [C] (last axis) or [1]."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, alpha = inputs
        if alpha.shape not in ((1,), x.shape[-1:]):
            raise ValueError(f"alpha {alpha} must have the {x.shape[-1]} channels of {x}, or be one number")
        return (x,)

    def eval_float(self, x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """By its definition."""
        return torch.where(x > 0, x, alpha * x)

    def lower(self, site: Site) -> Lowered:
        """A QPrelu; alpha is an int8 constant with an encoding of its own. Or its float16 form."""
        if site.dtype() == "float16":
            slopes = site.integers(1)
            return Lowered(HalfPrelu(site.out_type().size, slopes.size), (0,), {"alpha": slopes})
        if site.x(1).dtype != "int8":
            raise OctavoError(
                site.node.source or site.node.name,
                f"its slopes are {site.x(1).dtype}",
                "Quantize the slopes as int8, for activations of either dtype.",
            )
        alpha = site.integers(1)
        fields = prelu_parameters(site.x(0), site.x(1), site.y())
        return Lowered(
            site.form(QPrelu, QPrelu16)(size=site.out_type().size, channels=alpha.size, **fields),
            (0,),
            {"alpha": alpha},
        )

    @classmethod
    def examples(cls) -> list[Example]:
        """One slope a channel, one for all."""
        alpha = np.array([0.1, 0.25, -0.3], dtype=np.float32)
        image = TensorType((1, 4, 5, 3))
        return [
            Example(cls(), (image, TensorType((3,))), {1: alpha}),
            Example(cls(), (image, TensorType((1,))), {1: alpha[:1]}),
        ]
