"""Functions by table in training: the forward pass looks them up as the device does, gradients are the function's."""

from __future__ import annotations

import numpy as np
import torch

from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.ops import Unary
from octavo.ops.base import Share

__all__ = ["Lookups"]


class Lookups:
    """The nodes of a network whose integers come from a table of int8, and the values that they read."""

    def __init__(self, quantized: Quantized) -> None:
        qparams = quantized.plan.qparams
        self.sources: dict[str, str] = {}
        self._functions: dict[str, Unary] = {}
        for node in quantized.graph.nodes:
            output, op = node.outputs[0], node.op
            if not isinstance(op, Unary) or isinstance(op.constraint(), Share):
                continue
            if qparams[node.inputs[0]].dtype == qparams[output].dtype == "int8":
                self.sources[output], self._functions[output] = node.inputs[0], op
        self._read = set(self.sources.values())
        self._kept: dict[str, torch.Tensor] = {}

    def keep(self, name: str, value: torch.Tensor) -> None:
        """Remember a value of this forward pass if a function reads it."""
        if name in self._read:
            self._kept[name] = value.detach()

    def forget(self) -> None:
        """The forward pass is over."""
        self._kept.clear()

    def exact(self, name: str, value: torch.Tensor, x: QParams, y: QParams) -> torch.Tensor:
        """The output ``name`` as its table has it; ``value``, that of the function, gives the gradients.

        ``x`` and ``y`` are the present encodings.
        """
        with torch.no_grad():
            table = np.clip(self._functions[name].table(x, y), *y.limits)
            real = torch.from_numpy(y.dequantize(table).astype(np.float32)).to(value.device)
            levels = (self._kept[self.sources[name]] / float(x.scale[0])).round_().long() + int(x.zero_point[0]) + 128
            found: torch.Tensor = real[levels] - value
        return value + found
