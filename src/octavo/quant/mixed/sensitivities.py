"""How much noise each layer's choice of numbers puts on the network's outputs, measured one layer at a time.

Noise is that of the outputs over their power; of an output that a softmax or sigmoid gives, that of its input, because
a saturated function hides on few samples what it does to many. Noises of different layers are taken as additive: to
first order each rounding adds an error of its own, and errors of different roundings are uncorrelated (Zhou et al.
2018, Adaptive Quantization for Deep Neural Network; HAWQ, Dong et al. 2019, expands the loss instead). A choice has two
parts, measured apart: the layer's weights rounded, all else float; and its output rounded, all else float. A value that
an int16 node makes and an int8 node reads is rounded by the Requantize between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.extract import extract
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.evenly import evenly
from octavo.num.formats import WeightFormat
from octavo.num.options import Option
from octavo.num.qparams import QParams
from octavo.ops import AveragePool2D, Op, ResizeBilinear, Sigmoid, Softmax
from octavo.ops.base import Share
from octavo.quant.lockstep import fitting
from octavo.quant.observe import Observation
from octavo.quant.quantize import Scheme, quantize_observed
from octavo.quant.ranges.weights import weight_qparams
from octavo.quant.regions import has_int16, wide_format
from octavo.quant.simulate import fake_quantize, real_constants
from octavo.run.float_run import float_run

__all__ = ["Sensitivities", "Value", "sensitivities", "watched"]

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Value:
    """An activation: the node that makes it ("" for an input), those that read it, and the noise of an int8 rounding.

    Inputs and outputs of the network are int8, whatever makes and reads them.
    """

    name: str
    maker: str
    readers: tuple[str, ...]
    output: bool
    narrowing: float


@dataclass(frozen=True)
class Sensitivities:
    """Noise power over signal power at the outputs (their mean, where there are several), from ``samples`` samples.

    ``watched`` are the values where it is measured: the outputs, or the inputs of their softmax or sigmoid.

    ``noise`` holds for each node the noise of each choice: names of ``options`` for the ``linear`` layers, int8 and
    int16 for other nodes. ``constant`` is what the inputs' rounding adds in any case.
    """

    options: tuple[Option, ...]
    noise: Mapping[str, Mapping[str, float]]
    values: tuple[Value, ...]
    linear: frozenset[str]
    constant: float = 0.0
    samples: int = 0
    watched: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frozen = {node: MappingProxyType(dict(choices)) for node, choices in self.noise.items()}
        object.__setattr__(self, "noise", MappingProxyType(frozen))

    def is_wide(self, choice: str) -> bool:
        """Whether a choice has int16 activations."""
        return choice == "int16" or choice.startswith("16x")


def sensitivities(
    graph: Graph,
    inputs: Mapping[str, Array],
    options: Sequence[Option],
    scheme: Scheme,
    observation: Observation,
    rounded: Mapping[str, Quantized] | None = None,
    samples: int = 32,
    max_bytes: int = 2**29,
    progress: Callable[[int], None] | None = None,
) -> Sensitivities:
    """Measure every choice of every node of a graph that ``align`` has prepared (without int16 regions).

    ``inputs`` are float arrays [N, ...] in the graph's axis order, of which ``samples`` are used, evenly spaced, fewer
    where the live activations would exceed ``max_bytes``. ``observation`` gives the ranges by the methods of
    ``scheme``. ``rounded`` gives, by the name of an option, a Quantized of this graph whose learned weights are
    measured in place of the nearest ones. ``progress(1)`` is called after each node. OctavoError when every output is
    zero on the samples, or a layer has no int16 form and no option is int8.
    """
    taken = fitting(graph, {name: array[evenly(len(array), samples)] for name, array in inputs.items()}, max_bytes)
    with torch.inference_mode():
        pass_ = _Pass.start(graph, taken, options, scheme, observation, rounded or {})
        for index, node in enumerate(graph.nodes):
            pass_.step(index, node)
            if progress is not None:
                progress(1)
    constant = sum(pass_.narrowing[value] for value in graph.inputs)
    linear = frozenset(node.name for node in graph.nodes if isinstance(node.op, Op) and node.op.weight is not None)
    return Sensitivities(
        tuple(options),
        pass_.noise,
        _values(graph, pass_.narrowing),
        linear,
        constant,
        pass_.count,
        tuple(sorted(pass_.reference)),
    )


def _values(graph: Graph, narrowing: Mapping[str, float]) -> tuple[Value, ...]:
    makers, readers = graph.producers(), graph.consumers()
    return tuple(
        Value(
            name,
            makers[name].name if name in makers else "",
            tuple(node.name for node in readers[name]),
            name in graph.outputs,
            narrowing[name],
        )
        for name in graph.activations()
    )


@dataclass
class _Pass:
    """Where the pass stands: the float values that later nodes read, and the noises found so far."""

    graph: Graph
    options: Sequence[Option]
    encodings: Mapping[str, Mapping[str, QParams]]
    learned: Mapping[WeightFormat, Tensors]
    method: str
    reference: Tensors
    live: Tensors
    last: Mapping[str, int]
    count: int
    noise: dict[str, dict[str, float]] = field(default_factory=dict)
    narrowing: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def start(
        graph: Graph,
        inputs: Mapping[str, Array],
        options: Sequence[Option],
        scheme: Scheme,
        observation: Observation,
        rounded: Mapping[str, Quantized],
    ) -> _Pass:
        """The float network's outputs, and the encodings of all values in each dtype."""
        plain = replace(scheme, layers={}, wide=frozenset())
        encodings = {"int8": quantize_observed(graph, observation, plain).plan.qparams}
        if any(option.activations == "int16" for option in options):
            format = replace(scheme.format, activations=wide_format(scheme.format))
            encodings["int16"] = quantize_observed(graph, observation, replace(plain, format=format)).plan.qparams
        learned = {o.weights: real_constants(rounded[o.name]) for o in options if o.name in rounded}
        live = {name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in inputs.items()}
        reference = float_run(graph.with_(outputs=watched(graph)), live)
        if not any(float(value.square().sum()) > 0 for value in reference.values()):
            raise OctavoError(graph.name, "gives nothing but zeros on the samples", "Give other samples.")
        last = {value: index for index, node in enumerate(graph.nodes) for value in node.inputs}
        count = len(next(iter(live.values())))
        found = _Pass(graph, options, encodings, learned, scheme.weight_ranges, reference, live, last, count)
        for name in graph.inputs:
            found.narrowing[name] = found._of_rounding(-1, name, "int8")
        return found

    def step(self, index: int, node: Node) -> None:
        """Measure one node's choices, then run it in float."""
        op, output = node.op, node.outputs[0]
        assert isinstance(op, Op)
        weights = {} if op.weight is None else self._of_weights(index, node)
        self.live[output] = self._run(node, {})
        rounding = {dtype: self._of_rounding(index, output, dtype) for dtype in self.encodings}
        self.narrowing[output] = rounding["int8"]
        able = has_int16(self.graph, node)
        own = dict.fromkeys(rounding, 0.0) if _moves(op) else rounding
        if op.weight is None:
            self.noise[node.name] = {dtype: own[dtype] for dtype in own if dtype == "int8" or able}
        else:
            self.noise[node.name] = {
                option.name: weights[option.weights] + own[option.activations]
                for option in self.options
                if able or option.activations == "int8"
            }
            if not self.noise[node.name]:
                raise OctavoError(
                    node.source or node.name, f"{node.kind} has no int16 form here", "Offer int8 among the options."
                )
        for value in set(node.inputs):
            if self.last.get(value) == index:
                self.live.pop(value, None)

    def _run(self, node: Node, constants: Tensors) -> torch.Tensor:
        part = extract(self.graph, [node]).with_(outputs=node.outputs)
        given = {name: self.live[name] for name in part.inputs}
        return float_run(part, given, lambda name, value: constants.get(name, value))[node.outputs[0]]

    def _of_weights(self, index: int, node: Node) -> dict[WeightFormat, float]:
        """The noise of the layer's weights in each format."""
        op, found = node.op, {}
        assert isinstance(op, Op) and op.weight is not None
        name = node.inputs[op.weight]
        for format in dict.fromkeys(option.weights for option in self.options):
            if format in self.learned:
                constants = {value: self.learned[format][value] for value in node.inputs if value in self.graph.consts}
            else:
                real = self.graph.consts[name]
                encoding = weight_qparams(real, format, op.channel_axis, self.method)
                kept = encoding.dequantize(encoding.quantize(real)).astype(np.float32)
                constants = {name: torch.from_numpy(kept)}
            found[format] = self._noise(index, node.outputs[0], self._run(node, constants))
        return found

    def _of_rounding(self, index: int, value: str, dtype: str) -> float:
        return self._noise(index, value, fake_quantize(self.live[value], self.encodings[dtype][value]))

    def _noise(self, index: int, value: str, changed: torch.Tensor) -> float:
        """Noise over power at the outputs when ``value``, made by node ``index``, is ``changed``."""
        outputs = {value: changed} if value in self.reference else {}
        rest = extract(self.graph, self.graph.nodes[index + 1 :])
        rest = rest.with_(outputs=tuple(node.outputs[0] for node in rest.nodes if node.outputs[0] in self.reference))
        if rest.outputs:
            outputs |= float_run(rest, {name: ({**self.live, value: changed})[name] for name in rest.inputs})
        powers = {name: float(self.reference[name].double().square().sum()) for name in self.reference}
        shares = [
            float((outputs[name].double() - self.reference[name].double()).square().sum()) / powers[name]
            for name in sorted(outputs)
            if powers[name] > 0
        ]
        return sum(shares) / len([power for power in powers.values() if power > 0])


def watched(graph: Graph) -> tuple[str, ...]:
    """The outputs, each before the softmax or sigmoid that gives it."""
    makers = graph.producers()
    last = {name: makers[name] for name in graph.outputs if name in makers}
    saturating = {name: node.inputs[0] for name, node in last.items() if isinstance(node.op, Softmax | Sigmoid)}
    return tuple(dict.fromkeys(saturating.get(name, name) for name in graph.outputs))


def _moves(op: Op) -> bool:
    """Whether the operator gives values of its inputs as they are, so that its output needs no rounding."""
    return isinstance(op.constraint(), Share) and not isinstance(op, AveragePool2D | ResizeBilinear)
