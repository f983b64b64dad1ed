"""Writes everything a quantized network becomes into one folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from octavo import __version__
from octavo.build import Build
from octavo.c.arena import BASE_ALIGNMENT
from octavo.c.emit import emit
from octavo.c.packages import package_files
from octavo.c.sharing import check_optimize, shared_calls
from octavo.errors import OctavoError
from octavo.files import GENERATOR, MARKER, replace_folder
from octavo.fit import check_fit, const_bytes, flash_bytes, model_bytes
from octavo.formats.native import timeless, write_quantized
from octavo.formats.onnx import write_onnx_qdq
from octavo.formats.tflite import write_tflite
from octavo.ir.check import verify
from octavo.ir.graph import Array, Node
from octavo.ir.plan import Quantized
from octavo.kernels.specialize import specialize
from octavo.lower.liveness import plan_arena
from octavo.lower.lower import IntegerModel, lower
from octavo.lower.streaming import Streaming
from octavo.lower.trim import Trimmed
from octavo.memory import Arena
from octavo.num.qparams import integer_limits
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import Strips
from octavo.program import chosen_target, plan_program
from octavo.run.integer_run import integer_run
from octavo.strips import InStrips
from octavo.targets import Target, load_target, target_text
from octavo.timeline import arena_rows, arena_steps

__all__ = ["export", "write_quantization"]

VECTORS = 4
MANIFEST_VERSION = 1


def export(
    quantized: Quantized,
    folder: str | Path,
    name: str = "model",
    target: str | None = None,
    optimize: str = "speed",
    ram: int | None = None,
    flash: int | None = None,
    stream: int | None = None,
    strips: bool = False,
) -> Build:
    """Write C, .tflite, ONNX QDQ, test vectors and a manifest into ``folder``, whole or not at all.

    ``name`` becomes the prefix of the C functions and the name of the folder with the C, which is a library for CMake,
    Arduino, ESP-IDF, Zephyr and PlatformIO. ``target`` defaults to the one the network was quantized for.
    ``optimize`` is speed, balanced or size: whether layers get code of their own or share it (octavo.c.sharing); or
    fastest: as speed, and 3 x 3 convolutions with fewer multiplications and larger weights where the target has the DSP
    extension (octavo.kernels.winograd).
    ``ram`` and ``flash``, in bytes, are what the network may take; those of the target when not given.
    With ``stream``, the constants of layers are placed in slow memory and copied, at most so many bytes at a time, into
    the arena while the layer before computes (csrc/stream.h); larger layers are computed in pieces.
    With ``strips``, layers run strip by strip where that makes the arena smaller: so small that ``ram`` is kept, or as
    small as can be when it is not given.
    A format that cannot express the network is left out, and the manifest says why. Raises OctavoError when the
    network does not fit the target or has no integer form.
    """
    check_optimize(optimize)
    wanted = target or quantized.plan.target or "cortex-m4"
    described = load_target(wanted)
    described.require_code()
    chosen = chosen_target(described, optimize, ram, flash)
    model = lower(quantized)
    verify(model.graph, "integer graph")
    planned = plan_program(model, chosen, stream, strips, ram)
    trimmed, found, layers, program = planned.trimmed, planned.strips, planned.layers, planned.code
    streaming, arena = planned.streaming, planned.arena
    check_fit(program, arena, chosen, streaming, found.model if found else trimmed.model)
    # Copies into a joined image are nodes of the program alone, and multiply nothing.
    macs = {node.name: 0 for node in program.graph.nodes}
    macs |= {node.name: layer(layers, node)["macs"] for node in layers.graph.nodes}
    shared = shared_calls(program.graph, _by_call(layers, macs), optimize)
    library = emit(program, arena, name, _golden(model), shared, streaming)
    library |= package_files(name, __version__, library)
    files = {f"{name}/{path}": data for path, data in library.items()}
    files["target.toml"] = target_text(wanted).encode()
    files |= {f"quantized/{path}": data for path, data in write_quantized(quantized).items()}
    refused: dict[str, str] = {}
    _try("model.tflite", lambda: write_tflite(quantized), files, refused)
    _try("model_qdq.onnx", lambda: write_onnx_qdq(quantized), files, refused)
    manifest = _manifest(trimmed, program, arena, streaming, chosen, name, macs)
    manifest |= {"optimize": optimize, "not_written": refused}
    if strips:
        manifest["strips"] = _strips(found, ram)
    if stream is not None:
        manifest["streaming"] = _streaming(trimmed.model, program, arena, streaming, stream, chosen)
    manifest["sha256"] = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}
    files[MARKER] = (json.dumps(manifest, indent=1) + "\n").encode()
    replace_folder(Path(folder), files)
    return Build.open(folder)


def write_quantization(quantized: Quantized, folder: str | Path) -> dict[str, str]:
    """Write the quantized network without C: ``quantized/``, .tflite, ONNX QDQ and a manifest, whole or not at all.

    Returns the files that could not be written, with the reason.
    """
    files = {f"quantized/{path}": data for path, data in write_quantized(quantized).items()}
    refused: dict[str, str] = {}
    _try("model.tflite", lambda: write_tflite(quantized), files, refused)
    _try("model_qdq.onnx", lambda: write_onnx_qdq(quantized), files, refused)
    plan = quantized.plan
    manifest = {
        "generator": GENERATOR,
        "version": MANIFEST_VERSION,
        "target": plan.target,
        "verdict": timeless(plan.verdict),
        "notes": list(plan.notes),
        "not_written": refused,
        "sha256": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())},
    }
    files[MARKER] = (json.dumps(manifest, indent=1) + "\n").encode()
    replace_folder(Path(folder), files)
    return refused


def _try(path: str, write: Callable[[], bytes], files: dict[str, bytes], refused: dict[str, str]) -> None:
    try:
        files[path] = write()
    except OctavoError as error:
        refused[path] = str(error)


def _golden(model: IntegerModel) -> tuple[dict[str, Array], dict[str, Array]]:
    """Random inputs and what the integer executor makes of them; float16 inputs are around 1, of both signs."""
    rng = np.random.default_rng(2026)
    inputs: dict[str, Array] = {}
    for name in model.graph.inputs:
        type_ = model.graph.types[name]
        shape = (VECTORS, *type_.shape[1:])
        if type_.dtype == "float16":
            inputs[name] = rng.normal(size=shape).astype(np.float16)
        else:
            inputs[name] = rng.integers(*integer_limits(type_.dtype), shape, endpoint=True).astype(type_.dtype)
    outputs = integer_run(model.graph, inputs)
    return inputs, {name: value.numpy() for name, value in outputs.items()}


def _by_call(model: IntegerModel, macs: dict[str, int]) -> dict[str, int]:
    """Multiply-accumulates by kernel call: of stages in place of the strips that they form."""
    strips = [node for node in model.graph.nodes if isinstance(node.op, Strips)]
    found = {name: count for name, count in macs.items() if name not in {node.name for node in strips}}
    for node in strips:
        assert isinstance(node.op, Strips)
        found |= node.op.stage_macs([model.graph.types[value] for value in node.inputs])
    return found


def _strips(found: InStrips | None, ram: int | None) -> dict[str, Any]:
    """What runs strip by strip to keep how much RAM, and what it costs."""
    if found is None:
        return {"loops": [], "extra_macs": 0, "limit_bytes": ram}
    loops = [
        {
            "layers": [stage.node.source or stage.node.name for stage in op.stages],
            "strips": len(op.steps),
            "rows": op.output.made,
        }
        for op in found.strips
    ]
    return {"loops": loops, "extra_macs": found.macs - found.whole_macs, "limit_bytes": ram}


def _streaming(
    model: IntegerModel, program: IntegerModel, arena: Arena, streaming: Streaming, limit: int, target: Target
) -> dict[str, Any]:
    """What lies in slow memory, what stays and why, and what the buffers add to the arena of the model without them."""
    sources = {node.name: node.source or node.name for node in program.graph.nodes}
    return {
        "limit_bytes": limit,
        "streamed_bytes": streaming.nbytes,
        "flash_bytes": flash_bytes(program, streaming),
        "arena_bytes_added": arena.size - plan_arena(specialize(model, target).graph, target.alignment).size,
        "layers": {name: stream.nbytes for name, stream in streaming.streams.items()},
        "resident": {sources[name]: why for name, why in streaming.resident.items()},
    }


def _manifest(
    trimmed: Trimmed,
    program: IntegerModel,
    arena: Arena,
    streaming: Streaming,
    target: Target,
    name: str,
    macs: dict[str, int],
) -> dict[str, Any]:
    model = trimmed.model
    calls = [node for node in program.graph.nodes if not _integer_op(node).alias]
    layers = [{**layer(program, node), "macs": macs[node.name]} for node in calls]
    return {
        "generator": GENERATOR,
        "version": MANIFEST_VERSION,
        "octavo": __version__,
        "name": name,
        "target": target.name,
        "rounding": target.arithmetic.rounding,
        "inputs": [_port(model, value) for value in model.graph.inputs],
        "outputs": [_port(model, value) for value in model.graph.outputs],
        "ram_bytes": target.ram_bytes,
        "flash_bytes": target.flash_bytes,
        "macs": sum(entry["macs"] for entry in layers),
        "model_bytes": model_bytes(program),
        "arena_bytes": arena.size,
        "arena_lower_bound_bytes": arena.lower_bound,
        "arena_alignment": max(arena.alignment, BASE_ALIGNMENT),
        "arena_strategy": arena.strategy,
        "arena_steps": arena_steps(program.graph),
        "arena_values": arena_rows(program.graph, arena, streaming),
        "layers": layers,
        "idle_channels": {name: {"dropped": lost, "of": whole} for name, (lost, whole) in trimmed.dropped.items()},
    }


def _integer_op(node: Node) -> IntegerOp:
    assert isinstance(node.op, IntegerOp)
    return node.op


def layer(model: IntegerModel, node: Node) -> dict[str, Any]:
    """A kernel call's row in the manifest."""
    graph = model.graph
    inputs, outputs = [graph.types[v] for v in node.inputs], [graph.types[v] for v in node.outputs]
    moving = [graph.types[v].nbytes for v in node.inputs if v not in graph.consts]
    return {
        "name": node.name,
        "kernel": _integer_op(node).kernel,
        "source": node.source,
        "output_shape": list(outputs[0].shape),
        "macs": _integer_op(node).macs(inputs, outputs),
        "input_bytes": sum(moving),
        "output_bytes": sum(t.nbytes for t in outputs),
        "const_bytes": const_bytes(model, node),
    }


def _port(model: IntegerModel, value: str) -> dict[str, Any]:
    encoding, type_ = model.encodings[value], model.graph.types[value]
    return {
        "name": value,
        "shape": list(type_.shape),
        "dtype": type_.dtype,
        "scale": float(encoding.scale[0]),
        "zero_point": int(encoding.zero_point[0]),
        "user_axes": list(model.graph.layouts.get(value, range(len(type_.shape)))),
    }
