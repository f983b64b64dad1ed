"""A quantized network as a torch module that trains: what it computes is what the integer network computes."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import PerChannel
from octavo.ops import Add, AveragePool2D, Mean, Op
from octavo.ops.unary import NONE, Clip
from octavo.quant.mixed import Budget
from octavo.quant.simulate import real_constants
from octavo.run.float_run import float_run
from octavo.train.activations import ActivationScales
from octavo.train.batch_norm import LiveBatchNorm, fold
from octavo.train.bit_budget import BitBudget
from octavo.train.bits import LearnedBits
from octavo.train.fake import Rounding, rounded
from octavo.train.head import preprocessing
from octavo.train.lookups import Lookups
from octavo.train.places import plain_rounding, rounding_of
from octavo.train.precision import full_float32
from octavo.train.scale import power_of_two
from octavo.train.weights import TrainedWeight, linear_nodes

__all__ = ["Trainable", "trainable"]


def trainable(
    quantized: Quantized,
    batch_norm: str = "fold",
    learn_scales: bool = True,
    learn_zero_points: bool = False,
    freeze: Collection[str] = (),
    learn_bits: Budget | None = None,
    keep_bits: Collection[str] = (),
) -> Trainable:
    """A torch module for quantization-aware training that starts where ``octavo.quantize`` ended.

    It takes and gives what the network takes and gives, [N, ...] in the user's axis order; several inputs in the
    network's order or by name. Weights, biases, scales (``learn_scales``) and zero points (``learn_zero_points``) are
    its parameters; ``finish()`` returns the integers. The float copy of the weights is what an optimizer moves.

    ``batch_norm``: "fold" trains weights with the batch norm folded in; "keep" gives each layer whose moments are known
    (``Graph.moments``) a live batch norm of its own, which needs weights with a scale for each channel.
    ``freeze`` names layers, by name or source, that keep their weights; what normalises the network's input is
    recognised and frozen, too: ``frozen`` lists both.

    ``learn_bits`` is a budget of bytes or mac-bits: every layer that trains then has 2 to 8 bits of its own, which are
    parameters, except those that ``keep_bits`` names. Add ``size_penalty()`` to the loss, and call ``settle_bits()``
    half-way; what ``finish()`` gives is within the budget.

    Raises OctavoError when a name is unknown, when nothing is left to train, for ``keep`` with weights per tensor, and
    for budgets that cannot be met or formats whose bits cannot be learned (log2, per-group).
    """
    if not isinstance(quantized, Quantized):
        raise OctavoError("trainable", f"got a {type(quantized).__name__}", "Quantize the network first.")
    return Trainable(quantized, batch_norm, learn_scales, learn_zero_points, freeze, learn_bits, keep_bits)


@dataclass(frozen=True)
class _Layer:
    """A linear layer by the names of its values."""

    node: Node
    source: str
    weight: str
    bias: str

    @staticmethod
    def of(node: Node) -> _Layer:
        op = node.op
        assert isinstance(op, Op) and op.weight is not None and op.bias is not None
        return _Layer(node, node.inputs[0], node.inputs[op.weight], node.inputs[op.bias])


class Trainable(nn.Module):
    """See ``trainable``."""

    def __init__(
        self,
        quantized: Quantized,
        batch_norm: str,
        learn_scales: bool,
        learn_zero_points: bool,
        freeze: Collection[str],
        learn_bits: Budget | None,
        keep_bits: Collection[str],
    ) -> None:
        super().__init__()
        if batch_norm not in ("fold", "keep"):
            raise OctavoError(f"batch_norm {batch_norm}", "is unknown", "Use fold or keep.")
        graph, plan = quantized.graph, quantized.plan
        if any(encoding.dtype == "float16" for encoding in plan.qparams.values()):
            raise OctavoError(graph.name, "is in float16: there is nothing to train for", "Choose an integer format.")
        self.quantized = quantized
        self.frozen = preprocessing(graph) | _named(graph, "freeze", freeze, "frozen as wished")
        layers = [_Layer.of(node) for node in linear_nodes(quantized)]
        still = {name for layer in layers if layer.node.name in self.frozen for name in (layer.weight, layer.bias)}
        if not {layer.weight for layer in layers} - still:
            raise OctavoError(graph.name, "has no layer left to train", "Freeze fewer layers.")
        self.budget = _bit_budget(quantized, layers, still, learn_bits, keep_bits)
        shares = {} if self.budget is None else self.budget.shares()
        kept = [layer for layer in layers if batch_norm == "keep" and layer.bias in graph.moments]
        kept = [layer for layer in kept if layer.weight not in still]
        if batch_norm == "keep" and not kept:
            raise OctavoError(
                graph.name,
                "has no batch norm to keep: no layer that trains had one, or the file has them folded already",
                'Train with batch_norm="fold", or load the network from torch or from a file with its batch norms.',
            )
        self._layers = {layer.node.outputs[0]: layer for layer in layers}
        # A weight or bias that several layers share is one.
        weights = {layer.weight: layer for layer in layers}
        self._weight = {name: position for position, name in enumerate(weights)}
        self.weights = nn.ModuleList(
            TrainedWeight(quantized, layer.node, name not in still, learn_scales, shares.get(name))
            for name, layer in weights.items()
        )
        self._bias = {name: position for position, name in enumerate(dict.fromkeys(layer.bias for layer in layers))}
        silent = {layer.bias for layer in kept}
        self.biases = nn.ParameterList(_bias(quantized, name, name not in still | silent) for name in self._bias)
        self._norm = {layer.node.outputs[0]: position for position, layer in enumerate(kept)}
        self.norms = nn.ModuleList(_live(quantized, layer, layers) for layer in kept)
        self._silent = {layer.bias: layer for layer in kept}
        self.lookups = Lookups(quantized)
        self._plain = {node.outputs[0]: node for node in graph.nodes if isinstance(node.op, AveragePool2D | Mean)}
        # Each layer reads a bias by a name of its own, for it rounds it to a step of its own.
        self._reader = {f"{layer.bias}:{output}": layer for output, layer in self._layers.items()}
        opened, clips = _without_clips(graph)
        self.graph = _own_biases(opened, self._layers)
        self.activations = ActivationScales(quantized, clips, learn_scales, learn_zero_points)
        taken = {*self._weight, *self._bias, *self.activations.encodings}
        constants = {name: x for name, x in real_constants(quantized).items() if name not in taken}
        self._constant = {name: f"constant{position}" for position, name in enumerate(sorted(constants))}
        for name, buffer in self._constant.items():
            self.register_buffer(buffer, constants[name])

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The network's outputs as it gives them: one tensor, or a tuple. In full float32, always."""
        given = self._inputs(inputs, named)
        with full_float32(self.device):
            found = float_run(self.graph, given, self.tap)
        self.lookups.forget()
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

        with full_float32(self.device):
            first = float_run(self.graph, inputs, tap)[self.graph.outputs[0]]
        self.lookups.forget()
        return first, found

    def feature_names(self) -> tuple[str, ...]:
        """The sums of residual blocks, which a teacher has too; without blocks, all layers' outputs."""
        nodes = [node for node in self.graph.nodes if node.outputs[0] not in self.graph.outputs]
        sums = [
            node.outputs[0] for node in nodes
            if isinstance(node.op, Add) and not any(self.graph.is_const(value) for value in node.inputs)
        ]  # fmt: skip
        return tuple(sums or [name for name in self._layers if name not in self.graph.outputs])

    def _inputs(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        graph = self.graph
        if len(inputs) > len(graph.inputs):
            raise OctavoError("forward", f"got {len(inputs)} inputs", f"The network takes {len(graph.inputs)}.")
        given = {**dict(zip(graph.inputs, inputs, strict=False)), **named}
        if not set(given) <= set(graph.inputs):
            unknown = sorted(set(given) - set(graph.inputs))
            raise OctavoError(f"input {unknown[0]}", "is no input of the network", f"It has {', '.join(graph.inputs)}.")
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
            weight: torch.Tensor = self._trained(name)()
            return weight
        if name in self._reader:
            return self._bias_value(self._reader[name])
        if name in self._constant:
            constant: torch.Tensor = getattr(self, self._constant[name])
            return constant
        if name in self._norm:
            value = self._live_norm(name)(value, self._step(self._layers[name]))
        if name not in self.activations.encodings:
            return value
        quantized: torch.Tensor = self.activations(name, value, self._rounding(name))
        source = self.lookups.sources.get(name)
        if source is not None:
            present = self.activations.present
            quantized = self.lookups.exact(name, quantized, present(source), present(name))
        self.lookups.keep(name, quantized)
        return quantized

    def _bias_value(self, layer: _Layer) -> torch.Tensor:
        bias = self.biases[self._bias[layer.bias]]
        if layer.bias in self._silent:
            return torch.zeros_like(bias)
        step = self._step(layer)
        return rounded(bias / step) * step

    @torch.no_grad()
    def _rounding(self, name: str) -> Rounding:
        """How the kernel that makes a value rounds."""
        encoding = self.activations.encodings[name]
        if name in self._plain:
            node = self._plain[name]
            x, y = self.activations.present(node.inputs[0]), self.activations.present(name)
            return plain_rounding(self.graph, node, x, y, self.device)
        if name not in self._layers or encoding.dtype != "int8":
            return Rounding()
        step = self._step(self._layers[name])
        if name in self._norm:
            step = step * self._live_norm(name).factor().abs().clamp_min(1e-30)
        return rounding_of(step / self.activations.scale(name), encoding.limits)

    @torch.no_grad()
    def _step(self, layer: _Layer) -> torch.Tensor:
        """The step of a layer's sums, [C] or [1]: its input's scale times its weights'."""
        return self.activations.scale(layer.source) * self._trained(layer.weight).scale().reshape(-1)

    def _live_norm(self, output: str) -> LiveBatchNorm:
        norm = self.norms[self._norm[output]]
        assert isinstance(norm, LiveBatchNorm)
        return norm

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def freeze_batch_norm(self) -> None:
        """Batch norms keep their running statistics from now on; call it when they have settled."""
        for norm in self.norms:
            assert isinstance(norm, LiveBatchNorm)
            norm.freeze()

    def size_penalty(self) -> torch.Tensor:
        """A term of the loss that presses the bits into the budget, 0-d; 0 within it, or where bits are not learned."""
        if self.budget is None:
            return torch.zeros((), device=self.device)
        return self.budget.penalty(self._learned_bits().values())

    def settle_bits(self) -> None:
        """The bits stay what they are from now on, whole numbers within the budget; the weights go on adapting."""
        if self.budget is not None and not self.settled:
            self.budget.settle(self._learned_bits())

    @property
    def starts_within_budget(self) -> bool:
        """Whether the network before training costs no more than the budget, or there is none."""
        if self.budget is None:
            return True
        first = {name: bits.first for name, bits in self._learned_bits().items()}
        return self.budget.cost(first) <= self.budget.budget.amount

    @property
    def settled(self) -> bool:
        """Whether no bits are learned any more."""
        return all(bool(bits.held) for bits in self._learned_bits().values())

    def bits(self) -> dict[str, int]:
        """By layer the bits of its weights now."""
        return {layer.node.name: self._trained(layer.weight).width for layer in self._layers.values()}

    def _learned_bits(self) -> dict[str, LearnedBits]:
        return {weight.name: weight.bits for weight in self.trained_weights() if weight.bits is not None}

    def parameter_groups(self, rate: float, weight_decay: float = 0.0, bits_rate: float = 0.01) -> list[dict[str, Any]]:
        """Groups for an optimizer: weights decay; biases, batch norms and the encodings do not.

        Learned bits have a group of their own: with Adam they move by about ``bits_rate`` a step at most.
        """
        masters = [weight.master for weight in self.trained_weights() if weight.master.requires_grad]
        bits = [learned.offset for learned in self._learned_bits().values()]
        apart = {id(parameter) for parameter in (*masters, *bits)}
        others = [p for p in self.parameters() if id(p) not in apart and p.requires_grad]
        groups = [
            {"params": masters, "lr": rate, "weight_decay": weight_decay},
            {"params": others, "lr": rate, "weight_decay": 0.0},
        ]
        if bits:
            # So that Adam soon forgets how steep the penalty was on the way to the budget, and does not run past it.
            groups.append({"params": bits, "lr": bits_rate, "weight_decay": 0.0, "betas": (0.5, 0.95)})
        return groups

    def trained_weights(self) -> Iterator[TrainedWeight]:
        """The weights of all linear layers, in the network's order."""
        return map(self._trained, self._weight)

    def _trained(self, name: str) -> TrainedWeight:
        weight = self.weights[self._weight[name]]
        assert isinstance(weight, TrainedWeight)
        return weight

    @torch.no_grad()
    def finish(self) -> Quantized:
        """The trained network as integers: the same graph, with new integers, biases and encodings in its plan.

        Learned bits are as ``settle_bits`` would leave them.
        """
        if not self.settled:
            settled = copy.deepcopy(self, {id(kept): kept for kept in (self.quantized, self.graph)})
            settled.settle_bits()
            return settled.finish()
        plan = self.quantized.plan
        qparams = {**plan.qparams, **{name: self.activations.present(name) for name in self.activations.encodings}}
        results = {name: self._trained(name).result() for name in self._weight}
        biases = {name: self.biases[position].double().cpu().numpy() for name, position in self._bias.items()}
        for name, layer in self._silent.items():
            norm, weight = self._live_norm(layer.node.outputs[0]), self._trained(layer.weight)
            encoding, array, biases[name] = fold(norm, *results[layer.weight], weight.axis)
            results[layer.weight] = encoding, array
        qparams |= {name: encoding for name, (encoding, _) in results.items()}
        integers = {name: array for name, (_, array) in results.items()}
        reasons = dict.fromkeys((*integers, *biases), "trained with the quantizer in the loop")
        return self.quantized.with_(
            qparams=qparams,
            integers={**plan.integers, **integers},
            biases={**plan.biases, **biases},
            reasons={**plan.reasons, **reasons},
            notes=(*plan.notes, *self._notes()),
        )

    def _notes(self) -> tuple[str, ...]:
        if self.budget is None:
            return ()
        names = {layer.weight: layer.node.name for layer in self._layers.values()}
        return self.budget.notes(self._learned_bits(), names)

    def get_extra_state(self) -> torch.Tensor:
        """What its parameters belong to: the graph and the formats, as bytes."""
        kinds = sorted(
            (name, e.dtype, repr(e.granularity), repr(e.levels)) for name, e in self.quantized.plan.qparams.items()
        )
        digest = hashlib.sha256(f"{self.quantized.plan.graph_digest} {kinds}".encode()).digest()
        return torch.from_numpy(np.frombuffer(digest, np.uint8).copy())

    def set_extra_state(self, state: torch.Tensor) -> None:
        """OctavoError when the parameters to load belong to another network or format."""
        if not torch.equal(state.cpu(), self.get_extra_state()):
            raise OctavoError(
                self.quantized.graph.name,
                "the parameters are of another network or format",
                "Load them where they belong.",
            )


def _bias(quantized: Quantized, name: str, learned: bool) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(quantized.bias(name), np.float32)), learned)


