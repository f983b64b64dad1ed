"""The stored network: the same after a round trip, the same bytes everywhere, one error when damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octavo import ops
from octavo.errors import OctavoError
from octavo.formats.native import read_quantized, write_quantized
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import TensorType
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.quant.quantize import quantize_graph
from octavo.run.integer_run import integer_run

ROOT = Path(__file__).resolve().parents[3]
JSON, TENSORS = "graph.json", "tensors.safetensors"


def network() -> Quantized:
    """Clips, infinities, per-channel weights, tuples and a layout of the user's: all that the store encodes."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("stored")
    x = b.input("image", TensorType((1, 6, 5, 2)))
    w, c = b.const(rng.normal(size=(4, 3, 3, 2)), "w"), b.const(rng.normal(size=4), "c")
    y = b.add(ops.Conv2D((1, 1), (1, 1, 1, 1), activation=ops.Clip(0.0, float("inf"))), [x, w, c], "conv")
    y = b.add(ops.Add(), [y, b.add(ops.HardSwish(), [y], "act")], "sum")
    w2, c2 = b.const(rng.normal(size=(3, 4)), "w2"), b.const(rng.normal(size=3), "c2")
    y = b.add(ops.FullyConnected(), [b.add(ops.Mean((1, 2)), [y], "mean"), w2, c2], "fc")
    data = rng.normal(size=(8, 2, 6, 5)).astype(np.float32)
    graph = dataclasses.replace(b.finish([y]), layouts={x: (0, 2, 3, 1)})
    return quantize_graph(graph, [data])


@pytest.fixture(scope="module")
def stored() -> dict[str, bytes]:
    return write_quantized(network())


def read(folder: Path, files: dict[str, bytes]) -> Quantized:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return read_quantized(folder)


def refused(folder: Path, files: dict[str, bytes]) -> str:
    """The one OctavoError, which names the folder."""
    with pytest.raises(OctavoError) as caught:
        read(folder, files)
    assert caught.value.where == str(folder) and caught.value.remedy
    return caught.value.why


def test_round_trip_is_identical(stored: dict[str, bytes], tmp_path: Path) -> None:
    before, after = network(), read(tmp_path, stored)
    for part in ("name", "inputs", "outputs", "nodes", "types", "layouts"):
        assert getattr(after.graph, part) == getattr(before.graph, part), part
    assert before.graph.layouts, "the network has no layout: this test says less than it should"
    assert set(after.graph.consts) == set(before.graph.consts)
    for name, array in before.graph.consts.items():
        np.testing.assert_array_equal(after.graph.consts[name], array)
        assert np.asarray(after.graph.consts[name]).dtype == np.asarray(array).dtype
    assert set(after.plan.qparams) == set(before.plan.qparams)
    for name, q in before.plan.qparams.items():
        again = after.plan.qparams[name]
        assert (again.dtype, again.granularity) == (q.dtype, q.granularity)
        np.testing.assert_array_equal(again.scale, q.scale)
        np.testing.assert_array_equal(again.zero_point, q.zero_point)
    assert (after.plan.groups, after.plan.reasons, after.plan.target) == (
        before.plan.groups, before.plan.reasons, before.plan.target
    )  # fmt: skip
    x = {"image": np.random.default_rng(3).integers(-128, 128, (9, 6, 5, 2)).astype(np.int8)}
    for name, value in integer_run(lower(before).graph, x).items():
        np.testing.assert_array_equal(integer_run(lower(after).graph, x)[name], value)
    assert write_quantized(after) == stored


EXPORT = """
    import hashlib, sys
    from pathlib import Path
    from octavo.package import export
    from tests.formats.native.test_store import network
    folder = Path(sys.argv[1])
    export(network(), folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(path.relative_to(folder), hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_every_file_is_the_same_in_another_process(stored: dict[str, bytes], tmp_path: Path) -> None:
    """Sets and dictionaries iterate in another order under another hash seed; no byte may depend on it."""
    said = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(EXPORT), str(tmp_path / seed)],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        said.append(dict(line.rsplit(" ", 1) for line in result.stdout.splitlines()))
    assert said[0] == said[1]
    assert {"model.tflite", "model_qdq.onnx", "model/src/model.c", "manifest.json"} <= set(said[0])
    for name, data in stored.items():
        assert said[0][f"quantized/{name}"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", [JSON, TENSORS])
def test_truncated_files(stored: dict[str, bytes], tmp_path: Path, name: str) -> None:
    whole = stored[name]
    for length in (0, 1, 7, 8, 9, len(whole) // 3, len(whole) // 2, len(whole) - 2):
        refused(tmp_path, {**stored, name: whole[:length]})


@pytest.mark.parametrize("name", [JSON, TENSORS])
def test_missing_files(stored: dict[str, bytes], tmp_path: Path, name: str) -> None:
    read(tmp_path, stored)
    (tmp_path / name).unlink()
    with pytest.raises(OctavoError, match="octavo compile"):
        read_quantized(tmp_path)


@pytest.mark.parametrize("name", [JSON, TENSORS])
def test_flipped_bits_are_read_or_refused(stored: dict[str, bytes], tmp_path: Path, name: str) -> None:
    """A changed weight is another network, which no reader can tell; nothing but OctavoError may come out."""
    rng = np.random.default_rng(4)
    count = 0
    for _ in range(150):
        data = bytearray(stored[name])
        limit = min(len(data), 1200)  # where the structure is
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(limit)] ^= 1 << rng.integers(8)
        try:
            read(tmp_path, {**stored, name: bytes(data)})
        except OctavoError:
            count += 1
    assert count > 20


def change(path: tuple[str | int, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (change(("version",), 99), "version 99"),
        (change(("types", "image"), ["float32", 1, 2**40, 2**40, 2]), "out of range"),
        (change(("types", "image"), ["float32", 1, -6, 5, 2]), "out of range"),
        (change(("types", "image"), ["float7", 1, 6, 5, 2]), "float7|out of range"),
        (change(("types", "image"), ["float32", 1, 6, 5, 3]), ""),
        (change(("nodes", 0, "op"), "os.system"), "os.system"),
        (change(("nodes", 0, "attributes", "surprise"), 1), "surprise"),
        (change(("nodes", 0, "inputs"), ["image", "absent", "c"]), "absent"),
        (change(("outputs",), ["absent"]), "absent"),
        (change(("layouts", "image"), [0, 0, 1, 2]), "no permutation"),
        (change(("nodes",), 7), ""),
        (change(("qparams",), {}), ""),
        (change(("groups",), 7), ""),
    ],
)
def test_doctored_structure(
    stored: dict[str, bytes], tmp_path: Path, edit: Callable[[dict[str, Any]], None], word: str
) -> None:
    document = json.loads(stored[JSON])
    edit(document)
    why = refused(tmp_path, {**stored, JSON: json.dumps(document).encode()})
    assert any(part in why for part in word.split("|")), why


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, "\xff", "{}"])
def test_not_our_json(stored: dict[str, bytes], tmp_path: Path, text: str) -> None:
    refused(tmp_path, {**stored, JSON: text.encode("latin-1")})
