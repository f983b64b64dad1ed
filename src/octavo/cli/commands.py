"""What the commands do: read the arguments' files, call the API, print a table or one JSON object."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer

from octavo import api
from octavo.build import Build, evaluate, profile, run
from octavo.c.sharing import check_optimize
from octavo.c.text import check_prefix
from octavo.cli import tables
from octavo.cli.document import emit
from octavo.cli.progress import progress, stages
from octavo.datasets import Dataset, Preprocessing, load_dataset
from octavo.errors import OctavoError
from octavo.files import check_replaceable, replace_file
from octavo.fit import parse_bytes
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.ir.show import show
from octavo.lower.streaming import check_stream
from octavo.num.formats import find_format
from octavo.num.options import OPTIONS
from octavo.package import write_quantization
from octavo.targets import Target, load_target
from octavo.timeline import arena_picture

__all__ = [
    "budget_of",
    "calibration_data",
    "compile_model",
    "configured",
    "evaluate_build",
    "inspect_path",
    "profile_build",
    "quantize_model",
    "run_build",
    "samples_of",
]

# How to quantize, by the keywords of octavo.quantize; without a meaning for a model that is quantized already.
CHOICES = (
    "format", "granularity", "ranges", "weight_ranges", "equalization", "max_drop", "checkpoint", "device", "seed",
)  # fmt: skip
DATA = ("calibration", "calibration_samples", "evaluation", "data_free", "input_range")
KEYS = (
    "model",
    "output",
    "target",
    "name",
    "optimize",
    "ram",
    "flash",
    "stream_weights",
    "strips",
    *DATA,
    *CHOICES,
    "layers",
    "mixed",
    "budget",
    "preprocessing",
)
# The keys that are not texts.
TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "calibration_samples": ((int,), "a whole number, 1 or more"),
    "ram": ((int, str), 'bytes, as 65536 or "64K"'),
    "flash": ((int, str), 'bytes, as 262144 or "256K"'),
    "stream_weights": ((int, str), 'bytes, as 16384 or "16K"'),
    "seed": ((int,), "a whole number, 0 or more"),
    "max_drop": ((int, float), "a number of points"),
    "data_free": ((bool,), "true or false"),
    "strips": ((bool,), "true or false"),
    "preprocessing": ((dict,), "a section"),
    "layers": ((dict,), "a section"),
}
MAX_CONFIG_BYTES = 2**20


def configured(path: Path | None) -> dict[str, Any]:
    """The TOML file's keys; paths in it are relative to it."""
    if path is None:
        return {}
    if not path.is_file() or path.stat().st_size > MAX_CONFIG_BYTES:
        raise OctavoError(str(path), "is not a configuration file", "Give the path of a TOML file.")
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OctavoError(str(path), f"is not TOML: {error}", "Correct the file.") from error
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        raise OctavoError(str(path), f"has the unknown keys {', '.join(unknown)}", f"Allowed: {', '.join(KEYS)}.")
    for key, value in table.items():
        kinds, wanted = TYPES.get(key, ((str,), "a text in quotes"))
        if type(value) not in kinds or (kinds == (int,) and value < (key != "seed")):
            raise OctavoError(f"{path}, {key}", f"is {value!r}", f"Give {wanted}.")
    for key in ("model", "output", "calibration", "evaluation", "checkpoint"):
        if key in table:
            table[key] = path.parent / table[key]
    if table.get("target", "").endswith(".toml"):
        table["target"] = str(path.parent / table["target"])
    return table


def _preprocessing(table: Mapping[str, Any]) -> Preprocessing | None:
    return Preprocessing.from_toml(table["preprocessing"]) if "preprocessing" in table else None


def compile_model(flags: Mapping[str, Any], config: Path | None, json: bool) -> None:
    """Load, calibrate, quantize, write everything."""
    options, target = _options(flags, config)
    target.require_code()
    check_prefix(str(options.get("name", "model")))
    check_optimize(str(options.get("optimize", "speed")))
    limits: dict[str, int] = {key: parse_bytes(f"--{key}", options[key]) for key in ("ram", "flash") if key in options}
    if "stream_weights" in options:
        limits["stream"] = parse_bytes("--stream-weights", options["stream_weights"])
        check_stream(limits["stream"])
    format = find_format(str(options.get("format", "affine")))
    if "C" not in format.forms:
        raise OctavoError(
            f"format {format.name}",
            "has no integer form, and C needs one",
            "Use octavo quantize, which writes " + " and ".join(format.forms) + ", or another format.",
        )
    quantized = _quantized(options)
    build = api.export(
        quantized,
        options["output"],
        options.get("name", "model"),
        str(options.get("target", target.name)),
        str(options.get("optimize", "speed")),
        **limits,
        strips=bool(options.get("strips", False)),
    )
    if json:
        emit({**_summary(build), **_story(quantized), "folder": str(build.folder)})
    else:
        tables.story(quantized.plan)
        tables.compiled(build)


