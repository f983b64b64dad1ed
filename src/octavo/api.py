"""The main job in four calls: load, quantize, compare, export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from octavo.analysis.compare import compare
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.num.formats import find_format
from octavo.package import export
from octavo.passes import normalize
from octavo.quant.observe import Batch, Progress
from octavo.quant.quantize import Scheme, quantize_graph
from octavo.targets import load_target

if TYPE_CHECKING:
    from torch import nn

__all__ = ["compare", "export", "load", "quantize"]

GRANULARITIES = ("per-channel", "per-tensor")


def load(
    model: str | Path | nn.Module, example_inputs: Any | Sequence[Any] | None = None, name: str | None = None
) -> Graph | Quantized:
    """Read a trained network.

    ``model`` is a path to ``.onnx``, ``.tflite`` (float or int8) or ``.pt2``, or a ``torch.nn.Module`` together with
    ``example_inputs`` (a tensor or a sequence of tensors). The result is a normalised float Graph, channels last,
    batch norm folded and activations fused; an int8 ``.tflite`` becomes a Quantized as it is.

    Raises OctavoError naming the file or node, the reason and a remedy.
    """
    if isinstance(model, (str, Path)):
        loaded = _load_file(Path(model))
    else:
        loaded = _load_module(model, example_inputs, name)
    return loaded if isinstance(loaded, Quantized) else normalize(loaded)


def _load_file(path: Path) -> Graph | Quantized:
    if not path.is_file():
        raise OctavoError(str(path), "is not a file", "Give the path of a .onnx, .tflite or .pt2 file.")
    if path.suffix == ".onnx":
        from octavo.formats.onnx import read_onnx

        return read_onnx(path)
    if path.suffix == ".tflite":
        from octavo.formats.tflite import load_tflite

        return load_tflite(path)
    if path.suffix == ".pt2":
        from octavo.formats.torch_export import read_pt2

        return read_pt2(path)
    raise OctavoError(
        str(path),
        f"has the ending {path.suffix!r}, which no reader takes",
        "Use .onnx, .tflite or .pt2 (torch.export).",
    )


def _load_module(module: nn.Module, example_inputs: Any | Sequence[Any] | None, name: str | None) -> Graph:
    import torch

    from octavo.formats.torch_export import read_torch

    if not isinstance(module, torch.nn.Module):
        raise OctavoError("load", f"got a {type(module).__name__}", "Give a path or a torch.nn.Module.")
    if example_inputs is None:
        raise OctavoError("load", "a torch module needs example_inputs", "Give one tensor for each input of forward().")
    examples = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    return read_torch(module, examples, name or type(module).__name__)


def quantize(
    graph: Graph | Quantized,
    calibration: Iterable[Batch] | Batch,
    target: str = "cortex-m4",
    ranges: str = "moving-average",
    granularity: str = "per-channel",
    progress: Progress | None = None,
) -> Quantized:
    """Quantize a float graph to int8 for ``target``.

    ``calibration`` is one array [N, ...], a mapping from input names to arrays, or an iterable of batches of these,
    as the network takes them. ``ranges`` is
    ``moving-average`` or ``minmax``; ``granularity`` of the weights is ``per-channel`` or ``per-tensor``.
    ``progress(samples)`` is called after each batch.

    Activations are affine int8 (scale and zero_point), weights symmetric int8, biases int32 (Jacob et al. 2018;
    Krishnamoorthi 2018). Raises OctavoError when the data do not match or a value is not finite.
    """
    if isinstance(graph, Quantized):
        raise OctavoError(graph.graph.name, "is quantized already", "Export it as it is, or load the float model.")
    if granularity not in GRANULARITIES:
        raise OctavoError(f"granularity {granularity}", "is unknown", f"Use one of {', '.join(GRANULARITIES)}.")
    chosen = load_target(target)
    scheme = Scheme(find_format("affine").with_weights(granularity), ranges)
    return quantize_graph(normalize(graph), _batches(calibration), scheme, progress, chosen.name)


def _batches(calibration: Any) -> Iterable[Batch]:
    """Whole arrays are cut into batches, so that memory stays bounded; anything else is taken as batches."""
    if isinstance(calibration, np.ndarray) or type(calibration).__name__ == "Tensor":
        return (calibration[start : start + 32] for start in range(0, len(calibration), 32))
    if isinstance(calibration, Mapping):
        count = max((len(array) for array in calibration.values()), default=0)
        return (
            {name: array[start : start + 32] for name, array in calibration.items()} for start in range(0, count, 32)
        )
    batches: Iterable[Batch] = calibration
    return batches
