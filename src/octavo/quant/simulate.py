"""The integer network in float arithmetic: a tap on the float executor that rounds what the integers would round."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.ops import Op
from octavo.ops.linear import bias_scale, half_bias
from octavo.run.float_run import Tap, float_run

__all__ = ["fake_quantize", "real_constants", "simulate", "simulation"]


def fake_quantize(x: torch.Tensor, encoding: QParams) -> torch.Tensor:
    """The real numbers that the encoding of an activation (per tensor) keeps of ``x``; half to even."""
    low, high = encoding.limits
    if encoding.dtype == "float16":
        return x.clamp(low, high).to(torch.float16).to(x.dtype)
    scale, zero_point = float(encoding.scale[0]), int(encoding.zero_point[0])
    return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, low, high)


def real_constants(quantized: Quantized) -> dict[str, torch.Tensor]:
    """float32 values that weights, other constants and biases keep, by name; biases in steps of their accumulator."""
    graph, plan = quantized.graph, quantized.plan
    real: dict[str, Array] = {}
    for name in graph.consts:
        if name in plan.qparams:
            real[name] = plan.qparams[name].dequantize(quantized.integers(name))
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Op) and op.bias is not None and op.weight is not None:
            name = node.inputs[op.bias]
            bias = quantized.bias(name).astype(np.float64)
            x, w = plan.qparams[node.inputs[0]], plan.qparams[node.inputs[op.weight]]
            if x.dtype == "float16":
                real[name] = half_bias(bias)
            else:
                step = bias_scale(x, w)
                real[name] = np.rint(bias / step) * step
    return {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in real.items()}


def simulation(quantized: Quantized, constants: Mapping[str, torch.Tensor] | None = None) -> Tap:
    """A tap that makes ``float_run`` compute what the integer network computes, up to a step where sums round.

    Integer kernels round half away from zero after exact sums, the simulation half to even after float sums: the two
    differ where a value lies within float32's error of the middle between two levels.
    """
    real = real_constants(quantized) if constants is None else constants
    qparams, consts = quantized.plan.qparams, quantized.graph.consts

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        if name in consts:
            return real[name].to(value.device) if name in real else value
        return fake_quantize(value, qparams[name])

    return tap


def simulate(quantized: Quantized, inputs: Mapping[str, Array | torch.Tensor]) -> dict[str, torch.Tensor]:
    """Outputs by name of the simulated integer network for float inputs [N, ...] in the graph's axis order."""
    with torch.inference_mode():
        return float_run(quantized.graph, inputs, simulation(quantized))
