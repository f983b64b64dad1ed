"""How far one set of outputs is from another: SQNR, agreement, accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import IntegerModel, lower
from octavo.quant.observe import Batch, as_inputs
from octavo.run.float_run import float_run, to_user_layout
from octavo.run.integer_run import integer_run

__all__ = ["Comparison", "OutputScore", "Score", "compare", "dequantize_outputs", "quantize_inputs"]


@dataclass
class Score:
    """Running sums over samples of one output; ``update`` takes [N, ...] of reference and candidate."""

    samples: int = 0
    signal: float = 0.0
    noise: float = 0.0
    agreed: int = 0
    reference_right: int = 0
    candidate_right: int = 0
    labelled: int = 0

    def update(self, reference: Array, candidate: Array, labels: Array | None = None) -> None:
        """Add samples."""
        flat = reference.reshape(len(reference), -1).astype(np.float64)
        other = candidate.reshape(len(candidate), -1).astype(np.float64)
        self.samples += len(flat)
        self.signal += float(np.sum(flat * flat))
        self.noise += float(np.sum((flat - other) ** 2))
        top, other_top = flat.argmax(1), other.argmax(1)
        self.agreed += int((top == other_top).sum())
        if labels is not None:
            self.labelled += len(labels)
            self.reference_right += int((top == labels).sum())
            self.candidate_right += int((other_top == labels).sum())

    @property
    def sqnr_db(self) -> float:
        """10 log10(signal / noise); infinite when nothing differs."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    @property
    def agreement(self) -> float:
        """Share of samples whose largest element is at the same place."""
        return self.agreed / self.samples if self.samples else math.nan


@dataclass(frozen=True)
class OutputScore:
    """SQNR in dB and top-1 agreement of one output."""

    name: str
    sqnr_db: float
    agreement: float


@dataclass(frozen=True)
class Comparison:
    """Float against integer on the same samples, one row per output. Prints as a small table."""

    samples: int
    outputs: tuple[OutputScore, ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.outputs)
        rows = [f"{'output':<{width}}  {'SQNR dB':>8}  agreement   ({self.samples} samples)"]
        rows += [f"{row.name:<{width}}  {row.sqnr_db:8.2f}  {row.agreement:9.2%}" for row in self.outputs]
        return "\n".join(rows)


def quantize_inputs(model: IntegerModel, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Float inputs as the model's integers, by the rule of the generated C (float32, half away from zero)."""
    return {name: model.encodings[name].quantize_input(np.asarray(inputs[name])) for name in model.graph.inputs}


def dequantize_outputs(model: IntegerModel, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Integer outputs as float32."""
    return {
        name: model.encodings[name].dequantize(np.asarray(outputs[name])).astype(np.float32)
        for name in model.graph.outputs
    }


def compare(reference: Graph | Quantized, candidate: Quantized | Graph, data: Iterable[Batch] | Batch) -> Comparison:
    """Compare a float graph with a quantized (run in exact integers) or another float graph.

    A quantized reference stands for its float graph.
    ``data`` is one batch or an iterable of batches [N, ...] in the user's axis order. Outputs are matched by position.
    """
    if isinstance(reference, Quantized):
        reference = reference.graph
    model = lower(candidate) if isinstance(candidate, Quantized) else None
    other = candidate.graph if isinstance(candidate, Quantized) else candidate
    if len(reference.outputs) != len(other.outputs):
        raise OctavoError("compare", "the two models have different outputs", "Compare two forms of one model.")
    scores = [Score() for _ in reference.outputs]
    batches: Iterable[Batch] = [data] if isinstance(data, (np.ndarray, torch.Tensor, Mapping)) else data
    with torch.inference_mode():
        for batch in batches:
            expected = float_run(reference, as_inputs(reference, batch))
            inputs = as_inputs(other, batch)
            if model is None:
                got = {name: value.numpy() for name, value in float_run(other, inputs).items()}
            else:
                integers = integer_run(model.graph, quantize_inputs(model, inputs))
                got = dequantize_outputs(model, {name: value.numpy() for name, value in integers.items()})
            for score, name, mine in zip(scores, reference.outputs, other.outputs, strict=True):
                score.update(
                    to_user_layout(reference, name, expected[name].numpy()), to_user_layout(other, mine, got[mine])
                )
    rows = [OutputScore(n, s.sqnr_db, s.agreement) for n, s in zip(reference.outputs, scores, strict=True)]
    return Comparison(scores[0].samples, tuple(rows))
