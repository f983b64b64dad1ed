"""The main job in four calls: load, quantize, compare, export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.analysis.compare import compare
from octavo.diagnosis import Diagnosis
from octavo.diagnosis.case import Case, divided
from octavo.diagnosis.flow import diagnosed
from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.num.formats import FORMATS, Format, find_format
from octavo.num.options import find_options
from octavo.package import export
from octavo.passes import normalize
from octavo.pipeline import climb, gather, split, without_calibration
from octavo.pipeline.choices import Choices
from octavo.pipeline.finetuned import finetuned, hold_out
from octavo.pipeline.layers import with_layers
from octavo.pipeline.learned import RECONSTRUCTION
from octavo.pipeline.mixed import Mixing
from octavo.pipeline.rung import Stage, silent
from octavo.quant.data_free import InputRange
from octavo.quant.mixed import Budget
from octavo.quant.observe import Batch
from octavo.quant.quantize import Scheme
from octavo.quant.rounding import Reconstruction
from octavo.quant.rounding.checkpoint import Checkpoint
from octavo.targets import load_target
from octavo.train import Recipe, trainable
from octavo.train.recipe import DEFAULT

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Budget", "Diagnosis", "compare", "diagnose", "export", "finetune", "load", "quantize", "trainable"]


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
    calibration: Iterable[Batch] | Batch | None,
    target: str = "cortex-m4",
    format: str | Format = "affine",
    granularity: str | None = None,
    ranges: str | None = None,
    weight_ranges: str = "mse",
    equalization: str = "auto",
    layers: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    budget: Budget | None = None,
    max_drop: float | None = None,
    labels: Array | None = None,
    evaluation: Batch | None = None,
    evaluation_labels: Array | None = None,
    input_range: InputRange | None = None,
    reconstruction: Reconstruction | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: Stage = silent,
) -> Quantized:
    """Quantize a float graph for ``target`` by the recommended pipeline, or by your own choices.

    ``calibration`` is one array [N, ...], a mapping from input names to arrays, or an iterable of batches of these,
    as the network takes them. None quantizes without data, by the statistics of the model's batch norms;
    ``input_range``, (low, high) or one by input name, is then the range of what the network reads. ``format`` is a
    name of ``octavo formats`` or a Format; ``granularity`` of the weights is per-channel, per-tensor or per-group.
    ``ranges`` of activations: minmax (the default without data), moving-average, percentile, mse (the default with
    data), kl or cross-entropy; ``weight_ranges``: minmax, mse or percentile. ``equalization``: auto tries what the
    format can use and keeps what has the least noise; none, weights, balance or align choose one.

    ``layers`` give single layers, by name or source, other numbers: "int4", "16x8", "per-tensor", "int4 per-group".
    ``options`` let every layer be one of several (int8 to int2, 16x8 to 16x2): the best choice within ``budget``
    (octavo.Budget of bytes, mac-bits or latency), or the cheapest that ``max_drop`` allows, with learned rounding.

    With ``max_drop`` (points of accuracy if there are labels, else of agreement with the float network) the ladder is
    climbed: learned rounding follows when plain rounding misses it. ``reconstruction`` are settings of its last rung,
    which takes minutes: ``checkpoint`` is a file with which it goes on after an interruption, ``device`` is cpu or
    cuda, where it runs (the same device gives the same integers, another one not always). ``evaluation`` samples,
    with or without labels, serve search and the final number; without them parts of ``calibration`` do, and no sample
    serves two ends. The result's ``plan`` holds the ``trail``, the ``verdict`` and the ``notes``.
    ``progress(what, done, total)`` is called as the work goes on.

    Raises OctavoError when the data do not match, a value is not finite, or a model without batch-norm statistics is
    given without data.
    """
    if isinstance(graph, Quantized):
        raise OctavoError(graph.graph.name, "is quantized already", "Export it as it is, or load the float model.")
    chosen, wanted = load_target(target), find_format(format)
    normalized = normalize(graph)
    place = None if checkpoint is None else Path(checkpoint)
    Choices(
        wanted,
        granularity,
        ranges,
        weight_ranges,
        equalization,
        layers or {},
        options,
        budget,
        max_drop,
        seed,
        data=calibration is not None,
        labels=labels is not None,
        input_range=input_range is not None,
        checkpoint=place is not None,
        device=device is not None,
    ).check(normalized, chosen)
    if place is not None:
        Checkpoint.check(place)
    if device is not None:
        reconstruction = replace(reconstruction or Reconstruction(), device=device)
    methods = ranges or ("minmax" if calibration is None else "mse"), weight_ranges
    scheme = Scheme(wanted.with_weights(granularity), *methods)
    scheme = with_layers(normalized, scheme, layers or {}, chosen)
    held = None if evaluation is None else gather(normalized, evaluation, evaluation_labels)[0]
    if calibration is None:
        divided = without_calibration(normalized, held)
    else:
        samples, notes = gather(normalized, calibration, labels)
        divided = split(samples, held, max_drop is not None, seed)
        divided = replace(divided, notes=(*notes, *divided.notes))
    quantized = climb(
        normalized,
        divided,
        scheme,
        equalization,
        max_drop,
        progress,
        chosen,
        Mixing(tuple(options), budget) if options else None,
        input_range,
        reconstruction,
        place,
    )
    if place is not None and any(row["rung"] == RECONSTRUCTION for row in quantized.plan.trail):
        place.unlink(missing_ok=True)
    return quantized


def diagnose(
    model: str | Path | nn.Module | Graph,
    calibration: Iterable[Batch] | Batch,
    data: Iterable[Batch] | Batch | None = None,
    labels: Array | None = None,
    reference: str | Path | nn.Module | Graph | None = None,
    example_inputs: Any | Sequence[Any] | None = None,
    target: str = "cortex-m4",
    format: str | Sequence[str] = "affine",
    granularity: str | None = None,
    ranges: str = "mse",
    weight_ranges: str = "mse",
    equalization: str = "none",
    layers: Mapping[str, str] | None = None,
    samples: int | None = None,
    progress: Stage = silent,
) -> Diagnosis:
    """Why a network loses accuracy when it is quantized: the cause, and a remedy with its measured gain.

    ``model`` is a path, a torch module with ``example_inputs``, or a graph of ``load``; ``reference`` the network that
    it was made from, where there is one. ``calibration`` samples set the ranges, ``data`` judge (best with ``labels``);
    without them a fifth of the calibration samples does. The other choices are those of ``quantize``; of several
    formats the first is diagnosed, the others are tried as remedies. ``samples`` of each are used at most, by default
    as many as the network is small enough for (32 to 512). docs/diagnosis.md explains the result.

    Raises OctavoError when the data do not match, a value is not finite, or the model is quantized already.
    """
    graph = _float(model, example_inputs)
    original = None if reference is None else _float(reference, example_inputs)
    formats = [find_format(name) for name in ([format] if isinstance(format, str) else format)]
    if not formats:
        raise OctavoError("format", "names none", "Leave it out, or give one or more.")
    if equalization not in ("none", "weights", "balance", "align"):
        raise OctavoError(f"equalization {equalization}", "cannot be diagnosed", "Use none, weights, balance or align.")
    if samples is not None and samples < 1:
        raise OctavoError(f"samples {samples}", "are too few", "Give 1 or more.")
    chosen = load_target(target)
    Choices(
        formats[0], granularity, None, weight_ranges, equalization, layers or {}, (), None, None, 0,
        data=True, labels=labels is not None, input_range=False, checkpoint=False, device=False,
    ).check(graph, chosen)  # fmt: skip
    scheme = Scheme(formats[0].with_weights(granularity), ranges, weight_ranges)
    scheme = with_layers(graph, scheme, layers or {}, chosen)
    calibrating, notes = gather(graph, calibration)
    judging, more = (None, ()) if data is None else gather(graph, data, labels)
    first, judge, fresh, said = divided(graph, calibrating, judging, samples)
    case = Case(graph, scheme, chosen, first, judge, fresh, tuple(formats[1:]), equalization, progress)
    settings = {
        "model": graph.name,
        "target": chosen.name,
        "format": formats[0].name,
        "granularity": scheme.format.weights.granularity,
        "ranges": ranges,
        "weight_ranges": weight_ranges,
        "equalization": equalization,
        "layers": dict(layers or {}),
        "calibration_samples": len(first),
        "samples": len(judge),
        "labels": judge.labels is not None,
        "reference": None if original is None else original.name,
    }
    return diagnosed(case, model, original, settings, (*notes, *more, *said))


def _float(model: str | Path | nn.Module | Graph, example_inputs: Any) -> Graph:
    """A normalised float graph."""
    loaded = model if isinstance(model, (Graph, Quantized)) else load(model, example_inputs)
    if isinstance(loaded, Quantized):
        raise OctavoError(loaded.graph.name, "is quantized already", "Give the float model that it was made from.")
    return normalize(loaded)


def finetune(
    quantized: Quantized,
    data: Iterable[Batch] | Batch,
    labels: Array | None = None,
    evaluation: Batch | None = None,
    evaluation_labels: Array | None = None,
    teacher: str | Path | Graph | None = None,
    recipe: Recipe = DEFAULT,
    checkpoint: str | Path | None = None,
    progress: Stage = silent,
    target: str | None = None,
) -> Quantized:
    """Train a quantized network with its quantizers in the loop; the integers of the best epoch come back.

    ``data`` are training samples as the network takes them, with ``labels`` int [N] or without: then the float network
    that was quantized teaches. ``teacher`` names another float network with the same inputs, or is that network's own
    graph. ``evaluation`` samples judge every epoch in integer arithmetic; without them a tenth of ``data`` does.
    ``recipe`` is octavo.train.Recipe; ``checkpoint`` a file with which interrupted training goes on, to the same
    integers: remove it when the result is safe. Bits are learned (``recipe.learn_bits``) for a ``target`` that has
    them: the one that the network was quantized for, when not given. For a loop of your own there is ``trainable``.

    Raises OctavoError when the data do not match, the loss is not finite, or nothing is left to train.
    """
    if not isinstance(quantized, Quantized):
        raise OctavoError("finetune", f"got a {type(quantized).__name__}", "Quantize the network first.")
    if recipe.learn_bits is not None:
        chosen = load_target(target or quantized.plan.target or "cortex-m4")
        find_options(("int4",), FORMATS["affine"], chosen.formats)
    graph = quantized.graph
    samples, notes = gather(graph, data, labels)
    if evaluation is None:
        training, held = hold_out(samples, recipe.seed)
    else:
        training, held = samples, gather(graph, evaluation, evaluation_labels)[0]
    taught = _teacher(graph, teacher, labels is None)
    place = None if checkpoint is None else Path(checkpoint)
    trained = finetuned(quantized, training, held, taught, recipe, progress, place)
    return trained.with_(notes=(*trained.plan.notes, *notes))


def _teacher(graph: Graph, given: str | Path | Graph | None, needed: bool) -> Graph | None:
    """The float network that teaches, with the student's inputs and classes."""
    if given is None:
        return graph if needed else None
    found = load(given) if isinstance(given, (str, Path)) else given
    if isinstance(found, Quantized):
        raise OctavoError(f"teacher {found.graph.name}", "is quantized", "Give a float network.")
    same = [(graph.types[mine].shape, found.types[theirs].shape) for mine, theirs in _ends(graph, found)]
    if found.inputs != graph.inputs or any(mine != theirs for mine, theirs in same):
        raise OctavoError(
            f"teacher {found.name}",
            "has other inputs or another first output than the network",
            "Give a float network with the same names and shapes.",
        )
    return found


def _ends(graph: Graph, other: Graph) -> Iterable[tuple[str, str]]:
    return zip((*graph.inputs, graph.outputs[0]), (*other.inputs, other.outputs[0]), strict=False)
