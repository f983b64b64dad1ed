"""Draws the pictures of docs/methods from EfficientNet-Lite0 (and DS-CNN), 32 calibration images.

python scripts/draw_methods.py; the models and data are those that OCTAVO_DATA names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.workloads import efficientnet_lite0, tiny
from octavo import api
from octavo.ir.graph import Graph
from octavo.num.formats import AFFINE, FORMATS, ActivationFormat
from octavo.num.histogram import BINS
from octavo.passes.balance import balance
from octavo.passes.equalize import equalize
from octavo.passes.links import by_channel, find_links
from octavo.passes.snap import snap
from octavo.pipeline.mixed import assignments, explore
from octavo.pipeline.samples import gather
from octavo.quant.correct import correct_bias
from octavo.quant.data_free import expected_statistics
from octavo.quant.observe import Observation, observe
from octavo.quant.place import align
from octavo.quant.propagate import mean_product
from octavo.quant.quantize import Scheme, activation_qparams, quantize_graph, quantize_observed
from octavo.quant.ranges import find_ranges
from octavo.quant.ranges.kl import relative_entropy
from octavo.quant.rounding import LeastSquares, Reconstruction, Step, least_squares_rounding, reconstruct
from octavo.quant.simulate import simulate
from octavo.quant.statistics import TensorStatistics, densities
from octavo.report.chart import Mark, Plot, Series, chart_svg
from octavo.run.float_run import float_run
from octavo.targets import load_target

OUT = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "methods"
SAMPLES = 32
Vector = NDArray[np.float64]


def main() -> None:
    """All pictures."""
    workload = efficientnet_lite0()
    images = workload.calibration[:SAMPLES]
    graph = api.load(workload.model, torch.from_numpy(images[:1]))
    assert isinstance(graph, Graph)
    prepared = align(graph)
    seen = observe(prepared, [images])
    draw_ranges(seen)
    draw_logits(seen.statistics[graph.outputs[0]])
    draw_scaling(graph, seen)
    draw_alignment(graph, seen, images)
    draw_data_free(prepared, seen)
    draw_correction(prepared, seen, images)
    draw_rounding()
    draw_mixture()


def write(name: str, *plots: Plot) -> None:
    """One picture."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.svg").write_text(chart_svg(plots))
    print(name)


def sqnr(entry: TensorStatistics, low: float, high: float) -> float:
    """Of the histogram, affine int8 with this range."""
    known, encoding = densities([entry]), activation_qparams(low, high)
    scale, first = float(encoding.scale[0]), -128.0 - int(encoding.zero_point[0])
    noise = float(known.error(np.array([[scale]]), np.array([[first]]), 256)[0, 0])
    return 10 * float(np.log10(known.below(np.array([[np.inf]]))[2][0, 0] / noise))


def draw_ranges(seen: Observation) -> None:
    """The activation that gains most by clipping: its histogram with each method's range."""
    ranges = {name: find_ranges(name) for name in ("minmax", "moving-average", "percentile", "mse", "kl")}
    inner = [value for value in list(seen.statistics)[1:-1] if seen.statistics[value].histogram is not None]
    entries = [seen.statistics[v] for v in inner]
    best, least = (dict(zip(inner, ranges[m](entries, AFFINE), strict=True)) for m in ("mse", "minmax"))
    gains = {v: sqnr(seen.statistics[v], *best[v]) - sqnr(seen.statistics[v], *least[v]) for v in inner}
    value = max(inner, key=lambda v: gains[v])
    entry = seen.statistics[value]
    assert entry.histogram is not None and entry.histogram.counts is not None
    low, high = entry.minmax.range
    edges = np.linspace(low, high, 161)
    counts = np.diff(densities([entry]).below(edges[None])[0][0])
    for name, method in ranges.items():
        clip = method([entry], AFFINE)[0]
        marks = [Mark(f"{name}: {clip[0]:.3g} to {clip[1]:.3g}, {sqnr(entry, *clip):.1f} dB", end) for end in clip[:1]]
        marks.append(Mark("", clip[1]))
        values = Series("values", edges, counts, "steps")
        plots = [Plot(f"EfficientNet-Lite0, {value}", "value", "count (log)", [values], marks, log_y=True)]
        if name == "mse":
            shares = np.linspace(0.2, 1.0, 81)
            noise = np.array([-sqnr(entry, low * share, high * share) for share in shares])
            plots.append(Plot("both ends cut by one share", "share of the extremes", "noise over signal, dB",
                              [Series("squared error", shares, noise)]))  # fmt: skip
        if name == "kl":
            half = BINS // 2
            sizes = entry.histogram.counts[half:] + entry.histogram.counts[:half][::-1]
            levels = 256 if low >= 0 else 128
            cuts = np.arange(levels, half + 1, 16)
            entropy = relative_entropy(sizes[None], cuts, levels)[0]
            divergence = Series("KL(P, Q)", cuts * float(densities([entry]).width[0]), entropy)
            plots.append(Plot("divergence of the levels from the values", "clip", "nats", [divergence], log_y=True))
        write(name.replace("-", "_"), *plots)