def quantize_model(flags: Mapping[str, Any], config: Path | None, json: bool) -> None:
    """Load, calibrate, quantize, write the network without C."""
    options, _ = _options(flags, config)
    quantized = _quantized(options)
    folder = Path(options["output"])
    refused = write_quantization(quantized, folder)
    if json:
        emit({**_story(quantized), "not_written": refused, "folder": str(folder)})
    else:
        tables.story(quantized.plan)
        tables.written(folder, refused)


def _options(flags: Mapping[str, Any], config: Path | None) -> tuple[dict[str, Any], Target]:
    options = {**configured(config), **flags}
    for key, hint in (("model", "MODEL"), ("output", "-o FOLDER")):
        if key not in options:
            raise typer.BadParameter(f"give {hint}, or {key} in the file of --config")
    target = load_target(options.get("target", "cortex-m4"))
    check_replaceable(Path(options["output"]))
    return options, target


def _quantized(options: Mapping[str, Any]) -> Quantized:
    """The model, quantized here unless it is already."""
    loaded = api.load(options["model"])
    if not isinstance(loaded, Quantized):
        return _calibrated(loaded, options)
    for key in (*DATA, "layers", "mixed", "budget", *CHOICES):
        if key in options:
            flag = f"--{key.replace('_', '-')}"
            raise OctavoError(
                str(options["model"]), f"is quantized already: {flag} has no effect", f"Leave out {flag}."
            )
    return loaded


def _story(quantized: Quantized) -> dict[str, Any]:
    plan = quantized.plan
    return {"trail": list(plan.trail), "verdict": dict(plan.verdict), "notes": list(plan.notes)}


def samples_of(path: Path, config: Path | None) -> Dataset:
    """Samples of a data set with the preprocessing of --config."""
    return load_dataset(path, _preprocessing(configured(config)))


def calibration_data(path: Path, config: Path | None, samples: int | None) -> Dataset:
    """The samples of --calibration with the preprocessing of --config."""
    return _some(samples_of(path, config), samples)


def _calibrated(graph: Graph, options: Mapping[str, Any]) -> Quantized:
    data_free = bool(options.get("data_free", False))
    if "calibration" not in options and not data_free:
        raise OctavoError(
            str(options["model"]),
            "is a float model and needs calibration data",
            "Give --calibration, 100 samples or more; or --data-free.",
        )
    for key in ("calibration", "calibration_samples"):
        if key in options and data_free:
            raise OctavoError("--data-free", f"contradicts --{key.replace('_', '-')}", "Give one of them.")
    chosen = {key: options[key] for key in CHOICES if key in options}
    chosen |= {"layers": _layers(options), "options": _mixed(options), "budget": budget_of(options.get("budget"))}
    chosen |= {"input_range": _input_range(options)}
    preprocessing = _preprocessing(options)
    dataset = None
    if not data_free:
        dataset = _some(load_dataset(Path(options["calibration"]), preprocessing), options.get("calibration_samples"))
    held = load_dataset(Path(options["evaluation"]), preprocessing) if "evaluation" in options else None
    with stages() as stage:
        return api.quantize(
            graph,
            None if dataset is None else dataset.inputs,
            str(options.get("target", "cortex-m4")),
            labels=None if dataset is None else dataset.labels,
            evaluation=None if held is None else held.inputs,
            evaluation_labels=None if held is None else held.labels,
            progress=stage,
            **chosen,
        )


def _input_range(options: Mapping[str, Any]) -> tuple[float, float] | None:
    if "input_range" not in options:
        return None
    try:
        low, high = (float(part) for part in str(options["input_range"]).split(","))
    except ValueError as error:
        raise OctavoError(
            "--input-range", f"is {options['input_range']!r}", "Give two numbers, as --input-range=-1,1."
        ) from error
    return low, high


def _layers(options: Mapping[str, Any]) -> dict[str, str]:
    layers = options.get("layers", {})
    for name, choice in layers.items():
        if not isinstance(choice, str):
            raise OctavoError(f"layers, {name}", f"is {choice!r}", 'Give a text, as "int4 per-group".')
    return dict(layers)


def _mixed(options: Mapping[str, Any]) -> tuple[str, ...]:
    if "mixed" not in options:
        return ()
    names = tuple(part.strip() for part in str(options["mixed"]).split(","))
    unknown = [name for name in names if name not in OPTIONS]
    if unknown:
        raise OctavoError(
            "--mixed", f"names {', '.join(map(repr, unknown))}", f"Use some of {', '.join(OPTIONS)}, as int8,int4."
        )
    return names


