"""The model run by its own framework, to prove that importing and passes changed nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from octavo.analysis.compare import Score
from octavo.diagnosis.result import Fork
from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.evenly import evenly
from octavo.pipeline.samples import Samples
from octavo.run.float_run import float_run, to_user_layout

__all__ = ["IMPORTED", "imported"]

IMPORTED = "imported"
_SAME_DB = 60.0
_HYBRID, _HYBRID_DB = "LiteRT (int8 weights, whose layers round their inputs)", 35.0
_SAMPLES = 8
_QUESTION = "Is the imported float network the one in the model file?"

Inputs = Mapping[str, Array]
Run = Callable[[Inputs], Array]


def imported(model: Any, graph: Graph, samples: Samples) -> Fork:
    """The first output of the model's own executor against that of the imported graph, on up to eight samples."""
    few = samples.take(evenly(len(samples), _SAMPLES))
    named = {
        name: array.transpose(np.argsort(graph.layouts[name])) if name in graph.layouts else array
        for name, array in few.inputs.items()
    }
    inputs = {name: np.ascontiguousarray(array, np.float32) for name, array in named.items()}
    executor, run = _executor(model)
    if run is None:
        return Fork(IMPORTED, _QUESTION, None, f"not asked: {executor}")
    try:
        expected = run(inputs)
    except OctavoError:
        raise
    except Exception as error:  # A foreign executor may fail in any way; the diagnosis goes on without it.
        return Fork(IMPORTED, _QUESTION, None, f"not asked: {executor} failed ({type(error).__name__}: {error!s:.120})")
    with torch.inference_mode():
        mine = float_run(graph, few.inputs)[graph.outputs[0]].numpy()
    got = to_user_layout(graph, graph.outputs[0], mine)
    if got.size != expected.size:
        return Fork(
            IMPORTED, _QUESTION, False, f"no: {executor} gives {list(expected.shape)}, Octavo {list(got.shape)}"
        )
    score = Score()
    score.update(expected.reshape(len(few), -1), got.reshape(len(few), -1))
    passed = score.sqnr_db >= (_HYBRID_DB if executor == _HYBRID else _SAME_DB)
    answer = f"{'yes' if passed else 'no'}: {executor} and the imported network agree to {score.sqnr_db:.0f} dB"
    return Fork(IMPORTED, _QUESTION, passed, answer, {"executor": executor, "sqnr_db": score.sqnr_db})


def _executor(model: Any) -> tuple[str, Run | None]:
    """The name of the model's own executor and how it runs; or why there is none."""
    if isinstance(model, torch.nn.Module):
        return "PyTorch", lambda inputs: _module(model, inputs)
    if not isinstance(model, (str, Path)):
        return "a graph has no file to compare with", None
    path = Path(model)
    if path.suffix == ".pt2":
        return "PyTorch", lambda inputs: _module(torch.export.load(path).module(), inputs)
    if path.suffix == ".onnx":
        if not _there("onnxruntime"):
            return "onnxruntime is not installed", None
        return "ONNX Runtime", lambda inputs: _onnx(path, inputs)
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        if _there(name):
            executor = _HYBRID if _hybrid(path, name) else "LiteRT"
            return executor, partial(_tflite, path, name)
    return "no interpreter of .tflite is installed (ai-edge-litert)", None


def _there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _module(module: torch.nn.Module, inputs: Inputs) -> Array:
    with torch.inference_mode():
        parts = []
        for i in range(len(next(iter(inputs.values())))):
            found = module(*(torch.from_numpy(array[i : i + 1]) for array in inputs.values()))
            first = found[0] if isinstance(found, (tuple, list)) else found
            parts.append(next(iter(first.values())) if isinstance(first, dict) else first)
    return np.asarray(torch.cat(parts).numpy())


def _onnx(path: Path, inputs: Inputs) -> Array:
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    arrays = list(inputs.values())
    parts = [
        session.run(None, {name: array[i : i + 1] for name, array in zip(names, arrays, strict=True)})[0]
        for i in range(len(arrays[0]))
    ]
    return np.concatenate(parts)


def _hybrid(path: Path, module: str) -> bool:
    """Whether the file is float with int8 weights: its interpreter then rounds what these layers read."""
    details = importlib.import_module(module).Interpreter(model_path=str(path)).get_tensor_details()
    return any(entry["dtype"] == np.int8 for entry in details)


def _tflite(path: Path, module: str, inputs: Inputs) -> Array:
    interpreter = importlib.import_module(module).Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    entries, output = interpreter.get_input_details(), interpreter.get_output_details()[0]
    arrays = list(inputs.values())
    parts = []
    for i in range(len(arrays[0])):
        for entry, array in zip(entries, arrays, strict=True):
            interpreter.set_tensor(entry["index"], array[i : i + 1].reshape(entry["shape"]))
        interpreter.invoke()
        parts.append(interpreter.get_tensor(output["index"]).copy())
    return np.concatenate(parts)