def draw_logits(entry: TensorStatistics) -> None:
    """Cross-entropy and squared error of the logits over the clip."""
    assert entry.samples is not None
    logits = entry.samples.double()
    low, high = entry.minmax.range
    shares, losses, errors = np.linspace(0.3, 1.0, 71), [], []
    target = torch.log_softmax(logits, -1)
    for share in shares:
        scale = (high - low) * share / 255
        first = np.clip(np.rint(low * share / scale), -255, 0)
        rounded = torch.clamp(torch.round(logits / scale), first, first + 255) * scale
        losses.append(float((target.exp() * (target - torch.log_softmax(rounded, -1))).sum(-1).mean()))
        errors.append(float((rounded - logits).square().mean()))
    plots = [
        Plot(title, "share of the extremes", up, [Series(up, shares, np.array(y))],
             [Mark("least", float(shares[int(np.argmin(y))]))], log_y=True)
        for title, up, y in (
            ("EfficientNet-Lite0, logits: what the softmax loses", "KL of softmax, nats", losses),
            ("the same clips by squared error", "mean squared error", errors),
        )
    ]  # fmt: skip
    write("cross_entropy", *plots)


def draw_scaling(graph: Graph, seen: Observation) -> None:
    """Weight ranges of the channels around one link, before and after."""
    links, _ = find_links(graph)

    def spread(first: Vector) -> float:
        return float(np.log(first.max() / first[first > 1e-3 * first.max()].min()))

    def ranges(g: Graph, index: int) -> tuple[Vector, Vector]:
        link = find_links(g)[0][index]
        return by_channel(g, link.first, np.max).max(1), by_channel(g, link.second, np.max).max(0)

    index = max(range(len(links)), key=lambda i: spread(ranges(graph, i)[0]))
    channels = {name: entry.channels for name, entry in seen.statistics.items() if entry.channels is not None}
    for name, after in (("equalization", equalize(graph).graph), ("balance", balance(graph, channels).graph)):
        plots = []
        link = links[index]
        before, beside = ranges(graph, index)
        order = np.argsort(before)
        # Dead channels would stretch the axis over ten decades.
        order = order[(before[order] > 1e-3 * before.max()) & (beside[order] > 1e-3 * beside.max())]
        at = np.arange(len(order), dtype=np.float64)
        for title, g in (("before", graph), ("after", after)):
            first, second = ranges(g, index)
            plots.append(Plot(f"{title}: {link.first.source} to {link.second.source}", "channel", "largest weight",
                              [Series("of the first layer", at, first[order], "dots"),
                               Series("of the second", at, second[order], "dots")], log_y=True))  # fmt: skip
        write(name, *plots)


def draw_alignment(graph: Graph, seen: Observation, images: NDArray[np.float32]) -> None:
    """Best symmetric scales of activations, before and after they are moved to powers of two."""
    free = ActivationFormat(symmetric=True)
    links, _ = find_links(graph)
    scales = {name: high / 127 for name, (_, high) in seen.ranges("mse", free).items()}
    after = observe(align(snap(graph, scales).graph), [images])
    moved = {name: high / 127 for name, (_, high) in after.ranges("mse", free).items()}
    values = [link.second.inputs[0] for link in links]
    at = np.arange(len(values), dtype=np.float64)
    series = [Series("before", at, np.log2([scales[v] for v in values]), "dots"),
              Series("after", at, np.log2([moved.get(v, np.nan) for v in values]), "dots")]  # fmt: skip
    write("align", Plot("EfficientNet-Lite0: scales of linked activations", "link", "log2 of the scale", series))


def draw_data_free(graph: Graph, seen: Observation) -> None:
    """The expected upper end of every activation's range against the one that calibration saw."""
    expected = expected_statistics(graph, (-1.0, 1.0))
    inner = list(seen.statistics)[1:]
    known = np.array([seen.statistics[v].minmax.range[1] for v in inner])
    blind = np.array([expected.statistics[v].minmax.range[1] for v in inner])
    ends = np.array([known.min(), known.max()])
    series = [Series("activations", known, blind, "dots"), Series("equal", ends, ends)]
    write("data_free", Plot("EfficientNet-Lite0: upper ends of ranges", "seen on 32 images", "expected from batch norm",
                            series, log_x=True, log_y=True))  # fmt: skip