def _live(quantized: Quantized, layer: _Layer, layers: list[_Layer]) -> LiveBatchNorm:
    """A batch norm of the layer's own; OctavoError where it could not be folded at the end."""
    weights, why = quantized.plan.qparams[layer.weight], None
    if not isinstance(weights.granularity, PerChannel):
        why = "its weights have one scale for the tensor"
    elif power_of_two(weights.scale):
        why = "its scales are powers of two"
    elif sum(other.weight == layer.weight for other in layers) > 1:
        why = "other layers share its weights"
    if why is not None:
        remedy = 'Train with batch_norm="fold", or quantize per channel with free scales and weights of its own.'
        raise OctavoError(
            layer.node.source or layer.node.name,
            f"{why}, and a batch norm that is kept rescales every channel when it is folded",
            remedy,
        )
    name = layer.bias
    return LiveBatchNorm(quantized.graph.moments[name], quantized.graph.consts[name], quantized.bias(name))


def _without_clips(graph: Graph) -> tuple[Graph, dict[str, Clip]]:
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


def _own_biases(graph: Graph, layers: Mapping[str, _Layer]) -> Graph:
    """The graph in which every layer reads its bias under the name ``bias:output``."""
    nodes, consts, types = [], dict(graph.consts), dict(graph.types)
    for node in graph.nodes:
        layer = layers.get(node.outputs[0])
        if layer is None:
            nodes.append(node)
            continue
        name = f"{layer.bias}:{node.outputs[0]}"
        consts[name], types[name] = graph.consts[layer.bias], graph.types[layer.bias]
        inputs = tuple(name if value == layer.bias else value for value in node.inputs)
        nodes.append(replace(node, inputs=inputs))
    return graph.with_(nodes=tuple(nodes), consts=consts, types=types)


def _bit_budget(
    quantized: Quantized, layers: list[_Layer], still: set[str], budget: Budget | None, keep: Collection[str]
) -> BitBudget | None:
    """The budget of the layers whose bits are learned: all but the frozen ones and those that the user names."""
    kept = _named(quantized.graph, "keep_bits", keep, "kept as wished")
    if budget is None:
        if kept:
            raise OctavoError("keep_bits", "has no effect where no bits are learned", "Give learn_bits, too.")
        return None
    held = still | {layer.weight for layer in layers if layer.node.name in kept}
    return BitBudget.of(quantized, budget, [layer.node for layer in layers if layer.weight not in held])


def _named(graph: Graph, what: str, wishes: Collection[str], reason: str) -> dict[str, str]:
    """The nodes that the user names, by name or source, with the reason."""
    found: dict[str, str] = {}
    for wish in [wishes] if isinstance(wishes, str) else wishes:
        nodes = [node.name for node in graph.nodes if wish in (node.name, node.source)]
        if not nodes:
            raise OctavoError(f"{what} {wish}", "is no layer of the network", "octavo inspect MODEL lists them.")
        found |= dict.fromkeys(nodes, reason)
    return found
