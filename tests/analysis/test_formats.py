"""Effects of formats against brute force in numpy, counts by hand, and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from octavo.analysis.formats import (
    ASYMMETRIC,
    Effect,
    activation_effects,
    encoding_levels,
    format_effects,
    histogram,
    weight_formats,
)
from octavo.analysis.weights import find_layer, find_tensor, layer_weights
from octavo.errors import OctavoError
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.num.energy import ANCHORS, add_energy, mac_energy, multiply_energy, window_sum_energy
from octavo.num.formats import FORMATS, ActivationFormat, WeightFormat, find_format
from octavo.num.levels import Grouped
from octavo.ops import Conv2D, DepthwiseConv2D

Real = NDArray[np.float64]


def weights(seed: int = 0) -> Real:
    """[6, 3, 3, 16] with channels of very different size and a mean that is not zero."""
    rng = np.random.default_rng(seed)
    scales = np.geomspace(0.01, 1, 6)[:, None, None, None]
    return ((rng.normal(size=(6, 3, 3, 16)) + 0.5) * scales).astype(np.float32).astype(np.float64)


def find(rows: tuple[Effect, ...], name: str, granularity: str) -> Effect:
    (row,) = [row for row in rows if name in row.name.split(", ") and row.granularity == granularity]
    return row


def decibels(signal: Real, noise: Real) -> float:
    return float(10 * np.log10((signal**2).sum() / (noise**2).sum()))


def nearest(w: Real, levels: Real) -> Real:
    """The nearest of all levels, by looking at every one."""
    return levels[np.abs(w[..., None] - levels).argmin(-1)]


def test_int8_sqnr_is_that_of_numpy() -> None:
    w = weights()
    rows = format_effects(w, 0, weight_ranges="minmax")
    scale = (np.abs(w).max((1, 2, 3), keepdims=True) / 127).astype(np.float32).astype(np.float64)
    per_channel = find(rows, "affine", "per-channel")
    noise = np.rint(w / scale) * scale - w
    assert per_channel.sqnr_db == pytest.approx(decibels(w, noise), abs=1e-6)
    worst = min(decibels(w[i], noise[i]) for i in range(6))
    assert per_channel.worst_channel_db == pytest.approx(worst, abs=1e-6)
    assert per_channel.step == pytest.approx((float(scale.min()), float(scale.max())))
    assert per_channel.range == pytest.approx((-127 * scale.max(), 127 * scale.max()))
    assert per_channel.levels_used == len(np.unique(np.rint(w / scale))) and per_channel.levels == 255
    whole = find(rows, "affine", "per-tensor")
    assert whole.sqnr_db == pytest.approx(decibels(w, np.rint(w / scale.max()) * scale.max() - w), abs=1e-6)
    assert whole.worst_channel_db < per_channel.worst_channel_db - 20


def test_float16_is_numpys() -> None:
    w = weights()
    (row,) = [row for row in format_effects(w) if row.name == "float16"]
    assert row.sqnr_db == pytest.approx(decibels(w, w.astype(np.float16).astype(np.float64) - w), abs=1e-6)
    assert row.levels_used == len(np.unique(w.astype(np.float16)))
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    assert row.levels == len(np.unique(halves[np.isfinite(halves)])) and row.bytes == 2 * w.size


@pytest.mark.parametrize("method", ["minmax", "mse", "percentile"])
def test_rows_are_the_nearest_of_the_levels_that_are_drawn(method: str) -> None:
    """Of a tensor with one channel every format's levels are known, and the nearest of them is what it rounds to."""
    w = weights()[5:]
    for row in format_effects(w, 0, weight_ranges=method):
        if row.name == "float16" or isinstance(row.encoding.levels, Grouped):
            continue
        levels, _ = encoding_levels(row.encoding)
        assert len(levels) == row.levels and levels[0] >= row.range[0] and levels[-1] <= row.range[1]
        assert 0.0 in levels
        got = row.encoding.dequantize(row.encoding.quantize(w))
        by_hand = nearest(w, levels)
        # The log2 grid rounds at 0.75 * 2^k, the middle; ties may go either way.
        assert np.abs(got - w) == pytest.approx(np.abs(by_hand - w), abs=1e-9), row.name
        assert row.sqnr_db == pytest.approx(decibels(w, by_hand - w), abs=1e-6), row.name


