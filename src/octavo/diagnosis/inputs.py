"""Other ways in which the samples may have been meant: channel order, range, normalisation, layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.diagnosis.case import Case, affordable
from octavo.diagnosis.moments import fit_of, fits, moment_nodes
from octavo.diagnosis.score import logits_of
from octavo.ir.graph import Array, Graph
from octavo.pipeline.samples import Samples

__all__ = ["Reading", "Variant", "readings", "variants"]

_MEAN = np.array([0.485, 0.456, 0.406])
_STD = np.array([0.229, 0.224, 0.225])
_MOST = 4
_FIRST, _EARLY = 1, 6
_WORK = 6e9

Change = Callable[[Array], Array]


@dataclass(frozen=True)
class Variant:
    """A change of the samples in the graph's axis order, and how to say it.

    ``done`` names what was done wrong, ``mend`` what to do.
    """

    name: str
    done: str
    mend: str
    change: Change


@dataclass(frozen=True)
class Reading:
    """What the float network does with the samples changed by a variant.

    ``fit`` is the mean score of the first six layers against batch norm (octavo.diagnosis.moments), None without:
    deeper ones say more of how few the samples are. ``better`` and ``worse`` count labelled samples that it gets right
    or wrong other than the samples as they are.
    """

    name: str
    fit: float | None
    accuracy: float | None
    entropy: float
    confidence: float
    better: int = 0
    worse: int = 0


@dataclass(frozen=True)
class _Pixels:
    """A habit of writing pixels 0 to 255: x = (p - shift) / scale, for each channel."""

    name: str
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]


def _habits(channels: int) -> list[_Pixels]:
    def every(value: float) -> NDArray[np.float64]:
        return np.full(channels, value)

    found = [
        _Pixels("0 to 255", every(0.0), every(1.0)),
        _Pixels("0 to 1", every(0.0), every(255.0)),
        _Pixels("-1 to 1", every(127.5), every(127.5)),
        _Pixels("-128 to 127", every(128.0), every(1.0)),
    ]
    if channels == 3:
        found.append(_Pixels("ImageNet's mean and deviation", 255 * _MEAN, 255 * _STD))
    return found


def variants(graph: Graph, samples: Samples) -> list[Variant]:
    """What is tried for a network with one image as input: at most thirty changes, the samples as they are left out."""
    if len(graph.inputs) != 1 or len(graph.types[graph.inputs[0]].shape) != 4:
        return []
    name = graph.inputs[0]
    _, height, width, channels = graph.types[name].shape
    found = list(_layouts(graph, height, width, channels))
    if channels not in (1, 3):
        return found
    x = samples.inputs[name]
    scalings = list(_scalings(x, channels))
    if channels == 3:
        swap = Variant(
            "BGR", "the channels are in the other order (RGB against BGR)", "swap the first and the last channel", _swap
        )
        found.append(swap)
        scalings += [_both(scaling, swap) for scaling in scalings]
    return found + scalings


def _swap(x: Array) -> Array:
    return np.ascontiguousarray(x[..., ::-1])


def _both(first: Variant, second: Variant) -> Variant:
    return Variant(
        f"{first.name}, {second.name}",
        f"{first.done}, and {second.done}",
        f"{first.mend}, and {second.mend}",
        lambda x: second.change(first.change(x)),
    )


def _layouts(graph: Graph, height: int, width: int, channels: int) -> Iterator[Variant]:
    """Rows for columns; and an array that was reshaped where it should have been transposed."""
    if height == width and height > 1:
        done = "rows and columns are exchanged"
        yield Variant("rows and columns", done, "transpose height and width", lambda x: x.transpose(0, 2, 1, 3))
    if channels > 1 and height * width > 1:
        first = graph.inputs[0] in graph.layouts
        done = "the samples were reshaped to the network's layout, not transposed"
        mend = "transpose from NHWC to NCHW" if first else "transpose from NCHW to NHWC"

        def undone(x: Array) -> Array:
            if first:
                return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(x.shape)
            return np.ascontiguousarray(x).reshape(len(x), channels, height, width).transpose(0, 2, 3, 1)

        yield Variant("NCHW for NHWC", done, mend, undone)


def _scalings(x: Array, channels: int) -> Iterator[Variant]:
    """Every habit by which the samples may be pixels, written by every other habit."""
    habits = _habits(channels)
    for given in habits:
        pixels = np.stack([end * given.scale + given.shift for end in (x.min((0, 1, 2)), x.max((0, 1, 2)))])
        if pixels.min() < -3 or pixels.max() > 258 or pixels.max() < 32:
            continue
        for wanted in habits:
            if wanted is given:
                continue
            # (x * scale + shift - shift') / scale'
            factor = (given.scale / wanted.scale).astype(np.float32)
            added = ((given.shift - wanted.shift) / wanted.scale).astype(np.float32)
            yield Variant(
                f"{given.name} as {wanted.name}",
                f"the samples are pixels written as {given.name}, the network expects {wanted.name}",
                f"write the pixels as {wanted.name}",
                _affine(factor, added),
            )


def _affine(factor: Array, added: Array) -> Change:
    return lambda x: x * factor + added


def readings(case: Case, tried: list[Variant]) -> list[Reading]:
    """The samples as they are, then the variants, best first.

    With batch norms the first layer alone tells which four are worth running the whole network for; but the order of
    the channels is always tried: a first layer often sees little of it.
    """
    known = bool(moment_nodes(case.graph))
    name = case.graph.inputs[0]
    few = case.judge.take(np.arange(min(len(case.judge), affordable(case.graph, _WORK, 8, 32))))
    if known and len(tried) > _MOST:
        scores = {v.name: fit_of(fits(case.graph, _changed(few, name, v), _FIRST)) for v in tried}
        always = {"BGR"}
        ranked = sorted(tried, key=lambda v: (v.name not in always, scores[v.name]))
        tried = ranked[:_MOST]
    base = logits_of(case.graph, case.logits, case.judge)
    rows = [_reading(case, "as given", case.judge, few, base, base, known)]
    for index, variant in enumerate(tried):
        case.stage("reading the samples in other ways", index, len(tried))
        judge = _changed(case.judge, name, variant)
        got = logits_of(case.graph, case.logits, judge)
        rows.append(_reading(case, variant.name, judge, _changed(few, name, variant), base, got, known))

    def badness(row: Reading) -> tuple[float, float, float]:
        fit = row.fit if row.fit is not None else 0.0
        return -(row.accuracy or 0.0), fit, row.entropy

    return [rows[0], *sorted(rows[1:], key=badness)]


def _changed(samples: Samples, name: str, variant: Variant) -> Samples:
    return Samples({name: np.ascontiguousarray(variant.change(samples.inputs[name]), np.float32)}, samples.labels)


def _reading(case: Case, name: str, judge: Samples, few: Samples, base: Array, got: Array, known: bool) -> Reading:
    fit = fit_of(fits(case.graph, few, _EARLY)) if known else None
    logits = got.astype(np.float64) - got.max(1, keepdims=True)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    entropy = float(-(chances * np.log(np.maximum(chances, 1e-30))).sum(1).mean())
    accuracy, better, worse = None, 0, 0
    if judge.labels is not None:
        now, before = (x.argmax(1) == judge.labels for x in (got, base))
        accuracy, better, worse = float(now.mean()), int((now & ~before).sum()), int((before & ~now).sum())
    return Reading(name, fit, accuracy, entropy, float(chances.max(1).mean()), better, worse)
