"""The float and the quantized network run node by node over the same samples, for methods that go layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from octavo.ir.extract import extract
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.evenly import evenly
from octavo.quant.simulate import fake_quantize
from octavo.run.float_run import float_run

__all__ = ["Lockstep", "fitting", "kept_constant", "memory_note"]

_CHUNK = 20


def fitting(graph: Graph, inputs: Mapping[str, Array], max_bytes: int) -> dict[str, Array]:
    """As many samples, evenly spaced, as keep the two sets of live activations within ``max_bytes``."""
    last = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
    live: set[str] = set(graph.inputs)
    peak = 1
    for index, node in enumerate(graph.nodes):
        live.update(node.outputs)
        peak = max(peak, sum(graph.types[value].nbytes for value in live))
        live = {value for value in live if last.get(value, -1) > index or value in graph.outputs}
    count = max(1, max_bytes // (2 * peak))
    return {name: array[evenly(len(array), count)] if count < len(array) else array for name, array in inputs.items()}


def memory_note(step: str, used: Mapping[str, Array], given: Mapping[str, Array]) -> tuple[str, ...]:
    """A note if ``fitting`` left samples out."""
    some, all_of = (len(next(iter(inputs.values()))) for inputs in (used, given))
    if some == all_of:
        return ()
    return (f"{step} used {some} of {all_of} samples, evenly spaced, to stay within its memory",)


class Lockstep:
    """Where the pass stands: the plan so far, and the live activations of the float and of the quantized network."""

    def __init__(self, quantized: Quantized, inputs: Mapping[str, Array]) -> None:
        self.quantized = quantized
        graph = quantized.graph
        self.float = {name: torch.as_tensor(np.ascontiguousarray(inputs[name]), dtype=torch.float32) for name in inputs}
        self.rounded = {name: fake_quantize(value, quantized.plan.qparams[name]) for name, value in self.float.items()}
        self._last = {value: node.name for node in graph.nodes for value in node.inputs}

    def advance(self, node: Node) -> None:
        """Run one node in both networks and forget what nothing reads any more."""
        graph, plan, output = self.quantized.graph, self.quantized.plan, node.outputs[0]
        part = extract(graph, [node]).with_(outputs=(output,))
        constants = {
            value: kept_constant(self.quantized, value)
            for value in part.consts
            if value in plan.qparams or value in plan.biases
        }

        def tap(name: str, value: torch.Tensor) -> torch.Tensor:
            if name in constants:
                return constants[name]
            return fake_quantize(value, plan.qparams[name]) if name == output else value

        for values, watch in ((self.float, None), (self.rounded, tap)):
            count = len(next(iter(values.values())))
            parts = [
                float_run(part, {v: values[v][i : i + _CHUNK] for v in part.inputs}, watch)[output]
                for i in range(0, count, _CHUNK)
            ]
            values[output] = torch.cat(parts)
            for value in set(node.inputs):
                if self._last.get(value) == node.name and value not in graph.outputs:
                    values.pop(value, None)


def kept_constant(quantized: Quantized, name: str) -> torch.Tensor:
    """float32: what the plan keeps of a constant; a bias as it is, or corrected."""
    encoding = quantized.plan.qparams.get(name)
    real = quantized.bias(name) if encoding is None else encoding.dequantize(quantized.integers(name))
    return torch.from_numpy(np.array(real, np.float32))
