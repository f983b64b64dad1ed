"""Samples for calibration, for search and for the final number: split once, never mixed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.quant.observe import Batch, as_inputs

__all__ = ["Samples", "Split", "gather", "split", "without_calibration"]

MAX_BYTES = 2**30
FEWEST = 20
BATCH = 32


@dataclass(frozen=True)
class Samples:
    """Inputs by name [N, ...] in the graph's axis order, and labels [N] or None."""

    inputs: Mapping[str, Array]
    labels: Array | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def take(self, at: Array) -> Samples:
        """The samples at these places."""
        labels = None if self.labels is None else self.labels[at]
        return Samples({name: np.ascontiguousarray(array[at]) for name, array in self.inputs.items()}, labels)

    def batches(self) -> Iterable[dict[str, Array]]:
        """In parts of 32."""
        for start in range(0, len(self), BATCH):
            yield {name: array[start : start + BATCH] for name, array in self.inputs.items()}


@dataclass(frozen=True)
class Split:
    """Who sees which samples; ``search`` and ``report`` may be empty. ``notes`` say what that means."""

    calibration: Samples
    search: Samples
    report: Samples
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many samples each part has."""
        return {"calibration": len(self.calibration), "search": len(self.search), "report": len(self.report)}


def gather(graph: Graph, data: Iterable[Batch] | Batch, labels: Array | None = None) -> tuple[Samples, tuple[str, ...]]:
    """All samples as arrays, at most 1 GiB of them, and a note if that left some out.

    ``data`` is an array [N, ...], a mapping from input names to arrays, or an iterable of batches of these, as the
    network takes them. OctavoError when shapes or labels do not match.
    """
    whole = isinstance(data, (np.ndarray, torch.Tensor, Mapping))
    batches: Any = [data] if whole else data
    parts: list[dict[str, Array]] = []
    size = 0
    notes: tuple[str, ...] = ()
    for batch in batches:
        part = as_inputs(graph, batch)
        parts.append({name: np.asarray(array) for name, array in part.items()})
        size += sum(array.nbytes for array in part.values())
        if size > MAX_BYTES and not whole:
            notes = ("the data exceed 1 GiB: the samples beyond it were not used",)
            break
    if not parts:
        raise OctavoError("calibration data", "holds no samples", "Give at least one sample, better a hundred or more.")
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in graph.inputs}
    for name, array in inputs.items():
        if not np.isfinite(array).all():
            raise OctavoError(f"input {name}", "the data hold NaN or Inf", "Check the samples.")
    return Samples(inputs, _labels(graph, inputs, labels)), notes


def _labels(graph: Graph, inputs: Mapping[str, Array], labels: Array | None) -> Array | None:
    if labels is None:
        return None
    given, count = np.asarray(labels), len(next(iter(inputs.values())))
    classes = graph.types[graph.outputs[0]].size
    if classes == 1:
        raise OctavoError(
            "labels", f"belong to no classes: output {graph.outputs[0]} is a single value", "Leave them out."
        )
    if given.dtype.kind not in "iu" or given.shape != (count,):
        raise OctavoError(
            "labels", f"are {given.dtype}{list(given.shape)} for {count} samples", "Give one integer per sample."
        )
    if given.size and (given.min() < 0 or given.max() >= classes):
        raise OctavoError("labels", f"are not in 0 to {classes - 1}", "Number the classes as the network does.")
    return given.astype(np.int64)


def split(calibration: Samples, evaluation: Samples | None, target: bool, seed: int = 0) -> Split:
    """Divide the samples, at random by ``seed``.

    1. With evaluation data: half of them search, half report; all calibration data calibrate.
    2. With a target but no evaluation data: 60 % calibrate, 20 % search, 20 % report.
    3. Without a target: 80 % calibrate, 20 % search.
    4. Fewer than 20 samples to divide: evaluation samples only report, calibration samples only calibrate.
    """
    nothing = calibration.take(np.arange(0))
    order = np.random.default_rng(seed)
    notes: tuple[str, ...] = ()
    if evaluation is not None:
        notes = _shared(calibration, evaluation)
        if len(evaluation) >= FEWEST:
            places = order.permutation(len(evaluation))
            half = len(evaluation) // 2
            search, report = (evaluation.take(np.sort(part)) for part in (places[:half], places[half:]))
            return Split(calibration, search, report, notes)
        notes += (f"too few evaluation samples to divide ({len(evaluation)}): they report, and nothing else",)
    report = nothing if evaluation is None else evaluation
    if len(calibration) < FEWEST:
        notes += (f"too few calibration samples to hold any out ({len(calibration)}): nothing was searched",)
        return Split(calibration, nothing, report, notes)
    places = order.permutation(len(calibration))
    first, second = (0.6, 0.8) if target and evaluation is None else (0.8, 1.0)
    a, b = round(first * len(places)), round(second * len(places))
    first_part, second_part, third_part = (
        calibration.take(np.sort(part)) for part in (places[:a], places[a:b], places[b:])
    )
    return Split(first_part, second_part, third_part if evaluation is None else report, notes)


def _shared(calibration: Samples, evaluation: Samples) -> tuple[str, ...]:
    """A note if evaluation samples are among those that calibrate."""
    known = set(_digests(calibration))
    count = sum(digest in known for digest in _digests(evaluation))
    if not count:
        return ()
    return (f"{count} of {len(evaluation)} evaluation samples are calibration samples, too: they report too well",)


def _digests(samples: Samples) -> Iterator[bytes]:
    """A digest of each sample."""
    for place in range(len(samples)):
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(samples.inputs):
            digest.update(np.ascontiguousarray(samples.inputs[name][place], np.float32).tobytes())
        yield digest.digest()


def without_calibration(graph: Graph, evaluation: Samples | None) -> Split:
    """Nothing calibrates and nothing is searched: all evaluation samples, if there are any, report."""
    shapes = {name: (0, *graph.types[name].shape[1:]) for name in graph.inputs}
    nothing = Samples({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    return Split(nothing, nothing, nothing if evaluation is None else evaluation)
