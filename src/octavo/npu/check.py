"""The findings of ``octavo check``: layer by layer what a target supports, takes and leaves idle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octavo.ir.graph import Graph
from octavo.memory import Buffer, View, held
from octavo.npu.adapt import find_remedy
from octavo.npu.align import Channels, channel_report
from octavo.npu.array import Cost, activation_bytes, cost
from octavo.npu.block_diagonal import hidden_groups
from octavo.npu.support import Support
from octavo.ops import Identity, Reshape

__all__ = ["Findings", "Layer", "check"]


@dataclass(frozen=True)
class Layer:
    """One node: why it is not supported (nothing where it is), the rewrites that would help, what it costs."""

    source: str
    op: str
    output_shape: tuple[int, ...]
    reasons: tuple[str, ...]
    remedy: tuple[str, ...] | None
    cost: Cost

    @property
    def supported(self) -> bool:
        """Whether the target runs it as it is."""
        return not self.reasons


@dataclass(frozen=True)
class Findings:
    """What a network is to a target in one number format. Totals are of the supported layers.

    ``groups`` are those of dense convolutions whose weights are block-diagonal, by source.
    """

    support: Support
    layers: tuple[Layer, ...]
    channels: tuple[Channels, ...]
    groups: Mapping[str, int]
    weight_bytes: int
    peak_bytes: int
    peak_layer: str

    @property
    def unsupported(self) -> tuple[Layer, ...]:
        """Layers that the target does not run as they are."""
        return tuple(layer for layer in self.layers if not layer.supported)

    @property
    def macs(self) -> int:
        """Of the whole network."""
        return sum(layer.cost.macs for layer in self.layers)

    @property
    def cycles(self) -> float | None:
        """Of all supported layers; None where nothing is known."""
        return _total([layer.cost.cycles for layer in self.layers if layer.supported])

    @property
    def plain_cycles(self) -> float | None:
        """The same on the array without special units."""
        return _total([layer.cost.plain_cycles for layer in self.layers if layer.supported])

    @property
    def utilisation(self) -> float | None:
        """Multiply-accumulates of all layers on the array over those it does in their time."""
        accelerator = self.support.target.accelerator
        on = [layer.cost for layer in self.layers if layer.cost.array_cycles]
        if accelerator is None or not on:
            return None
        return sum(row.macs for row in on) / (sum(row.array_cycles or 0 for row in on) * accelerator.macs_per_cycle)

    @property
    def memory_bound_cycles(self) -> float:
        """Cycles of the layers that wait for a memory."""
        return sum(layer.cost.cycles or 0.0 for layer in self.layers if layer.cost.bound in ("flash", "RAM", "bus"))

    @property
    def milliseconds(self) -> float | None:
        """The cycles at the target's clock."""
        target = self.support.target
        clock = target.accelerator or target.cycles
        return None if clock is None or self.cycles is None else 1e3 * self.cycles / clock.clock_hz

    @property
    def microjoules(self) -> float | None:
        """Energy of the supported layers, where the target says any."""
        total = _total([layer.cost.picojoules for layer in self.layers if layer.supported])
        return None if total is None else total / 1e6

    @property
    def fits(self) -> bool:
        """Whether weights and activations fit the target's memories."""
        target = self.support.target
        return self.weight_bytes <= target.flash_bytes and self.peak_bytes <= target.ram_bytes

    def document(self) -> Mapping[str, Any]:
        """For JSON."""
        target = self.support.target
        return {
            "target": target.name,
            "format": self.support.format.name,
            "unsupported": len(self.unsupported),
            "macs": self.macs,
            "utilisation": self.utilisation,
            "cycles": self.cycles,
            "plain_cycles": self.plain_cycles,
            "memory_bound_cycles": self.memory_bound_cycles,
            "milliseconds": self.milliseconds,
            "microjoules": self.microjoules,
            "weight_bytes": self.weight_bytes,
            "flash_bytes": target.flash_bytes,
            "peak_bytes": self.peak_bytes,
            "peak_layer": self.peak_layer,
            "ram_bytes": target.ram_bytes,
            "fits": self.fits,
            "layers": [self._row(layer) for layer in self.layers],
            "channels": [vars(row) for row in self.channels],
            "hidden_groups": dict(self.groups),
        }

    def _row(self, layer: Layer) -> dict[str, Any]:
        row, accelerator = layer.cost, self.support.target.accelerator
        return {
            "source": layer.source,
            "op": layer.op,
            "output_shape": list(layer.output_shape),
            "supported": layer.supported,
            "reasons": list(layer.reasons),
            "rewrites": None if layer.remedy is None else list(layer.remedy),
            "unit": row.unit,
            "macs": row.macs,
            "utilisation": None if accelerator is None else row.utilisation(accelerator.macs_per_cycle),
            "cycles": row.cycles,
            "plain_cycles": row.plain_cycles,
            "bound": row.bound,
            "weight_bytes": row.weight_bytes,
            "activation_bytes": row.activation_bytes,
        }


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def check(graph: Graph, support: Support) -> Findings:
    """How the network fits the target in the number format."""
    layers = []
    for node in graph.nodes:
        reasons = tuple(support.reasons(node, graph.types.__getitem__))
        found = find_remedy(graph, node, support) if reasons else None
        layers.append(
            Layer(
                node.source or node.name,
                node.kind,
                graph.types[node.outputs[0]].shape,
                reasons,
                None if found is None else found.steps,
                cost(graph, node, support, not reasons),
            )
        )
    peak, where = _peak(graph, support)
    weights = sum(layer.cost.weight_bytes for layer in layers)
    channels = channel_report(graph, support) if support.target.accelerator is not None else []
    groups = hidden_groups(graph, support)
    return Findings(support, tuple(layers), tuple(channels), groups, weights, peak, where)


def _peak(graph: Graph, support: Support) -> tuple[int, str]:
    """The most bytes of activations alive in one step, and the layer of that step: no plan takes less."""
    last = {value: step for step, node in enumerate(graph.nodes) for value in node.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    first = dict.fromkeys(graph.inputs, 0) | {node.outputs[0]: step for step, node in enumerate(graph.nodes)}
    buffers = [
        Buffer(value, activation_bytes(graph, value, support.format), step, max(last.get(value, step), step))
        for value, step in first.items()
    ]
    views = [
        View(node.outputs[0], node.inputs[0])
        for node in graph.nodes
        if isinstance(node.op, Reshape | Identity) and node.inputs[0] in first
    ]
    steps = held(buffers, views, [])[: len(graph.nodes)]
    if not steps:
        return 0, ""
    most = max(range(len(steps)), key=steps.__getitem__)
    node = graph.nodes[most]
    return steps[most], node.source or node.name
