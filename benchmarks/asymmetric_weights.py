"""What a zero_point of weights would gain, and what it would cost: SQNR of the weights, additions, and time in C.

The additions are those of the input's windows, which depend on the data: one sum a window position and group, shared
by all output channels of the group. A depthwise convolution shares none.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.workloads import TINY, efficientnet_lite0, tiny
from octavo import api
from octavo.analysis.formats import ASYMMETRIC, format_effects
from octavo.analysis.weights import LayerWeights, layer_weights

__all__ = ["main"]

ON_THE_GRID_DB = 80
GRANULARITIES = ("per-channel", "per-tensor")
PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { REPEATS = 40 };
static int8_t x[1 << 20], w[1 << 20], z[1 << 12];
static int32_t y[1 << 20];

static void fill(void)
{
    uint32_t state = 1;
    for (int i = 0; i < 1 << 20; ++i) {
        state = state * 1664525u + 1013904223u;
        x[i] = (int8_t)(state >> 24);
        w[i] = (int8_t)(state >> 16);
    }
    for (int i = 0; i < 1 << 12; ++i) z[i] = (int8_t)(i % 61 - 30);
}

/* Rows of `window` inputs times `channels` filters: a 1 x 1 convolution, or any other after im2col.
 * mode 0: symmetric; 1: the window's sum, once for all channels; 2: the zero_point subtracted from every weight. */
static inline void dense(int positions, int window, int channels, int mode)
{
    for (int p = 0; p < positions; ++p) {
        const int8_t *in = x + p * window;
        int32_t sum = 0;
        if (mode == 1)
            for (int k = 0; k < window; ++k) sum += in[k];
        for (int c = 0; c < channels; ++c) {
            const int8_t *f = w + c * window;
            int32_t acc = 0;
            if (mode == 2)
                for (int k = 0; k < window; ++k) acc += in[k] * (f[k] - z[c]);
            else
                for (int k = 0; k < window; ++k) acc += in[k] * f[k];
            y[p * channels + c] = acc - (mode == 1 ? z[c] * sum : 0);
        }
    }
}

/* 3 x 3, channels last, without padding. */
static inline void depthwise(int size, int channels, int mode)
{
    for (int r = 0; r + 2 < size; ++r)
        for (int q = 0; q + 2 < size; ++q)
            for (int c = 0; c < channels; ++c) {
                int32_t acc = 0, sum = 0;
                for (int i = 0; i < 3; ++i)
                    for (int j = 0; j < 3; ++j) {
                        int32_t v = x[((r + i) * size + q + j) * channels + c];
                        int32_t f = w[(i * 3 + j) * channels + c];
                        acc += v * (mode == 2 ? f - z[c] : f);
                        if (mode == 1) sum += v;
                    }
                y[(r * size + q) * channels + c] = acc - (mode == 1 ? z[c] * sum : 0);
            }
}

/* Functions of their own, so that the mode is a constant in each. */
#define NOINLINE __attribute__((noinline))
#define MODES(name, loop, ...) \
    static NOINLINE void name##_0(void) { loop(__VA_ARGS__, 0); } \
    static NOINLINE void name##_1(void) { loop(__VA_ARGS__, 1); } \
    static NOINLINE void name##_2(void) { loop(__VA_ARGS__, 2); }
MODES(pointwise, dense, 576, 128, 128)
MODES(narrow, dense, 2304, 32, 16)
MODES(depth, depthwise, 26, 128)

static double seconds(void (*run)(void))
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int j = 0; j < 5; ++j) run();
    clock_gettime(CLOCK_MONOTONIC, &b);
    return ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec)) / 5;
}

int main(void)
{
    fill();
    void (*runs[3][3])(void) = {{pointwise_0, pointwise_1, pointwise_2}, {narrow_0, narrow_1, narrow_2},
                                {depth_0, depth_1, depth_2}};
    for (int i = 0; i < 3; ++i) {
        uint32_t check[3];
        for (int mode = 0; mode < 3; ++mode) {
            runs[i][mode]();
            check[mode] = 0;
            for (int k = 0; k < 1 << 16; ++k) check[mode] = check[mode] * 31 + (uint32_t)y[k];
        }
        if (check[1] != check[2]) return 1;
        /* In turn, so that a busy moment of the machine meets all three; the best counts. */
        double best[3] = {1e9, 1e9, 1e9};
        for (int repeat = 0; repeat < REPEATS; ++repeat)
            for (int mode = 0; mode < 3; ++mode) {
                double taken = seconds(runs[i][mode]);
                if (taken < best[mode]) best[mode] = taken;
            }
        printf("%.9f %.9f %.9f\n", best[0], best[1], best[2]);
    }
    return 0;
}
"""
LOOPS = (
    "1 x 1, 128 to 128 channels, 24 x 24",
    "1 x 1, 32 to 16 channels, 48 x 48",
    "depthwise 3 x 3, 128 channels, 24 x 24",
)


