"""Mutated ONNX files: each is read or refused with one OctavoError, in bounded time and memory.

A few hundred by default; the environment variable OCTAVO_FUZZ sets the number.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import numpy as np
import onnx
from onnx_models import MODELS

from octavo.errors import OctavoError
from octavo.formats.onnx import read_onnx

COUNT = int(os.environ.get("OCTAVO_FUZZ", "400"))
SECONDS = 10.0
GROWTH_KIB = 1 << 20
NUMBERS = (-1, 0, 1, 2, 3, 7, 255, 65536, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1)


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    """One to eight flipped bits."""
    array = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        array[int(rng.integers(len(array)))] ^= 1 << int(rng.integers(8))
    return bytes(array)


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """The beginning."""
    return data[: int(rng.integers(len(data)))]


def splice(data: bytes, rng: np.random.Generator) -> bytes:
    """A piece removed, repeated or overwritten by random bytes."""
    a, b = sorted(int(v) for v in rng.integers(len(data), size=2))
    b = min(b, a + 64)
    middle = (b"", data[a:b] * 2, rng.bytes(b - a))[int(rng.integers(3))]
    return data[:a] + middle + data[b:]


def change_field(data: bytes, rng: np.random.Generator) -> bytes:
    """A well-formed file with one to three fields changed to something hostile."""
    model = onnx.load_from_string(data)
    graph = model.graph
    for _ in range(int(rng.integers(1, 4))):
        node = graph.node[int(rng.integers(len(graph.node)))]
        tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
        number = NUMBERS[int(rng.integers(len(NUMBERS)))]
        names = [n for other in graph.node for n in (*other.input, *other.output)]
        name = names[int(rng.integers(len(names)))]
        kind = int(rng.integers(10))
        if kind == 0 and node.attribute:
            attribute = node.attribute[int(rng.integers(len(node.attribute)))]
            attribute.i = number
            attribute.f = float(number)
            attribute.ints[:] = [number if rng.random() < 0.5 else v for v in attribute.ints] or [number]
        elif kind == 1 and tensor.dims:
            tensor.dims[int(rng.integers(len(tensor.dims)))] = number
        elif kind == 2:
            tensor.data_type = int(rng.integers(0, 25))
        elif kind == 3:
            node.input[int(rng.integers(len(node.input)))] = name
        elif kind == 4:
            node.output[0] = name
        elif kind == 5:
            node.op_type = graph.node[int(rng.integers(len(graph.node)))].op_type
        elif kind == 6:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[int(rng.integers(len(dims)))].dim_value = number
        elif kind == 7:
            model.opset_import[0].version = int(rng.integers(5, 24))
        elif kind == 8:
            tensor.raw_data = rng.bytes(len(tensor.raw_data))
        else:
            tensor.raw_data = np.resize(np.array([number], dtype=np.int64), len(tensor.raw_data) // 8 + 1).tobytes()[
                : len(tensor.raw_data)
            ]
    return model.SerializeToString()


MUTATIONS = (flip_bits, truncate, splice, change_field)


def test_mutated_files(tmp_path: Path) -> None:
    seeds = [build().SerializeToString() for build in MODELS.values()]
    path = tmp_path / "fuzzed.onnx"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = {"read": 0, "refused": 0}
    for index in range(COUNT):
        rng = np.random.default_rng([index, 2026])
        path.write_bytes(MUTATIONS[index % len(MUTATIONS)](seeds[index // len(MUTATIONS) % len(seeds)], rng))
        start = time.monotonic()
        try:
            read_onnx(path)
            outcomes["read"] += 1
        except OctavoError as error:
            outcomes["refused"] += 1
            assert error.remedy and len(str(error)) < 5000, index
        assert time.monotonic() - start < SECONDS, index
    print(outcomes)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_KIB
    assert min(outcomes.values()) > 0
