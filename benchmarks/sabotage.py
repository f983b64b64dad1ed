"""Twelve networks with a known fault: does ``octavo diagnose`` name it first, and a remedy that works?

A case is right when the first cause is of the kind that was put in, in the layer where it was put in; its remedy is
right when it is one that undoes this fault and, where it was tried, gained something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import octavo
from benchmarks.workloads import Workload, efficientnet_lite0, tiny
from octavo.diagnosis import Diagnosis
from octavo.ir.graph import Graph, Node
from octavo.ops import Clip, Conv2D

__all__ = ["CASES", "Sabotage", "main", "rightly_caused", "rightly_cured"]

_SAMPLES = 256


@dataclass(frozen=True)
class Sabotage:
    """A fault: ``make`` gives the arguments of octavo.diagnose and the layer at fault, "" where it is no layer's."""

    name: str
    cause: str
    remedies: tuple[str, ...]
    make: Callable[[int], tuple[dict[str, Any], str]]
    evidence: dict[str, str] = field(default_factory=dict)
    large: bool = False


@lru_cache(maxsize=4)
def _loaded(name: str) -> tuple[Graph, Workload]:
    if name == "efficientnet_lite0":
        work = efficientnet_lite0()
        graph = octavo.load(work.model, torch.zeros(1, 3, 224, 224), name)
    else:
        work = tiny(name, 1000)
        graph = octavo.load(work.model)
    assert isinstance(graph, Graph)
    return graph, work


def _given(name: str, samples: int) -> tuple[Graph, dict[str, Any]]:
    graph, work = _loaded(name)
    labels = None if work.labels is None else work.labels[:samples]
    return graph, {"model": graph, "calibration": work.calibration[:100], "data": work.test[:samples], "labels": labels}


def _edited(graph: Graph, node: Node, index: int, change: Callable[[Any], Any]) -> Graph:
    """A constant of a node changed."""
    name = node.inputs[index]
    return graph.with_(consts={**graph.consts, name: np.asarray(change(graph.consts[name].copy()), np.float32)})


def _layers(graph: Graph, kind: type = Conv2D) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.op, kind)]


def _replaced(graph: Graph, old: Node, **changes: Any) -> Graph:
    new = replace(old, op=replace(old.op, **changes))  # type: ignore[type-var]
    return graph.with_(nodes=tuple(new if node is old else node for node in graph.nodes))


def bgr(samples: int) -> tuple[dict[str, Any], str]:
    """Calibration and test images with red and blue exchanged."""
    _, given = _given("resnet8_cifar10", samples)
    swapped = {key: np.ascontiguousarray(given[key][..., ::-1]) for key in ("calibration", "data")}
    return {**given, **swapped}, ""


def no_normalisation(samples: int) -> tuple[dict[str, Any], str]:
    """Pixels 0 to 1 for a network that was trained on -1 to 1; no labels, so that batch norm must tell."""
    _, given = _given("efficientnet_lite0", samples)
    raw = {key: (given[key] * 128 + 127) / np.float32(255) for key in ("calibration", "data")}
    return {**given, **raw, "labels": None}, ""


def channel_by_1000(samples: int) -> tuple[dict[str, Any], str]:
    """A channel a thousand times as large between two layers: the float function stays."""
    graph, given = _given("resnet8_cifar10", samples)
    first, second = _layers(graph)[1:3]

    def larger(array: Any) -> Any:
        array[5] *= 1000
        return array

    def smaller(array: Any) -> Any:
        array[..., 5] /= 1000
        return array

    graph = _edited(_edited(graph, first, 1, larger), first, 2, larger)
    return {**given, "model": _edited(graph, second, 1, smaller)}, first.name


def outlier(samples: int) -> tuple[dict[str, Any], str]:
    """One glitch in one calibration sample, under min-max ranges."""
    _, given = _given("dscnn_kws", samples)
    calibration = given["calibration"].copy()
    calibration[7, 20, 4] = 30 * np.abs(calibration).max()
    return {**given, "calibration": calibration, "ranges": "minmax"}, ""


def dead_channels(samples: int) -> tuple[dict[str, Any], str]:
    """A quarter of a layer's channels are zero; the original is at hand."""
    graph, given = _given("dscnn_kws", samples)
    node = _layers(graph)[2]

    def zero(array: Any) -> Any:
        array[::4] = 0
        return array

    return {**given, "model": _edited(graph, node, 1, zero), "reference": graph}, node.name


def bias_overflow(samples: int) -> tuple[dict[str, Any], str]:
    """A channel that a huge negative bias keeps shut, with one scale for the layer's weights."""
    graph, given = _given("resnet8_cifar10", samples)
    node = _layers(graph)[1]

    def shut(array: Any) -> Any:
        array[3] = -3e7
        return array

    return {**given, "model": _edited(graph, node, 2, shut), "granularity": "per-tensor"}, node.name


def relu6_removed(samples: int) -> tuple[dict[str, Any], str]:
    """ReLU where the network was trained with ReLU6; batch norm tells."""
    graph, given = _given("efficientnet_lite0", samples)
    clips = [node for node in graph.nodes if getattr(node.op, "activation", None) == Clip(0.0, 6.0)]
    for node in clips:
        graph = _replaced(graph, node, activation=Clip(0.0))
    return {**given, "model": graph}, clips[0].name


