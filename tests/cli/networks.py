"""Tiny networks and data on disk, and the ``octavo`` command as a script calls it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from octavo.cli import main

__all__ = ["Answer", "SAMPLES", "octavo", "save_data", "save_network"]

SAMPLES = 40
# Names as exporters write them, with all that a careless table takes for a style.
LAYERS = ("blocks[0][/conv]", "head:smile:[red]")


@dataclass(frozen=True)
class Answer:
    """What a script sees of one command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def octavo(capsys: pytest.CaptureFixture[str], *arguments: object) -> Answer:
    """Run the command line in this process, through the same door as the console script."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["octavo", *map(str, arguments)])
        # A terminal as wide as the widest table, so that nothing is folded.
        patch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as leaving:
            main()
    captured = capsys.readouterr()
    code = leaving.value.code
    assert code is None or isinstance(code, int)
    return Answer(code or 0, captured.out, captured.err)


def save_network(path: Path) -> Path:
    """A convolution, ReLU and a fully connected layer: [N, 2, 5, 5] to [N, 3]."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(4, 2, 3, 3)) / 4,
        "b": np.zeros(4),
        "w2": rng.normal(size=(100, 3)) / 8,
        "b2": np.zeros(3),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name=LAYERS[0], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], name=LAYERS[1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def save_data(path: Path, labels: bool = True) -> Path:
    """Random samples for that network."""
    rng = np.random.default_rng(1)
    arrays: dict[str, Any] = {"inputs": rng.normal(size=(SAMPLES, 2, 5, 5)).astype(np.float32)}
    if labels:
        arrays["labels"] = rng.integers(0, 3, SAMPLES)
    np.savez(path, **arrays)
    return path