def budget_of(given: object) -> api.Budget | None:
    """KIND=AMOUNT, the amount with k for a thousand or M for a million."""
    if given is None:
        return None
    text = str(given)
    kind, _, amount = text.partition("=")
    factor = {"k": 1e3, "M": 1e6}.get(amount[-1:], 1.0)
    try:
        return api.Budget(kind, float(amount.rstrip("kM")) * factor)
    except ValueError as error:
        raise OctavoError(f"budget {text}", "is no amount", "Give one as bytes=200k or latency=12M.") from error


def _some(dataset: Dataset, count: int | None) -> Dataset:
    return dataset if count is None else dataset.some(count)


def _summary(build: Build) -> dict[str, Any]:
    keys = ("name", "target", "macs", "model_bytes", "arena_bytes", "arena_lower_bound_bytes", "not_written")
    return {
        **{key: build.manifest[key] for key in keys},
        "streaming": build.manifest.get("streaming"),
        "strips": build.manifest.get("strips"),
    }


def evaluate_build(folder: Path, data: Path, samples: int | None, config: Path | None, json: bool) -> None:
    """Float against integer over a data set."""
    build = Build.open(folder)
    dataset = _some(samples_of(data, config), samples)
    with progress("evaluating", len(dataset)) as advance:
        result = evaluate(build, dataset.inputs, dataset.labels, advance)
    document = {
        "float_accuracy": result.float_accuracy,
        "integer_accuracy": result.integer_accuracy,
        "agreement": result.agreement,
        "sqnr_db": result.sqnr_db,
        "samples": result.samples,
    }
    if json:
        emit(document)
    else:
        tables.evaluation(build, result)


def run_build(folder: Path, input: Path, output: Path | None, on: str, raw: bool, json: bool) -> None:
    """Run samples; a sample without the batch axis is taken as a batch of one."""
    build = Build.open(folder)
    inputs = _with_batch(build, load_dataset(input).inputs)
    result = run(build, inputs, on, raw)
    if output is not None:
        _save(output, result.outputs)
    document: dict[str, Any] = {
        "samples": len(next(iter(result.outputs.values()))),
        "on": on,
        "instructions": result.instructions,
        "layers": None if result.layers is None else [vars(layer) for layer in result.layers],
        "outputs": {name: value.tolist() for name, value in result.outputs.items()} if output is None else str(output),
    }
    if json:
        emit(document)
    else:
        tables.outputs(result, output)


def _with_batch(build: Build, inputs: Any) -> Any:
    graph = build.model.graph

    def widened(name: str, array: Array) -> Array:
        return array[None] if array.ndim == len(graph.types[name].shape) - 1 else array

    if isinstance(inputs, Mapping):
        return {name: widened(name, array) if name in graph.types else array for name, array in inputs.items()}
    return widened(graph.inputs[0], inputs)


def _save(path: Path, outputs: Mapping[str, Array]) -> None:
    """One output as .npy, several as .npz."""
    if len(outputs) > 1 and path.suffix != ".npz":
        raise OctavoError(str(path), f"the network has {len(outputs)} outputs", "Give a path that ends in .npz.")

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            if path.suffix == ".npz":
                arrays: dict[str, Any] = {key.replace("/", "_"): value for key, value in outputs.items()}
                np.savez(file, **arrays)
            else:
                np.save(file, next(iter(outputs.values())), allow_pickle=False)

    replace_file(path, write)


def profile_build(folder: Path, on: str | None, svg: Path | None, json: bool) -> None:
    """Instructions, bytes and estimates on an emulated core, or bytes alone for the host; the arena as a picture."""
    build = Build.open(folder)
    target = on or build.target.name
    picture = None if svg is None else arena_picture(build)
    with progress(f"running on {target}", None):
        result = profile(build, on)
    if svg is not None and picture is not None:
        replace_file(svg, lambda aside: aside.write_text(picture), "--svg")
    if json:
        document = {**vars(result), "on": target, "layers": list(result.layers)}
        emit({**document, "svg": None if svg is None else str(svg)})
    else:
        tables.profiled(build, target, result)
        if svg is not None:
            tables.drawn(svg)


def inspect_path(path: Path, json: bool) -> None:
    """A build folder's layers, or a model file's graph."""
    if path.is_dir():
        build = Build.open(path)
        if json:
            emit(build.manifest)
        else:
            tables.layers(build)
        return
    loaded = api.load(path)
    graph = loaded.graph if isinstance(loaded, Quantized) else loaded
    if json:
        nodes = [
            {"name": n.name, "op": n.kind, "source": n.source, "shape": list(graph.types[n.outputs[0]].shape)}
            for n in graph.nodes
        ]
        emit({"name": graph.name, "quantized": isinstance(loaded, Quantized), "nodes": nodes})
    else:
        print(show(graph))