def wrong_padding(samples: int) -> tuple[dict[str, Any], str]:
    """A stride of two whose odd row is padded at the other end; the original is at hand."""
    graph, given = _given("resnet8_cifar10", samples)
    node = next(node for node in _layers(graph) if node.op.padding == (0, 1, 0, 1))  # type: ignore[attr-defined]
    return {**given, "model": _replaced(graph, node, padding=(1, 0, 1, 0)), "reference": graph}, node.name


def noise(samples: int) -> tuple[dict[str, Any], str]:
    """Calibration on normal noise, as a placeholder that nobody replaced."""
    _, given = _given("resnet8_cifar10", samples)
    made = np.random.default_rng(0).normal(size=given["calibration"].shape).astype(np.float32)
    return {**given, "calibration": made}, ""


def two_bits(samples: int) -> tuple[dict[str, Any], str]:
    """One layer's weights in two bits."""
    graph, given = _given("dscnn_kws", samples)
    node = _layers(graph)[1]
    return {**given, "layers": {node.name: "int2"}}, node.name


def depthwise_per_tensor(samples: int) -> tuple[dict[str, Any], str]:
    """One scale a tensor and min-max ranges."""
    _, given = _given("efficientnet_lite0", samples)
    return {**given, "granularity": "per-tensor", "ranges": "minmax", "weight_ranges": "minmax"}, ""


def transposed(samples: int) -> tuple[dict[str, Any], str]:
    """A square layer's inputs and outputs exchanged; the original is at hand."""
    graph, given = _given("resnet8_cifar10", samples)
    node = _layers(graph)[1]
    other = _edited(graph, node, 1, lambda array: np.ascontiguousarray(array.transpose(3, 1, 2, 0)))
    return {**given, "model": other, "reference": graph}, node.name


CASES: tuple[Sabotage, ...] = (
    Sabotage("BGR for RGB", "preprocessing", ("preprocessing",), bgr, {"reading": "BGR"}),
    Sabotage(
        "no normalisation", "preprocessing", ("preprocessing",), no_normalisation,
        {"reading": "0 to 1 as -1 to 1"}, large=True,
    ),
    Sabotage("channel times 1000", "activation channel ranges", ("equalization",), channel_by_1000),
    Sabotage("outlier", "outliers", ("clean samples", "ranges"), outlier),
    Sabotage("dead channels", "dead channels", ("original",), dead_channels),
    Sabotage("bias overflow", "bias overflow", ("per-channel",), bias_overflow),
    Sabotage("ReLU6 removed", "activation", ("repair",), relu6_removed, large=True),
    Sabotage("wrong padding", "padding", ("original",), wrong_padding),
    Sabotage("calibrated on noise", "calibration data", ("calibration",), noise),
    Sabotage("a layer of 2 bits", "few bits", ("more bits",), two_bits),
    Sabotage(
        "depthwise per tensor", "weight channel ranges", ("per-channel", "equalization"), depthwise_per_tensor,
        {"operator": "DepthwiseConv2D"}, large=True,
    ),
    Sabotage("transposed weights", "transposed weights", ("original",), transposed),
)  # fmt: skip


def rightly_caused(case: Sabotage, layer: str, found: Diagnosis) -> bool:
    """The first cause is of the kind and in the layer where it was put."""
    cause = found.cause
    if cause is None or cause.kind != case.cause or (layer and cause.layer != layer):
        return False
    return all(cause.evidence.get(key) == value for key, value in case.evidence.items())


def rightly_cured(case: Sabotage, found: Diagnosis) -> bool:
    """The first remedy undoes the fault, and gained something where that was measured."""
    remedy = found.remedy
    if remedy is None or remedy.kind not in case.remedies:
        return False
    unmeasured = remedy.gain_points is None and remedy.gain_db is None
    return unmeasured or (remedy.gain_points or 0.0) > 0 or (remedy.gain_db or 0.0) > 1


def main() -> None:
    """Print the table."""
    print(f"{'case':22} {'cause named first':26} {'remedy named first':18} {'gain':>18}  right?         seconds")
    causes = cures = 0
    for case in CASES:
        arguments, layer = case.make(_SAMPLES)
        start = time.perf_counter()
        found = octavo.diagnose(**arguments, samples=32 if case.large else None)
        seconds = time.perf_counter() - start
        caused, cured = rightly_caused(case, layer, found), rightly_cured(case, found)
        causes, cures = causes + caused, cures + cured
        remedy = found.remedy
        gain = "not tried"
        if remedy is not None and remedy.tried:
            points = "" if remedy.gain_points is None else f"{remedy.gain_points:+.1f} points "
            gain = points + ("" if remedy.gain_db is None else f"{remedy.gain_db:+.1f} dB")
        print(
            f"{case.name:22} {found.cause.kind if found.cause else '-':26} {remedy.kind if remedy else '-':18} "
            f"{gain:>18}  {'cause' if caused else 'WRONG':5} {'remedy' if cured else 'WRONG':6}  {seconds:7.1f}",
            flush=True,
        )
    print(f"{causes} of {len(CASES)} causes and {cures} of {len(CASES)} remedies are right")
