"""A quantized network as a torch module that trains: what it computes is what the integer network computes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import PerChannel
from octavo.ops import Add, AveragePool2D, Mean, Op
from octavo.ops.unary import NONE, Clip
from octavo.quant.simulate import real_constants
from octavo.run.float_run import float_run
from octavo.train.activations import ActivationScales
from octavo.train.batch_norm import LiveBatchNorm, fold
from octavo.train.fake import rounded
from octavo.train.head import preprocessing
from octavo.train.places import few, fixed_places, places_of_multiplier
from octavo.train.weights import TrainedWeight, linear_nodes

__all__ = ["Trainable", "trainable"]


def trainable(
    quantized: Quantized,
    batch_norm: str = "fold",
    learn_scales: bool = True,
    learn_zero_points: bool = False,
    freeze: Collection[str] = (),
) -> Trainable:
    """A torch module for quantization-aware training that starts where ``octavo.quantize`` ended.

    It takes and gives what the network takes and gives, [N, ...] in the user's axis order; several inputs in the
    network's order or by name. Weights, biases, scales (``learn_scales``) and zero points (``learn_zero_points``) are
    its parameters; ``finish()`` returns the integers. The float copy of the weights is what an optimizer moves.

    ``batch_norm``: "fold" trains weights with the batch norm folded in; "keep" gives each layer whose moments are known
    (``Graph.moments``) a live batch norm of its own, which needs weights with a scale for each channel.
    ``freeze`` names layers, by name or source, that keep their weights; what normalises the network's input is
    recognised and frozen, too: ``frozen`` lists both.

    Raises OctavoError when a name is unknown, when nothing is left to train, or for ``keep`` with weights per tensor.
    """
    if not isinstance(quantized, Quantized):
        raise OctavoError("trainable", f"got a {type(quantized).__name__}", "Quantize the network first.")
    return Trainable(quantized, batch_norm, learn_scales, learn_zero_points, freeze)


class Trainable(nn.Module):
    """See ``trainable``."""

    def __init__(
        self,
        quantized: Quantized,
        batch_norm: str,
        learn_scales: bool,
        learn_zero_points: bool,
        freeze: Collection[str],
    ) -> None:
        super().__init__()
        if batch_norm not in ("fold", "keep"):
            raise OctavoError(f"batch_norm {batch_norm}", "is unknown", "Use fold or keep.")
        graph, plan = quantized.graph, quantized.plan
        if any(encoding.dtype == "float16" for encoding in plan.qparams.values()):
            raise OctavoError(graph.name, "is in float16: there is nothing to train for", "Choose an integer format.")
        self.quantized = quantized
        nodes = linear_nodes(quantized)
        self.frozen = _frozen(graph, freeze)
        learned = [node for node in nodes if node.name not in self.frozen]
        if not learned:
            raise OctavoError(graph.name, "has no layer left to train", "Freeze fewer layers.")
        self.weights = nn.ModuleList(TrainedWeight(quantized, node, learn_scales) for node in learned)
        kept = [node for node in learned if batch_norm == "keep" and _bias_name(node) in graph.moments]
        # A batch norm has a bias of its own.
        self.biases = nn.ParameterList(_bias(quantized, node, node not in kept) for node in learned)
        self.norms = nn.ModuleList(_live(quantized, node) for node in kept)
        self._roles(learned, kept)
        self.graph, clips = _sums(graph)
        self.activations = ActivationScales(quantized, clips, learn_scales, learn_zero_points)
        constants = real_constants(quantized)
        self._constant_index = {name: position for position, name in enumerate(sorted(constants))}
        for name, position in self._constant_index.items():
            self.register_buffer(f"constant{position}", constants[name], persistent=False)

    def _roles(self, learned: list[Node], kept: list[Node]) -> None:
        """By value: the position of its weight, bias or batch norm."""
        self._weight = {node.inputs[_weight_index(node)]: position for position, node in enumerate(learned)}
        self._bias = {_bias_name(node): position for position, node in enumerate(learned)}
        self._sources = {_bias_name(node): (node.inputs[0], node.inputs[_weight_index(node)]) for node in learned}
        self._sums = {node.outputs[0]: self._sources[_bias_name(node)] for node in learned}
        self._plain = {
            node.outputs[0]: node for node in self.quantized.graph.nodes if isinstance(node.op, AveragePool2D | Mean)
        }
        self._norm = {node.outputs[0]: position for position, node in enumerate(kept)}
        self._silent = {_bias_name(node): position for position, node in enumerate(kept)}

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The network's outputs as it gives them: one tensor, or a tuple."""
        given = self._inputs(inputs, named)
        found = float_run(self.graph, given, self.tap)
        return self._outputs(found)

    def run(
        self, inputs: Mapping[str, torch.Tensor], features: Collection[str] = ()
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The first output, and values by name, for inputs [N, ...] in the graph's axis order."""
        found: dict[str, torch.Tensor] = {}

        def tap(name: str, value: torch.Tensor) -> torch.Tensor:
            value = self.tap(name, value)
            if name in features:
                found[name] = value
            return value

        return float_run(self.graph, inputs, tap)[self.graph.outputs[0]], found

    def feature_names(self) -> tuple[str, ...]:
        """The sums of residual blocks, which a teacher has too; without blocks, all convolutions' outputs."""
        nodes = [node for node in self.graph.nodes if node.outputs[0] not in self.graph.outputs]
        sums = [node.outputs[0] for node in nodes if isinstance(node.op, Add)]
        return tuple(sums or [name for name in self._sums if name not in self.graph.outputs])

    def _inputs(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        graph = self.graph
        if len(inputs) > len(graph.inputs):
            raise OctavoError("forward", f"got {len(inputs)} inputs", f"The network takes {len(graph.inputs)}.")
        given = {**dict(zip(graph.inputs, inputs, strict=False)), **named}
        return {
            name: x.permute(graph.layouts[name]) if name in graph.layouts else x
            for name, x in ((name, torch.as_tensor(x)) for name, x in given.items())
        }

    def _outputs(self, found: Mapping[str, torch.Tensor]) -> Any:
        layouts = self.graph.layouts
        outputs = tuple(x.permute(layouts[name]) if name in layouts else x for name, x in found.items())
        return outputs[0] if len(outputs) == 1 else outputs

    def tap(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The tap on the float executor that makes it the network in training."""
        if name in self._weight:
            weight: torch.Tensor = self._trained(self._weight[name])()
            return weight
        if name in self._bias:
            return self._bias_value(name)
        if name in self._constant_index:
            constant: torch.Tensor = getattr(self, f"constant{self._constant_index[name]}")
            return constant
        if name in self._norm:
            value = self._live_norm(self._norm[name])(value, self._step(*self._sums[name]))
        if name not in self.activations.encodings:
            return value
        quantized: torch.Tensor = self.activations(name, value, self._places(name))
        return quantized

    def _bias_value(self, name: str) -> torch.Tensor:
        bias = self.biases[self._bias[name]]
        if name in self._silent:
            return torch.zeros_like(bias)
        step = self._step(*self._sources[name])
        return rounded(bias / step) * step

    @torch.no_grad()
    def _places(self, name: str) -> torch.Tensor | None:
        """The binary places to which the kernel that makes a value rounds first, if they are few."""
        if name in self._plain:
            x, y = (self.activations.present(value) for value in (self._plain[name].inputs[0], name))
            places = fixed_places(self.graph, self._plain[name], x, y)
            return None if places is None else torch.tensor([float(places)], device=self.device)
        if name not in self._sums or self.activations.encodings[name].dtype != "int8":
            return None
        step = self._step(*self._sums[name])
        if name in self._norm:
            step = step * self._live_norm(self._norm[name]).factor().abs().clamp_min(1e-30)
        return few(places_of_multiplier(step / self.activations.scale(name)))

    @torch.no_grad()
    def _step(self, source: str, weight: str) -> torch.Tensor:
        """The step of a layer's sums, [C] or [1]: its input's scale times its weights'."""
        return self.activations.scale(source) * self._trained(self._weight[weight]).scale().reshape(-1)

    def _live_norm(self, position: int) -> LiveBatchNorm:
        norm = self.norms[position]
        assert isinstance(norm, LiveBatchNorm)
        return norm

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self._trained(0).master.device

    def freeze_batch_norm(self) -> None:
        """Batch norms keep their running statistics from now on; call it when they have settled."""
        for norm in self.norms:
            assert isinstance(norm, LiveBatchNorm)
            norm.freeze()

    def parameter_groups(self, rate: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        """Groups for an optimizer: weights decay; biases, batch norms and the encodings do not."""
        masters = [weight.master for weight in self.trained_weights()]
        decayed = {id(parameter) for parameter in masters}
        others = [p for p in self.parameters() if id(p) not in decayed and p.requires_grad]
        return [
            {"params": masters, "lr": rate, "weight_decay": weight_decay},
            {"params": others, "lr": rate, "weight_decay": 0.0},
        ]

    def trained_weights(self) -> Iterator[TrainedWeight]:
        """The weights in training, in the network's order."""
        return map(self._trained, range(len(self.weights)))

    def _trained(self, position: int) -> TrainedWeight:
        weight = self.weights[position]
        assert isinstance(weight, TrainedWeight)
        return weight

    @torch.no_grad()
    def finish(self) -> Quantized:
        """The trained network as integers: the same graph, with new integers, biases and encodings in its plan."""
        plan = self.quantized.plan
        qparams = {**plan.qparams, **{name: self.activations.present(name) for name in self.activations.encodings}}
        integers: dict[str, Array] = {}
        biases: dict[str, Array] = {}
        for (name, position), weight in zip(self._bias.items(), self.trained_weights(), strict=True):
            qparams[weight.name], integers[weight.name] = weight.result()
            biases[name] = self.biases[position].double().cpu().numpy()
            if name in self._silent:
                norm = self._live_norm(self._silent[name])
                folded = fold(norm, qparams[weight.name], integers[weight.name], weight.axis)
                qparams[weight.name], integers[weight.name], biases[name] = folded
        reasons = dict.fromkeys((*integers, *biases), "trained with the quantizer in the loop")
        return self.quantized.with_(
            qparams=qparams,
            integers={**plan.integers, **integers},
            biases={**plan.biases, **biases},
            reasons={**plan.reasons, **reasons},
        )


def _weight_index(node: Node) -> int:
    op = node.op
    assert isinstance(op, Op) and op.weight is not None
    return op.weight


def _bias_name(node: Node) -> str:
    op = node.op
    assert isinstance(op, Op) and op.bias is not None
    return node.inputs[op.bias]


def _bias(quantized: Quantized, node: Node, learned: bool) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(quantized.bias(_bias_name(node)), np.float32)), learned)


def _live(quantized: Quantized, node: Node) -> LiveBatchNorm:
    weights = quantized.plan.qparams[node.inputs[_weight_index(node)]]
    if not isinstance(weights.granularity, PerChannel):
        raise OctavoError(
            node.source or node.name,
            "its weights have one scale for the tensor, and a batch norm that is kept rescales every channel when it "
            "is folded at the end",
            'Quantize with granularity="per-channel", or train with batch_norm="fold".',
        )
    name = _bias_name(node)
    return LiveBatchNorm(quantized.graph.moments[name], quantized.graph.consts[name], quantized.bias(name))


def _sums(graph: Graph) -> tuple[Graph, dict[str, Clip]]:
    """The graph without the clips in its operators, and these by value.

    As in the integer kernels, an activation is the range of the output's integers: fake quantization clamps to it.
    """
    nodes, clips = [], {}
    for node in graph.nodes:
        op: Any = node.op
        clip = getattr(op, "activation", NONE)
        nodes.append(node if clip.is_none else replace(node, op=replace(op, activation=NONE)))
        if not clip.is_none:
            clips[node.outputs[0]] = clip
    return graph.with_(nodes=tuple(nodes)), clips


def _frozen(graph: Graph, named: Collection[str]) -> dict[str, str]:
    """By node why its weights stay: the user's wish, or that it prepares the network's input."""
    found = dict(preprocessing(graph))
    for wish in named:
        nodes = [node.name for node in graph.nodes if wish in (node.name, node.source)]
        if not nodes:
            raise OctavoError(f"freeze {wish}", "is no layer of the network", "octavo inspect MODEL lists them.")
        found |= dict.fromkeys(nodes, "frozen as wished")
    return found
