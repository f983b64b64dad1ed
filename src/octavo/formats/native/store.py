"""Writes a Quantized as graph.json (structure, encodings) and tensors.safetensors (constants), and reads it back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from octavo.errors import OctavoError
from octavo.ir.build import MAX_ELEMENTS
from octavo.ir.check import verify
from octavo.ir.graph import DTYPES, Graph, Moments, Node, TensorType
from octavo.ir.plan import Quantized, make_plan
from octavo.num.levels import All, Between, Grouped, Levels, Narrow, PowersOfTwo
from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.ops import OPERATORS, Clip

__all__ = ["FILES", "read_quantized", "timeless", "write_quantized"]

VERSION = 1
FILES = ("graph.json", "tensors.safetensors")
MAX_JSON_BYTES = 64 * 2**20
_REMEDY = "The folder is damaged or from another version: compile the model again."


def write_quantized(quantized: Quantized) -> dict[str, bytes]:
    """The two files by name."""
    graph, plan = quantized.graph, quantized.plan
    document = {
        "version": VERSION,
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "layouts": dict(graph.layouts),
        "types": {name: [type_.dtype, *type_.shape] for name, type_ in graph.types.items()},
        "nodes": [
            {
                "name": node.name,
                "op": node.kind,
                "attributes": {f.name: _encode(getattr(node.op, f.name)) for f in fields(node.op)},  # type: ignore[arg-type]
                "inputs": node.inputs,
                "outputs": node.outputs,
                "source": node.source,
            }
            for node in graph.nodes
        ],
        "target": plan.target,
        "groups": dict(plan.groups),
        "reasons": dict(plan.reasons),
        "trail": timeless(plan.trail),
        "verdict": timeless(plan.verdict),
        "notes": plan.notes,
        "qparams": {name: _encode_qparams(q) for name, q in plan.qparams.items()},
    }
    tensors = {f"const:{name}": np.ascontiguousarray(array) for name, array in graph.consts.items()}
    for name, encoding in plan.qparams.items():
        tensors[f"scale:{name}"] = np.ascontiguousarray(encoding.scale)
        tensors[f"zero_point:{name}"] = np.ascontiguousarray(encoding.zero_point)
        if isinstance(encoding.levels, Grouped):
            tensors[f"factors:{name}"] = np.ascontiguousarray(encoding.levels.factors)
    for kind, arrays in (("integers", plan.integers), ("bias", plan.biases)):
        tensors |= {f"{kind}:{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, (mean, deviation) in graph.moments.items():
        tensors |= {f"mean:{name}": np.ascontiguousarray(mean), f"deviation:{name}": np.ascontiguousarray(deviation)}
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
    return dict(zip(FILES, (text.encode(), save(dict(sorted(tensors.items())))), strict=True))


def read_quantized(folder: Path) -> Quantized:
    """Read what ``write_quantized`` wrote. Raises OctavoError when anything is missing, damaged or inconsistent."""
    try:
        text = folder / "graph.json"
        if text.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("graph.json is too large")
        document = json.loads(text.read_text())
        tensors = load((folder / "tensors.safetensors").read_bytes())
        return _decode(document, tensors)
    except OctavoError as error:
        raise OctavoError(str(folder), f"{error.where}: {error.why}", _REMEDY) from error
    except FileNotFoundError as error:
        raise OctavoError(
            str(folder), "is not a folder that octavo compile wrote", "Run octavo compile first."
        ) from error
    except Exception as error:  # a damaged document can fail anywhere in the decoding
        raise OctavoError(str(folder), f"cannot be read ({type(error).__name__}: {error})", _REMEDY) from error


def timeless(record: Any) -> Any:
    """A trail or verdict without the seconds that it took, so that the same work gives the same bytes."""
    if isinstance(record, Mapping):
        return {key: timeless(value) for key, value in record.items() if key != "seconds"}
    return [timeless(value) for value in record] if isinstance(record, list | tuple) else record


def _encode(value: Any) -> Any:
    if isinstance(value, Clip):
        return {"minimum": _encode(value.minimum), "maximum": _encode(value.maximum)}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _encode_qparams(encoding: QParams) -> dict[str, Any]:
    levels = encoding.levels
    document: dict[str, Any] = {"dtype": encoding.dtype, "axis": encoding.channel_axis}
    if not isinstance(levels, All):
        document["levels"] = {"kind": type(levels).__name__, "bits": levels.bits}
    if isinstance(levels, Grouped):
        document["levels"]["size"] = levels.size
    if isinstance(levels, Between):
        document["levels"] |= {"low": levels.low, "high": levels.high}
    return document


def _levels(entry: dict[str, Any] | None, factors: Any) -> Levels:
    if entry is None:
        return All()
    if entry["kind"] == "Grouped":
        return Grouped(int(entry["bits"]), int(entry["size"]), factors)
    if entry["kind"] == "Between":
        return Between(int(entry["low"]), int(entry["high"]))
    kinds: dict[str, type[Narrow] | type[PowersOfTwo]] = {"Narrow": Narrow, "PowersOfTwo": PowersOfTwo}
    return kinds[entry["kind"]](int(entry["bits"]))


def _attribute(value: Any) -> Any:
    if isinstance(value, dict):
        return Clip(float(value["minimum"]), float(value["maximum"]))
    if isinstance(value, str):
        return float(value)
    return tuple(int(v) for v in value) if isinstance(value, list) else value


def _decode(document: dict[str, Any], tensors: dict[str, Any]) -> Quantized:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']} instead of {VERSION}")
    types: dict[str, TensorType] = {}
    for name, (dtype, *shape) in document["types"].items():
        types[name] = TensorType(tuple(int(d) for d in shape), str(dtype))
        if dtype not in DTYPES or min(shape, default=1) < 1 or types[name].size > MAX_ELEMENTS:
            raise ValueError(f"type of {name} is out of range")
    nodes = tuple(_node(entry) for entry in document["nodes"])
    consts = _named(tensors, "const")
    layouts = {str(name): tuple(int(axis) for axis in perm) for name, perm in document["layouts"].items()}
    for name, perm in layouts.items():
        if sorted(perm) != list(range(len(types[name].shape))):
            raise ValueError(f"layout of {name} is no permutation")
    inputs, outputs, moments = tuple(document["inputs"]), tuple(document["outputs"]), _moments(tensors, consts)
    graph = Graph(str(document["name"]), inputs, outputs, nodes, types, consts, layouts, moments)
    verify(graph, "stored graph")
    qparams = {}
    for name, entry in document["qparams"].items():
        granularity = PerTensor() if entry["axis"] is None else PerChannel(int(entry["axis"]))
        arrays = tensors[f"scale:{name}"], tensors[f"zero_point:{name}"]
        levels = _levels(entry.get("levels"), tensors.get(f"factors:{name}"))
        qparams[name] = QParams(str(entry["dtype"]), *arrays, granularity, levels)
    plan = make_plan(graph, qparams, document["groups"], document["reasons"], str(document["target"]))
    learned = replace(plan, integers=_named(tensors, "integers"), biases=_named(tensors, "bias"))
    trail, notes = tuple(document["trail"]), tuple(map(str, document["notes"]))
    return Quantized(graph, replace(learned, trail=trail, verdict=dict(document["verdict"]), notes=notes))


def _moments(tensors: dict[str, Any], consts: dict[str, Any]) -> dict[str, Moments]:
    means, deviations = _named(tensors, "mean"), _named(tensors, "deviation")
    for name in means.keys() | deviations.keys():
        pair = means[name], deviations[name]
        if any(part.shape != consts[name].shape or not np.isfinite(part).all() for part in pair) or pair[1].min() < 0:
            raise ValueError(f"moments of {name} do not match the graph")
    return {name: (mean.astype(np.float64), deviations[name].astype(np.float64)) for name, mean in means.items()}


def _named(tensors: dict[str, Any], kind: str) -> dict[str, Any]:
    prefix = f"{kind}:"
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _node(entry: dict[str, Any]) -> Node:
    op = OPERATORS[entry["op"]]
    attributes = {name: _attribute(value) for name, value in entry["attributes"].items()}
    return Node(
        str(entry["name"]),
        op(**attributes),
        tuple(map(str, entry["inputs"])),
        tuple(map(str, entry["outputs"])),
        str(entry["source"]),
    )
