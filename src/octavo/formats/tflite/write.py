"""Writes a quantized network as an int8 or 16x8 .tflite that LiteRT, TFLite-Micro and Vela accept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from octavo.errors import OctavoError
from octavo.formats.tflite.assemble import assemble
from octavo.formats.tflite.draft import Draft, Part
from octavo.formats.tflite.writers import WRITERS, table
from octavo.ir.plan import Quantized
from octavo.ops import Op, Unary

__all__ = ["write_tflite"]


def write_tflite(quantized: Quantized) -> bytes:
    """The file's bytes: the same for the same network.

    TFLite-Micro's reference kernels compute from it the integers of ``lower``. OctavoError names the first node that
    TensorFlow Lite cannot express exactly.
    """
    if any(encoding.dtype == "float16" for encoding in quantized.plan.qparams.values()):
        raise OctavoError(
            quantized.graph.name,
            "TensorFlow Lite export: its Micro kernels have no float16",
            "Use the C or the ONNX file.",
        )
    draft = Draft(quantized)
    inputs = [draft.value(name) for name in quantized.graph.inputs]
    for node in quantized.graph.nodes:
        op = node.op
        assert isinstance(op, Op)
        part = Part(draft, node)
        writer = WRITERS.get(type(op), table if isinstance(op, Unary) else None)
        if writer is None:
            raise part.refuse(f"{node.kind} has no int8 form", "Use the C output, or replace the operator.")
        if part.site.y().dtype != "int8":
            # TensorFlow Lite has layers in int16 whose integers are not defined here: lowering refuses them by name.
            op.lower(part.site)
        _clamped(part, writer)
    outputs = [draft.value(name) for name in quantized.graph.outputs]
    if not draft.operators:
        raise OctavoError(quantized.graph.name, "has no operator to export", "Export a network that computes.")
    return assemble(quantized.graph.name, draft.tensors, draft.operators, inputs, outputs)


def _clamped(part: Part, writer: Callable[[Part], None]) -> None:
    """The node, then a MAXIMUM and a MINIMUM with constants where its own clamp leaves more than the encoding has."""
    ends = [(kind, end) for kind, end in zip(("MAXIMUM", "MINIMUM"), part.left(), strict=True) if end is not None]
    if not ends:
        writer(part)
        return
    y, shape = part.site.y(), part.site.out_type().shape
    value = part.inner("unclamped", shape, y.dtype.upper(), y)
    writer(replace(part, written=value))
    for index, (kind, end) in enumerate(ends):
        last = index == len(ends) - 1
        output = part.y() if last else part.inner("raised", shape, y.dtype.upper(), y)
        limit = part.const(kind.lower(), np.array([end], y.dtype), y)
        part.emit(kind, 2, [value, limit], output, "MaximumMinimumOptions")
        value = output
