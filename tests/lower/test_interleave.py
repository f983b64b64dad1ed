"""Concatenations of channels without copies: random networks with branches, their C against the integer executor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from octavo import ops
from octavo.device.emulator import run_on_board
from octavo.device.host import HostModel, sanitized_run
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.ops.base import Placeable
from octavo.ops.integer import QConcat, QInterleave, QPlace
from octavo.quant.quantize import quantize_graph
from octavo.targets import load_target
from tests.networks.kernel_cases import emitted
from tests.oracles.device import require_device

VARIANTS = {"dsp": ("dsp",), "scalar": ("scalar",), "mve": ("mve", "dsp"), "winograd": ("winograd", "dsp")}
BOARDS = {"dsp": "cortex-m4", "scalar": "cortex-m3", "mve": "cortex-m55", "winograd": "cortex-m4"}


def branches(seed: int, blocks: int = 2, shortcut: bool = True) -> IntegerModel:
    """What ``joined`` is lowered to."""
    return lower(joined(seed, blocks, shortcut))


def joined(seed: int, blocks: int = 2, shortcut: bool = True) -> Quantized:
    """Blocks of convolutions of all kinds beside each other, joined in channels; a pool or a shortcut among them."""
    rng, b = np.random.default_rng(seed), GraphBuilder("branches")

    def conv(x: str, kernel: int, channels: int, pad: bool = True) -> str:
        c = b.type(x).shape[-1]
        w = (rng.normal(size=(channels, kernel, kernel, c)) * np.sqrt(2 / (c * kernel * kernel))).astype(np.float32)
        bias = (rng.normal(size=channels) / 8).astype(np.float32)
        pads = (kernel // 2,) * 4 if pad else (0, 0, 0, 0)
        op = ops.Conv2D((1, 1), pads, activation=ops.Clip(0.0, 6.0))
        return b.add(op, [x, b.const(w, "w"), b.const(bias, "b")], "conv")

    def depthwise(x: str) -> str:
        c = b.type(x).shape[-1]
        w, bias = rng.normal(size=(1, 3, 3, c)).astype(np.float32) / 2, rng.normal(size=c).astype(np.float32) / 8
        return b.add(ops.DepthwiseConv2D((1, 1), (1, 1, 1, 1)), [x, b.const(w, "w"), b.const(bias, "b")], "depthwise")

    size = int(rng.integers(3, 10)), int(rng.integers(3, 10))
    x = b.input("x", TensorType((1, *size, int(rng.integers(1, 9)))))
    for _ in range(blocks):
        wide = [int(v) for v in rng.integers(1, 5, 4) * (4 if rng.integers(0, 2) else 1)]
        parts = [conv(x, 1, wide[0]), conv(conv(x, 1, 4), 3, 2 * wide[1]), depthwise(conv(x, 1, wide[2]))]
        if shortcut:
            parts.append(x if rng.integers(0, 2) else b.add(ops.MaxPool2D((3, 3), (1, 1), (1, 1, 1, 1)), [x], "pool"))
        order = rng.permutation(len(parts))
        x = b.add(ops.Concat(3), [parts[i] for i in order], "join")
    graph = b.finish([conv(x, 1, 3)])
    shape = graph.types["x"].shape
    return quantize_graph(graph, [rng.normal(size=(8, *shape[1:])).astype(np.float32)])


def program(model: IntegerModel, variant: str) -> IntegerModel:
    return specialize(model, replace(load_target("host"), features=VARIANTS[variant]))


def kinds(model: IntegerModel, kind: type) -> int:
    return sum(isinstance(node.op, kind) for node in model.graph.nodes)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(5))
def test_the_same_bytes_on_the_host_and_under_sanitizers(tmp_path: Path, seed: int, variant: str) -> None:
    model = branches(seed)
    made = program(model, variant)
    assert kinds(made, QInterleave) + kinds(made, QConcat) == 2 > kinds(made, QConcat) and kinds(model, QConcat) == 2
    case = emitted(tmp_path, model, made, seed)
    with HostModel(case.folder) as host:
        case.check(host.run(case.inputs))
    if seed < 2:
        case.check(sanitized_run(case.folder, case.inputs, case.expected.shape[1]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_boards(tmp_path: Path, variant: str) -> None:
    """Three blocks of larger networks."""
    require_device(BOARDS[variant])
    model = branches(50, blocks=3)
    case = emitted(tmp_path, model, program(model, variant), 1)
    case.check(run_on_board(case.folder, load_target(BOARDS[variant]), case.inputs).outputs)


def test_what_it_saves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is copied where all parts are layers' outputs, and the arena is never larger, sometimes far smaller."""
    models = [branches(seed, shortcut=False) for seed in range(6)]
    made = [program(model, "dsp") for model in models]
    assert sum(kinds(one, QPlace) for one in made) == 0 and sum(kinds(one, QInterleave) for one in made) >= 5
    monkeypatch.setattr("octavo.lower.views.interleaved", lambda *_: None)
    copied = [program(model, "dsp") for model in models]
    assert all(kinds(one, QInterleave) == 0 and kinds(one, QConcat) == 2 for one in copied)
    sizes = [[plan_arena(one.graph).size for one in programs] for programs in (made, copied)]
    shares = np.divide(*sizes)
    assert shares.max() <= 1 and shares.min() < 0.85, shares


def test_what_the_view_means() -> None:
    parts = [np.arange(12, dtype=np.int8).reshape(1, 2, 2, 3), np.arange(8, dtype=np.int8).reshape(1, 2, 2, 2)]
    types, whole = [TensorType(part.shape, "int8") for part in parts], QInterleave((1, 2, 2, 5))
    assert whole.infer(types) == (TensorType((1, 2, 2, 5), "int8"),) and whole.alias_starts(types) == [0, 3]
    joined = whole.eval_int(*map(torch.from_numpy, parts)).numpy()
    np.testing.assert_array_equal(joined, np.concatenate(parts, axis=3))
    for wrong in (types[:1], [types[0]] * 2, [types[0], TensorType((1, 4, 1, 2), "int8")]):
        with pytest.raises(ValueError, match="channels of the inputs"):
            whole.infer(wrong)


def test_extents_reach_from_the_first_to_the_last_pixel() -> None:
    """The planner must not put anything between a layer's pixels that is alive with it."""
    for node in program(branches(7), "dsp").graph.nodes:
        if isinstance(node.op, Placeable) and isinstance(node.op.out_stride, int):
            channels = getattr(node.op, "out_c", None) or node.op.channels  # type: ignore[attr-defined]
            type_ = TensorType((1, 3, 5, channels), "int8")
            assert node.op.extent(type_) == 14 * node.op.out_stride + channels >= type_.nbytes
