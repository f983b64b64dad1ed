"""What every kernel variant is checked with: random layers, their C in a folder, and the integer executor's answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from octavo.c.emit import emit
from octavo.c.kernels import KERNELS
from octavo.kernels.specialize import VARIANTS, specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel
from octavo.ops.integer.mean import QMean
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D
from octavo.run.integer_run import integer_run
from octavo.run.sample_bytes import pack
from octavo.targets import load_target
from tests.networks.half_layers import in_half
from tests.networks.integer_layers import (
    Layer,
    add,
    apart,
    average_pool,
    convolution,
    depthwise,
    fully_connected,
    in_int4,
    in_log2,
    max_pool,
    mean,
    random_inputs,
    side_by_side,
)
from tests.networks.integer_layers16 import in_int16, pointwise

__all__ = [
    "ALIGNMENT",
    "Case",
    "emitted",
    "half_layers",
    "layers",
    "layers16",
    "layers4",
    "layers_apart",
    "models_for",
    "written",
]

ALIGNMENT = 4
SAMPLES = 4


@dataclass(frozen=True)
class Case:
    """A model, its form for a variant, the folder of its C, packed inputs, and the integer executor's answers."""

    model: IntegerModel
    program: IntegerModel
    folder: Path
    inputs: np.ndarray
    expected: np.ndarray

    def check(self, got: np.ndarray) -> None:
        """Every layer's bytes, so that a failure names the layer."""
        graph, start = self.program.graph, 0
        makers = {node.outputs[0]: node for node in graph.nodes}
        for value in graph.outputs:
            stop = start + graph.types[value].nbytes
            np.testing.assert_array_equal(
                got[:, start:stop], self.expected[:, start:stop], err_msg=str(makers[value].op)
            )
            start = stop


def layers(seed: int, count: int) -> list[Layer]:
    """All kinds in turn; every third convolution is pointwise, every second depthwise one 3 x 3."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        made += [
            convolution(rng, (1, 1) if i % 3 == 0 else ((3, 3) if i % 3 == 1 else None)),
            depthwise(rng, (3, 3) if i % 2 else None),
            fully_connected(rng),
            add(rng),
            average_pool(rng),
            max_pool(rng),
            mean(rng),
        ]
    return made


def layers16(seed: int, count: int) -> list[Layer]:
    """16x8 layers of all kinds in turn."""
    rng = np.random.default_rng(seed)
    narrow = [layer for layer in layers(seed, count) if not isinstance(layer[0], QMean)]
    return [*(in_int16(rng, layer) for layer in narrow), *(pointwise(rng) for _ in range(count))]


def half_layers(seed: int, count: int) -> list[Layer]:
    """float16 layers of all kinds in turn."""
    rng = np.random.default_rng(seed)
    pools = (QAveragePool2D, QMaxPool2D, QMean)
    return [in_half(rng, layer) for layer in layers(seed, count) if not isinstance(layer[0], pools)]


def layers4(seed: int, pairs: int) -> list[Layer]:
    """Linear layers of all kinds, in turn with weights of four bits and with powers of two."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(pairs):
        for weights in (in_int4, in_log2):
            first = convolution(rng) if i % 2 else _pointwise(rng)
            made += [weights(rng, layer) for layer in (first, depthwise(rng), fully_connected(rng))]
    return made


def layers_apart(seed: int, count: int) -> list[Layer]:
    """Convolutions whose taps lie apart."""
    rng = np.random.default_rng(seed)
    return [apart(rng) for _ in range(count)]


def _pointwise(rng: np.random.Generator) -> Layer:
    """A convolution of one pixel without strides, of so many channels that every variant packs 4-bit weights."""
    made: Iterator[Any] = (convolution(rng, (1, 1)) for _ in count())
    return next(layer for layer in made if layer[0].stride_h == layer[0].stride_w == 1 and layer[0].in_c > 16)


def models_for(variant: str, seed: int, count: int) -> list[list[Layer]]:
    """Layers of all kinds, then fewer 16x8 and float16 ones, and others, where the variant has kernels for them; a
    model each, so that none is a function beyond what a compiler allocates registers for."""
    wide = any(kernel.endswith("_s16") for kernel in VARIANTS[variant])
    half = any(kernel.endswith("_f16") for kernel in VARIANTS[variant])
    narrow = f"conv2d_w4_{variant}" in KERNELS
    return [
        *([layers(seed, count)] * ("add_s8" in VARIANTS[variant])),
        *([layers16(seed + 1000, (count + 1) // 2)] * wide),
        *([half_layers(seed + 4000, (count + 1) // 2)] * half),
        *([layers4(seed + 2000, (count + 1) // 2)] * narrow),
        *([layers_apart(seed + 3000, 2 * count)] * (f"conv2d_apart_{variant}" in KERNELS)),
    ]


def written(folder: Path, made: Sequence[Layer], variant: str, seed: int) -> Case:
    """The layers side by side for a target that has only the variant, as C in ``folder``."""
    model = side_by_side(made)
    return emitted(folder, model, specialize(model, replace(load_target("host"), features=(variant,))), seed)


def emitted(
    folder: Path, model: IntegerModel, program: IntegerModel, seed: int, shared: frozenset[str] = frozenset()
) -> Case:
    """The C of ``program``, a form of ``model``, in ``folder``; ``shared`` names the nodes that share code."""
    inputs = random_inputs(model, SAMPLES, np.random.default_rng(seed))
    outputs = {name: value.numpy() for name, value in integer_run(model.graph, inputs).items()}
    arena = plan_arena(program.graph, ALIGNMENT)
    for path, data in emit(program, arena, "model", (inputs, outputs), shared).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    ends = model.graph.inputs, model.graph.outputs
    return Case(model, program, folder, pack(model.graph, ends[0], inputs), pack(model.graph, ends[1], outputs))