def main() -> None:
    """The layers of every model, then the loops."""
    for name in TINY:
        _layers(name, api.load(tiny(name, 1).model))
    workload = efficientnet_lite0()
    _layers(workload.name, api.load(workload.model, torch.from_numpy(workload.calibration[:1])))
    _loops()


def _gains(layer: LayerWeights) -> list[float]:
    """SQNR in dB of asymmetric over symmetric int8, for each granularity, both with their best ranges.

    NaN where the file's weights lie on a symmetric int8 grid already, as those of the keyword spotter do.
    """
    gains = []
    for granularity in GRANULARITIES:
        rows = format_effects(layer.values, layer.channel_axis, granularity, "mse", layer.sharing, layer.source)
        by_name = {row.name: row.sqnr_db for row in rows}
        gains.append(by_name[ASYMMETRIC] - rows[0].sqnr_db if rows[0].sqnr_db < ON_THE_GRID_DB else np.nan)
    return gains


def _layers(name: str, graph: Any) -> None:
    print(f"{name}: dB gained per channel and per tensor; additions of window sums per MAC")
    kinds: dict[str, list[tuple[float, float, int, float]]] = {}
    for layer in layer_weights(graph):
        gains, sums = _gains(layer), layer.macs / layer.sharing
        kinds.setdefault(layer.kind, []).append((*gains, layer.macs, sums))
        shape = " x ".join(map(str, layer.values.shape))
        print(f"  {layer.layer[-44:]:<46}{shape:<20}{gains[0]:6.2f}{gains[1]:7.2f}{1 / layer.sharing:9.2%}")
    rows = [*kinds.items(), ("all", [row for part in kinds.values() for row in part])]
    for kind, part in rows:
        columns = np.array(part)
        share = columns[:, 3].sum() / columns[:, 2].sum()
        gains = _median(columns[:, 0]), _median(columns[:, 1])
        print(f"  median of {kind:<36}{len(part):<20}{gains[0]:6.2f}{gains[1]:7.2f}{share:9.2%}", flush=True)


def _median(gains: Any) -> float:
    finite = gains[np.isfinite(gains)]
    return float(np.median(finite)) if finite.size else float("nan")


def _loops() -> None:
    """Once as the compiler likes it, and once without its vector instructions, which small cores lack."""
    for flags in (("-O2",), ("-O2", "-fno-tree-vectorize")):
        with tempfile.TemporaryDirectory() as folder:
            source, program = Path(folder) / "loops.c", Path(folder) / "loops"
            source.write_text(PROGRAM)
            subprocess.run(["gcc", *flags, "-std=gnu99", "-o", program, source], check=True)
            lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
        print(f"gcc {' '.join(flags)}, microseconds: symmetric, window sums, zero_point subtracted from every weight")
        for title, line in zip(LOOPS, lines, strict=True):
            symmetric, sums, subtracted = (1e6 * float(part) for part in line.split())
            print(f"  {title:<42}{symmetric:9.1f}{sums:9.1f} ({sums / symmetric - 1:+.1%})"
                  f"{subtracted:9.1f} ({subtracted / symmetric - 1:+.1%})", flush=True)  # fmt: skip
