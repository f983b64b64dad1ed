"""Networks whose batch norms hold what their inputs really were: built and run at the same time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ops import Add, BatchNorm, Clip, Conv2D, DepthwiseConv2D, FullyConnected, Mean
from octavo.passes.pipeline import normalize

__all__ = ["RELU", "RELU6", "Trained", "inverted_residual"]

RELU, RELU6 = Clip(minimum=0.0), Clip(0.0, 6.0)


class Trained(GraphBuilder):
    """A builder that runs each node on normal data, so that a batch norm can be given the statistics of its input."""

    def __init__(self, shape: tuple[int, ...], samples: int = 64, seed: int = 0) -> None:
        super().__init__("trained")
        self.rng = np.random.default_rng(seed)
        self.x = self.input("x", TensorType((1, *shape)))
        data = self.rng.normal(0.2, 1.0, (samples, *shape)).astype(np.float32)
        self.data: dict[str, torch.Tensor] = {self.x: torch.from_numpy(data)}

    @property
    def samples(self) -> NDArray[np.float32]:
        """The data."""
        return np.asarray(self.data[self.x].numpy())

    def single(self, array: Any, hint: str) -> str:
        """A float32 constant."""
        return self.const(np.asarray(array, np.float32), hint)

    def add(self, op: Any, inputs: Any, hint: str, source: str = "") -> str:
        """Add a node and run it."""
        name = super().add(op, inputs, hint, source)
        consts = {value: self.value(value) for value in inputs}
        arguments = [self.data[v] if c is None else torch.from_numpy(np.array(c)) for v, c in consts.items()]
        self.data[name] = op.eval_float(*arguments)
        return name

    def layer(
        self, op: Any, x: str, out: int, kernel: int, hint: str, activation: Any = None, norm: bool = True
    ) -> str:
        """A linear layer with batch norm (gamma of either sign) and activation."""
        width = self.type(x).shape[-1]
        if isinstance(op, FullyConnected):
            shape: tuple[int, ...] = (out, width)
        else:
            shape = (1, kernel, kernel, out) if isinstance(op, DepthwiseConv2D) else (out, kernel, kernel, width)
        w = self.rng.normal(0.3, 1.0, shape) / np.sqrt(np.prod(shape) / out)
        y = self.add(op, [x, self.single(w, f"{hint}.w"), self.single(np.zeros(out), f"{hint}.b")], hint, hint)
        if norm:
            y = self.norm(y)
        return y if activation is None else self.add(activation, [y], f"{hint}.act")

    def norm(self, x: str) -> str:
        """A batch norm that has seen the data."""
        rows = self.data[x].double().reshape(-1, self.type(x).shape[-1]).numpy()
        channels = rows.shape[1]
        gamma, beta = self.rng.uniform(0.5, 1.5, channels), self.rng.uniform(-0.5, 2.0, channels)
        gamma[::3] *= -1
        parameters = (gamma, beta, rows.mean(0), rows.var(0))
        return self.add(BatchNorm(1e-3), [x, *(self.single(p, "norm") for p in parameters)], "bn")


def inverted_residual(classes: int = 5, samples: int = 64) -> tuple[Graph, NDArray[np.float32]]:
    """Expansion, depthwise convolution, projection with an Add, mean, classifier without batch norm; and its data."""
    b = Trained((6, 6, 8), samples)
    y = b.layer(Conv2D(), b.x, 24, 1, "expand", RELU6)
    y = b.layer(DepthwiseConv2D(), y, 24, 3, "depthwise", RELU)
    y = b.layer(Conv2D(), y, 8, 1, "project")
    z = b.layer(Conv2D(), y, 8, 1, "again", RELU6)
    z = b.layer(Conv2D(), z, 8, 1, "last")
    y = b.add(Add(), [y, z], "add")
    y = b.add(Mean((1, 2)), [y], "mean")
    y = b.layer(FullyConnected(), y, classes, 1, "classify", norm=False)
    return normalize(b.finish([y])), b.samples