def draw_correction(graph: Graph, seen: Observation, images: NDArray[np.float32]) -> None:
    """Mean shift of a depthwise layer's channels, weights of 4 bits, before and after."""
    scheme = Scheme(FORMATS["int4"], "mse", "mse")
    plain = quantize_observed(graph, seen, scheme)
    node = next(node for node in graph.nodes if node.kind == "DepthwiseConv2D")
    fixed = correct_bias(plain, images)
    channels = seen.statistics[node.inputs[0]].channels
    assert channels is not None
    real = plain.plan.qparams[node.inputs[1]].dequantize(plain.integers(node.inputs[1]))
    weights = graph.consts[node.inputs[1]]
    shift = mean_product(graph, node, real, channels.mean) - mean_product(graph, node, weights, channels.mean)
    after = shift + fixed.bias(node.inputs[2]) - graph.consts[node.inputs[2]]
    at = np.arange(len(shift), dtype=np.float64)
    series = [Series("before", at, shift, "dots"), Series("after", at, after, "dots")]
    write("bias_correction", Plot(f"EfficientNet-Lite0, {node.source}, 4 bits", "channel", "shift of the mean", series))


def draw_rounding() -> None:
    """DS-CNN: the output's SQNR by bits, nearest and least squares; the loss of blocks in reconstruction."""
    workload = tiny("dscnn_kws", 200)
    whole = api.load(workload.model)
    assert isinstance(whole, Graph)
    graph = whole.with_(nodes=whole.nodes[:-1], outputs=whole.nodes[-1].inputs)
    data = workload.calibration[:100]
    test = workload.test[:200]
    reference = float_run(graph, {graph.inputs[0]: test})[graph.outputs[0]]
    found: dict[str, list[float]] = {"nearest": [], "least squares": []}
    bits = np.arange(3.0, 9.0)
    for count in bits:
        scheme = Scheme(FORMATS["affine"].with_weights(bits=int(count)), "mse", "mse")
        plain = quantize_graph(graph, [data], scheme)
        for name, quantized in (("nearest", plain), ("least squares", least_squares_rounding(plain, data))):
            noise = simulate(quantized, {graph.inputs[0]: test})[graph.outputs[0]] - reference
            found[name].append(10 * float(torch.log10(reference.square().sum() / noise.square().sum())))
    series = [Series(name, bits, np.array(values)) for name, values in found.items()]
    write("least_squares", Plot("DS-CNN, logits", "bits of the weights", "SQNR, dB", series))
    steps: list[Step] = []
    plain = quantize_graph(graph, [data], Scheme(FORMATS["int4"], "mse", "mse"))
    reconstruct(plain, data, Reconstruction(), steps.append)
    lines = []
    for number, block in enumerate(dict.fromkeys(step.block for step in steps), 1):
        own = [step for step in steps if step.block == block]
        at = np.array([(step.done - 1) % 300 + 1 for step in own], np.float64)
        lines.append(Series(f"block {number}", at, np.array([step.loss for step in own])))
    write("reconstruction", Plot("DS-CNN, 4 bits: loss of the blocks", "iteration", "error over the start's", lines[:4],
                                 log_y=True))  # fmt: skip


def draw_mixture() -> None:
    """DS-CNN: the Pareto front of bytes and noise, nearest and least-squares rounding."""
    graph = api.load(tiny("dscnn_kws", 200).model)
    assert isinstance(graph, Graph)
    samples, _ = gather(graph, tiny("dscnn_kws", 200).calibration)
    series = []
    for name, rounding in (("nearest", None), ("least squares", LeastSquares())):
        scheme = Scheme(ranges="mse", weight_ranges="mse")
        options = ("int8", "int6", "int4", "int3")
        mixture = explore(graph, samples, scheme, load_target("host"), options, rounding=rounding)
        front = assignments(mixture, points=33)
        cost, noise = np.array([entry.cost for entry in front]), np.array([-entry.noise_db for entry in front])
        series.append(Series(name, cost, noise, "dots"))
    plot = Plot("DS-CNN, int8, int6, int4 or int3 for each layer", "bytes", "expected SQNR, dB", series)
    write("mixed_precision", plot)


if __name__ == "__main__":
    main()
