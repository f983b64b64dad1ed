"""One quantizer at a time: what each does alone to the network's output, and what its absence would gain.

The pass goes through the float network once. At each node only what lies behind it runs again, from the live float
values, so that alone-runs of all quantizers cost about as much as one run for each layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from octavo.analysis.compare import Score
from octavo.diagnosis.case import Case, affordable, source_of
from octavo.diagnosis.result import Culprit
from octavo.diagnosis.score import Quality, logits_of, partial, quality_of
from octavo.diagnosis.walk import Walk
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.evenly import evenly
from octavo.ops import Op
from octavo.ops.base import Share
from octavo.quant.lockstep import Lockstep, fitting
from octavo.quant.simulate import fake_quantize, real_constants

__all__ = ["quantizers", "sweep", "trace"]

_MAX_BYTES = 2**29
_WITHOUT = 12
_WORK = 3e9


@dataclass(frozen=True)
class _Quantizer:
    """The tensors that are rounded together: an activation, or a layer's weights and bias."""

    tensor: str
    kind: str
    node: Node | None
    index: int
    names: frozenset[str]


def quantizers(quantized: Quantized) -> list[_Quantizer]:
    """All that round, in order; operators that pass values on as they are round nothing of their own."""
    graph = quantized.graph
    found = [_Quantizer(name, "activation", None, -1, frozenset((name,))) for name in graph.inputs]
    for index, node in enumerate(graph.nodes):
        op = node.op
        assert isinstance(op, Op)
        constants = frozenset(value for value in node.inputs if value in graph.consts)
        if constants:
            tensor = node.inputs[op.weight] if op.weight is not None else sorted(constants)[0]
            found.append(_Quantizer(tensor, "weights" if op.weight is not None else "constant", node, index, constants))
        if not isinstance(op.constraint(), Share):
            output = node.outputs[0]
            found.append(_Quantizer(output, "activation", node, index, frozenset((output,))))
    return found


def sweep(case: Case, quantized: Quantized) -> list[Culprit]:
    """Every quantizer, worst first; of the worst twelve also what the whole gains without them."""
    graph = quantized.graph
    count = min(affordable(graph, _WORK, 8, 32), len(case.judge))
    some = {name: array[evenly(len(array), count)] for name, array in case.judge.inputs.items()}
    inputs = fitting(graph, some, _MAX_BYTES)
    places = evenly(len(case.judge), count)[evenly(count, len(next(iter(inputs.values()))))]
    small = case.judge.take(places)
    reference = logits_of(graph, case.logits, small)
    constants = real_constants(quantized)
    rows = list(_alone(case, quantized, small.inputs, reference, small.labels, constants))
    noises = np.array([10 ** (-row.alone_db / 10) if np.isfinite(row.alone_db) else 0.0 for row in rows])
    shares = noises / max(float(noises.sum()), 1e-300)
    rows = [replace(row, share=float(share)) for row, share in zip(rows, shares, strict=True)]
    order = np.argsort(-noises, kind="stable")
    ranked = [rows[i] for i in order]
    parts = {part.tensor: part for part in quantizers(quantized)}
    everything = {*graph.activations(), *graph.consts}
    base = logits_of(graph, case.logits, small, partial(quantized, everything, constants))
    whole = quality_of(reference, base, small.labels)
    for index, row in enumerate(ranked[:_WITHOUT]):
        case.stage("leaving out one quantizer at a time", index, _WITHOUT)
        tap = partial(quantized, everything - _silenced(graph, parts[row.tensor]), constants)
        less = quality_of(reference, logits_of(graph, case.logits, small, tap), small.labels)
        points = None if less.drop is None or whole.drop is None else whole.drop - less.drop
        ranked[index] = replace(row, without_gain_db=less.sqnr_db - whole.sqnr_db, without_gain_points=points)
    return ranked


def _silenced(graph: Graph, part: _Quantizer) -> frozenset[str]:
    """The tensor, and with an activation the values that later nodes pass on as they are."""
    names = set(part.names)
    if part.kind == "activation":
        for node in graph.nodes:
            if isinstance(node.op, Op) and isinstance(node.op.constraint(), Share) and names.intersection(node.inputs):
                names.update(node.outputs)
    return frozenset(names)


def _alone(
    case: Case,
    quantized: Quantized,
    inputs: Mapping[str, Array],
    reference: Array,
    labels: Array | None,
    constants: Mapping[str, torch.Tensor],
) -> Iterator[Culprit]:
    graph = quantized.graph
    walk = Walk(graph, inputs, case.logits)
    by_index: dict[int, list[_Quantizer]] = {}
    for part in quantizers(quantized):
        by_index.setdefault(part.index, []).append(part)
    with torch.inference_mode():
        for index in range(-1, walk.end + 1):
            case.stage("quantizing one tensor at a time", index + 1, walk.end + 2)
            if index >= 0:
                walk.advance(graph.nodes[index])
            for part in by_index.get(index, []):
                exact, rough, changed = _switched(walk, quantized, part, constants)
                found = quality_of(reference, walk.logits(index, changed), labels)
                yield _row(part, found, _sqnr(exact, rough))
            walk.forget(index)


def _switched(
    walk: Walk, quantized: Quantized, part: _Quantizer, constants: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """A tensor as it is and as its quantizer leaves it, and the value of the network that this changes."""
    if part.kind == "activation":
        exact = walk.live[part.tensor]
        rough = fake_quantize(exact, quantized.plan.qparams[part.tensor])
        return exact, rough, {part.tensor: rough}
    assert part.node is not None
    exact = torch.from_numpy(np.array(quantized.graph.consts[part.tensor], np.float32))
    kept = {name: constants[name] for name in part.names if name in constants}
    return exact, kept.get(part.tensor, exact), {part.node.outputs[0]: walk.run(part.node, kept)}


def _row(part: _Quantizer, found: Quality, local_db: float) -> Culprit:
    """The culprit; its share is known when all are."""
    node = part.node
    named = ("", "the network's input", "Input") if node is None else (node.name, source_of(node), node.kind)
    return Culprit(part.tensor, part.kind, *named, found.sqnr_db, found.cosine, found.drop, 0.0, local_db)


def _sqnr(exact: torch.Tensor, rough: torch.Tensor) -> float:
    noise = float((exact - rough).double().square().sum())
    return Score(signal=float(exact.double().square().sum()), noise=noise).sqnr_db


def trace(case: Case, quantized: Quantized) -> list[tuple[str, float]]:
    """The SQNR of every activation when all quantizers are on: where along the network the error grows."""
    graph = quantized.graph
    count = min(affordable(graph, _WORK, 8, 32), len(case.judge))
    some = {name: array[evenly(len(array), count)] for name, array in case.judge.inputs.items()}
    state = Lockstep(quantized, fitting(graph, some, _MAX_BYTES))
    found = []
    with torch.inference_mode():
        for node in graph.nodes:
            state.advance(node)
            output = node.outputs[0]
            found.append((output, _sqnr(state.float[output], state.rounded[output])))
    return found