def test_asymmetric_weights_against_numpy_and_where_they_gain() -> None:
    w = np.abs(np.random.default_rng(5).normal(size=(4, 5000)).astype(np.float32).astype(np.float64))
    rows = format_effects(w, 0, weight_ranges="minmax")
    row = find(rows, ASYMMETRIC, "per-channel")
    scale = w.max(1, keepdims=True) / 255
    assert row.sqnr_db == pytest.approx(decibels(w, np.rint(w / scale) * scale - w), abs=0.01)
    # All weights on one side of zero: half of the symmetric levels are idle, which is 6 dB.
    assert row.sqnr_db - find(rows, "affine", "per-channel").sqnr_db == pytest.approx(
        20 * math.log10(255 / 127), abs=0.2
    )
    assert "data-dependent" in row.warning and not find(rows, "affine", "per-channel").warning
    best = find(format_effects(w, 0, weight_ranges="mse"), ASYMMETRIC, "per-channel")
    assert best.sqnr_db >= row.sqnr_db - 1e-9


def test_bytes_are_packed() -> None:
    rows = format_effects(weights(), 0)
    size, channels, groups = 864, 6, 6 * math.ceil(144 / 32)
    assert find(rows, "affine", "per-channel").bytes == size + 4 * channels
    assert find(rows, "affine", "per-tensor").bytes == size + 4
    assert find(rows, "int4", "per-channel").bytes == size // 2 + 4 * channels
    assert find(rows, "int4", "per-group").bytes == size // 2 + 4 * channels + groups
    assert find(rows, "int3", "per-channel").bytes == size * 3 // 8 + 4 * channels
    assert find(rows, ASYMMETRIC, "per-channel").bytes == size + 5 * channels
    odd = format_effects(np.ones(3), 0, "per-tensor")
    assert find(odd, "int4", "per-tensor").bytes == 2 + 4


def test_rows_follow_the_formats() -> None:
    named = {name for names, _, _ in weight_formats() for name in names.split(", ")}
    assert set(FORMATS) <= named
    rows = weight_formats()
    assert len({(weights, energy) for _, weights, energy in rows}) == len(rows)
    assert {w.granularity for _, w, _ in weight_formats("per-tensor") if w.kind != "float16"} == {"per-tensor"}
    with pytest.raises(OctavoError, match="per-row"):
        weight_formats("per-row")


def test_channel_axis_does_not_matter() -> None:
    w = weights()
    for a, b in zip(format_effects(w, 0), format_effects(np.moveaxis(w, 0, 3), 3), strict=True):
        assert a.sqnr_db == pytest.approx(b.sqnr_db) and a.bytes == b.bytes and a.levels_used == b.levels_used
    assert [r.sqnr_db for r in format_effects(np.moveaxis(w, 0, 3), -1)] == [
        r.sqnr_db for r in format_effects(np.moveaxis(w, 0, 3), 3)
    ]


def test_a_tensor_of_zeros_loses_nothing() -> None:
    for row in format_effects(np.zeros((4, 8)), 0):
        assert row.sqnr_db == math.inf and row.levels_used == 1 and row.bytes > 0 and row.range[1] > 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    w = weights()
    w[0, 0, 0, 0] = value
    with pytest.raises(OctavoError, match="conv7"):
        format_effects(w, 0, where="conv7")


def test_other_nonsense_is_refused() -> None:
    for bad in (np.float64(1), np.zeros((0, 3)), np.array(["a"])):
        with pytest.raises(OctavoError):
            format_effects(bad)
    with pytest.raises(OctavoError, match="axis"):
        format_effects(np.ones((2, 2)), 2)
    with pytest.raises(OctavoError, match="unknown"):
        format_effects(np.ones((2, 2)), 0, weight_ranges="guess")


def test_energy_grows_with_the_bits() -> None:
    bits = [mac_energy(WeightFormat(bits=b)) for b in range(2, 9)]
    assert bits == sorted(bits) and bits[-1] == 1.0 and len(set(bits)) == len(bits)
    log2, group = WeightFormat("log2", 4), WeightFormat(bits=4, granularity="per-group")
    assert mac_energy(log2) < mac_energy(WeightFormat(bits=4)) < mac_energy(group) < 1
    wide = mac_energy(WeightFormat(), ActivationFormat("int16", symmetric=True))
    half = mac_energy(WeightFormat("float16", 16), ActivationFormat("float16"))
    assert 1 < wide < half < (ANCHORS["float32 multiply"] + ANCHORS["float32 add"]) / 0.3


def test_the_model_meets_the_published_energies() -> None:
    assert multiply_energy(8, 8) == pytest.approx(ANCHORS["int8 multiply"])
    assert multiply_energy(32, 32) == pytest.approx(ANCHORS["int32 multiply"], rel=0.05)
    for bits in (8, 16, 32):
        assert add_energy(bits) == pytest.approx(ANCHORS[f"int{bits} add"], rel=0.2)


def test_a_zero_point_costs_depthwise_layers_most() -> None:
    # 0.1 pJ for the shared sum; per output 0.1 for a subtraction and a product of 8 x 12 bits, over 0.3 pJ.
    expected = (0.1 / 64 + (0.2 * 8 * 12 / 64 + 0.1) / 9) / 0.3
    assert window_sum_energy(9, 64, False) == pytest.approx(expected)
    assert window_sum_energy(9, 1, False) > 1 / 3 > window_sum_energy(9, 64, False)
    assert window_sum_energy(9, 64, True) < window_sum_energy(9, 64, False)


@pytest.mark.parametrize("name", ["asymmetric", "asymmetric-weights"])
def test_asymmetric_weights_are_refused_with_the_reason(name: str) -> None:
    for ask in (find_format, lambda kind: WeightFormat(kind=kind)):
        with pytest.raises(OctavoError) as refused:
            ask(name)
        assert "depends on the data" in refused.value.why and "docs/formats.md" in refused.value.remedy


def network() -> Graph:
    """Two convolutions and a depthwise one; the first two come from one node of the user's."""
    rng = np.random.default_rng(3)
    build = GraphBuilder("net")
    x = build.input("x", TensorType((1, 8, 8, 4)))
    for name, op, shape, source in (
        ("first", Conv2D(groups=2), (6, 3, 3, 2), "block"),
        ("second", Conv2D(), (4, 1, 1, 6), "block"),
        ("spread", DepthwiseConv2D(), (1, 3, 3, 8), "Conv node user/depthwise"),
    ):
        channels = shape[op.channel_axis]
        w = build.const(rng.normal(size=shape).astype(np.float32), f"{name}/w")
        b = build.const(np.zeros(channels, np.float32), f"{name}/b")
        x = build.add(op, (x, w, b), name, source)
    return build.finish((x,))


def test_layers_are_found_by_name_and_by_source() -> None:
    graph = network()
    assert [entry.sharing for entry in layer_weights(graph)] == [3, 4, 2]
    assert find_layer(graph, "user/depthwise").layer == find_layer(graph, "Conv node user/depthwise").layer == "spread"
    with pytest.raises(OctavoError, match="first, second"):
        find_layer(graph, "block")
    with pytest.raises(OctavoError, match="Use one of spread"):
        find_layer(graph, "spraed")
    found = find_tensor(graph, "second/w")
    assert found is not None and found.layer == "second"
    assert find_tensor(graph, graph.outputs[0]) is None
    for name, why in (("second/b", "no layer's weights"), ("secnd/w", "second/w")):
        with pytest.raises(OctavoError, match=why):
            find_tensor(graph, name)


def test_activations_against_numpy() -> None:
    graph = network()
    x = np.random.default_rng(4).normal(size=(20, 8, 8, 4)).astype(np.float32)
    rows, statistics = activation_effects(graph, [x[:12], x[12:]], "x", "minmax")
    by_name = {name: row for row in rows for name in row.name.split(", ")}
    assert set(by_name) == set(FORMATS)
    wide = x.astype(np.float64)
    for name, top in (("symmetric", 127), ("16x8", 32767)):
        scale = np.float64(np.float32(np.abs(wide).max() / top))
        assert by_name[name].sqnr_db == pytest.approx(decibels(wide, np.rint(wide / scale) * scale - wide), abs=1e-3)
        assert by_name[name].levels_used == len(np.unique(np.rint(wide / scale)))
    low, high = wide.min(), wide.max()
    scale = np.float64(np.float32((high - low) / 255))
    zero = np.rint(-128 - low / scale)
    q = np.clip(np.rint(wide / scale) + zero, -128, 127)
    assert by_name["affine"].sqnr_db == pytest.approx(decibels(wide, (q - zero) * scale - wide), abs=1e-3)
    assert by_name["affine"].bytes == 8 * 8 * 4 and by_name["16x8"].bytes == 2 * 8 * 8 * 4
    assert by_name["float16"].sqnr_db == pytest.approx(decibels(wide, x.astype(np.float16) - wide), abs=1e-3)
    assert histogram(statistics, 40).sum() == pytest.approx(x.size, rel=0.01)
