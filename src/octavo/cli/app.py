"""The commands, and what exit codes mean.

0 done; 1 refused, with one error that says where, why and what to do, or a verified device that differs; 2 wrong
usage; 70 a fault of Octavo itself; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from octavo.errors import OctavoError

__all__ = ["app", "main"]

app = typer.Typer(
    name="octavo",
    help="From a trained float network to the same integers everywhere.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Folder = Annotated[Path, typer.Argument(help="A folder that octavo compile wrote.")]
Config = Annotated[Optional[Path], typer.Option("--config", help="A TOML file; flags win over it.")]  # noqa: UP045


Model = Annotated[Optional[Path], typer.Argument(help=".onnx, .tflite or .pt2")]  # noqa: UP045
Output = Annotated[Optional[Path], typer.Option("-o", "--output", help="Folder to write.")]  # noqa: UP045
Data = Annotated[Optional[Path], typer.Option(help="Samples: .npz, .npy or a folder of images.")]  # noqa: UP045
Evaluation = Annotated[
    Optional[Path], typer.Option("--evaluation", help="Samples, best with labels, that decide and report.")  # noqa: UP045
]
TargetName = Annotated[Optional[str], typer.Option("--target", help="Device; see octavo targets.")]  # noqa: UP045
Format = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="affine (default), symmetric, power-of-two, 16x8, int4, 4x4, log2 or float16."),
]
Granularity = Annotated[
    Optional[str], typer.Option(help="Of weights: per-channel (default), per-tensor or per-group.")  # noqa: UP045
]
Ranges = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Of activations: mse (default), minmax, moving-average, percentile, kl or cross-entropy."),
]
WeightRanges = Annotated[Optional[str], typer.Option(help="mse (default), minmax or percentile.")]  # noqa: UP045
Equalize = Annotated[
    Optional[str], typer.Option("--equalization", help="auto (default), none, weights, balance or align.")  # noqa: UP045
]
MaxDrop = Annotated[
    Optional[float], typer.Option(min=0.0, help="Points that may be lost; learned rounding follows if need be.")  # noqa: UP045
]
Count = Annotated[
    Optional[int], typer.Option("--calibration-samples", min=1, help="Use only so many samples, evenly spaced.")  # noqa: UP045
]
DataFree = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option("--data-free", help="Without calibration data: ranges from the model's batch norms."),
]
InputRange = Annotated[
    Optional[str], typer.Option(help="LOW,HIGH of what the network reads; with --data-free.")  # noqa: UP045
]
Mixed = Annotated[
    Optional[str], typer.Option(help="Options of which each layer gets one, as int8,int4,16x8; with a budget.")  # noqa: UP045
]
BudgetText = Annotated[
    Optional[str], typer.Option("--budget", help="bytes=, mac-bits= or latency= and a number, as bytes=200k.")  # noqa: UP045
]
Checkpoint = Annotated[
    Optional[Path], typer.Option(help="File with which interrupted learned rounding goes on.")  # noqa: UP045
]
Device = Annotated[
    Optional[str], typer.Option(help="Where learned rounding runs, with --max-drop: cpu or cuda.")  # noqa: UP045
]
Ram = Annotated[
    Optional[str], typer.Option(help="Bytes of RAM that may be used, as 64K; default: the target's.")  # noqa: UP045
]
Flash = Annotated[Optional[str], typer.Option(help="Bytes of flash that may be used, as 256K.")]  # noqa: UP045
Seed = Annotated[Optional[int], typer.Option(min=0, help="Of the split of the samples; 0 by default.")]  # noqa: UP045


@app.command("compile")
def compile_command(
    model: Model = None,
    output: Output = None,
    calibration: Data = None,
    evaluation: Evaluation = None,
    data_free: DataFree = None,
    input_range: InputRange = None,
    target: TargetName = None,
    name: Annotated[Optional[str], typer.Option(help="Prefix of the C functions.")] = None,  # noqa: UP045
    ram: Ram = None,
    flash: Flash = None,
    strips: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--strips", help="Run layers strip by strip where it takes less RAM: to fit --ram, or the least."),
    ] = None,
    stream_weights: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Copy weights from slow memory, through buffers of at most so many bytes, as 16K."),
    ] = None,
    optimize: Annotated[
        str | None,
        typer.Option(help="speed (default), balanced or size: layers share code; or fastest: larger weights."),  # noqa: UP045
    ] = None,
    format: Format = None,
    granularity: Granularity = None,
    ranges: Ranges = None,
    weight_ranges: WeightRanges = None,
    equalization: Equalize = None,
    max_drop: MaxDrop = None,
    mixed: Mixed = None,
    budget: BudgetText = None,
    checkpoint: Checkpoint = None,
    device: Device = None,
    samples: Count = None,
    seed: Seed = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Quantize a network and write C, .tflite, ONNX and test vectors."""
    from octavo.cli.commands import compile_model

    flags = {key: value for key, value in locals().items() if key not in ("config", "json", "compile_model")}
    compile_model(_given(flags), config, json)


@app.command("quantize")
def quantize_command(
    model: Model = None,
    output: Output = None,
    calibration: Data = None,
    evaluation: Evaluation = None,
    data_free: DataFree = None,
    input_range: InputRange = None,
    target: TargetName = None,
    format: Format = None,
    granularity: Granularity = None,
    ranges: Ranges = None,
    weight_ranges: WeightRanges = None,
    equalization: Equalize = None,
    max_drop: MaxDrop = None,
    mixed: Mixed = None,
    budget: BudgetText = None,
    checkpoint: Checkpoint = None,
    device: Device = None,
    samples: Count = None,
    seed: Seed = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Quantize a network and write it as .tflite and ONNX, without C."""
    from octavo.cli.commands import quantize_model

    flags = {key: value for key, value in locals().items() if key not in ("config", "json", "quantize_model")}
    quantize_model(_given(flags), config, json)


def _given(flags: dict[str, object]) -> dict[str, object]:
    """The flags that were given, by the keys of a configuration file."""
    names = {"samples": "calibration_samples"}
    return {names.get(key, key): value for key, value in flags.items() if value is not None}


@app.command("bundle")
def bundle_command(
    folders: Annotated[list[Path], typer.Argument(help="Folders that octavo compile wrote, in the order of running.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    name: Annotated[str, typer.Option(help="Prefix of the bundle's own C functions and files.")] = "bundle",
    together: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Models that keep their data at the same time, as wakeword,gesture; may be given again."),
    ] = None,
    json: Json = False,
) -> None:
    """Join compiled models into one library that shares one arena."""
    from octavo.cli.bundles import bundle_folders

    bundle_folders(folders, output, name, together or (), json)


@app.command("finetune")
def finetune_command(
    folder: Folder,
    train: Annotated[Path, typer.Option(help="Samples to learn from, best with labels.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    evaluation: Evaluation = None,
    teacher: Annotated[Optional[Path], typer.Option(help="A float network that teaches, too.")] = None,  # noqa: UP045
    distill: Annotated[bool, typer.Option("--distill", help="The network's own float form teaches, too.")] = False,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 64,
    rate: Annotated[float, typer.Option(help="Peak learning rate of Adam.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = 0.0,
    batch_norm: Annotated[str, typer.Option(help="fold, or keep: live batch norms, folded at the end.")] = "fold",
    freeze_after: Annotated[
        Optional[int], typer.Option(min=0, help="Step from which kept batch norms hold their statistics.")  # noqa: UP045
    ] = None,
    freeze: Annotated[Optional[list[str]], typer.Option(help="A layer that stays; may be given again.")] = None,  # noqa: UP045
    learn_zero_points: Annotated[bool, typer.Option("--learn-zero-points")] = False,
    hold_scales: Annotated[bool, typer.Option("--hold-scales", help="Scales stay as they are.")] = False,
    features: Annotated[float, typer.Option(min=0.0, help="Weight of the values inside, with a teacher.")] = 0.0,
    dampen: Annotated[float, typer.Option(min=0.0, help="Weight of the term against oscillations.")] = 0.0,
    hold_oscillating: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="Hold weights that turn back in more than this share of the steps."),
    ] = None,
    patience: Annotated[
        Optional[int], typer.Option(min=1, help="Stop after so many epochs without improvement.")  # noqa: UP045
    ] = None,
    checkpoint: Annotated[
        Optional[Path], typer.Option(help="File with which interrupted training goes on.")  # noqa: UP045
    ] = None,
    budget: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Learn each layer's bits, 2 to 8, within bytes= or mac-bits= and a number, as bytes=40k."),
    ] = None,
    keep_bits: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="A layer whose bits stay as they are; may be given again. None by default."),
    ] = None,
    settle: Annotated[float, typer.Option(help="Share of the steps after which learned bits are held.")] = 0.5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the samples.")] = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Train a compiled network with its quantizers in the loop, and compile the best epoch."""
    from octavo.cli.finetune import finetune_folder

    recipe = {
        "epochs": epochs, "batch": batch, "rate": rate, "weight_decay": weight_decay, "batch_norm": batch_norm,
        "freeze_after": freeze_after, "freeze": tuple(freeze or ()), "learn_zero_points": learn_zero_points,
        "learn_scales": not hold_scales, "features": features, "dampen": dampen, "hold_oscillating": hold_oscillating,
        "patience": patience, "device": device, "seed": seed,
        "keep_bits": tuple(keep_bits or ()), "settle": settle,
    }  # fmt: skip
    finetune_folder(folder, output, train, evaluation, teacher, distill, checkpoint, recipe, budget, config, json)


@app.command("eval")
def eval_command(
    folder: Folder,
    data: Annotated[Path, typer.Option(help="Samples and labels: .npz, .npy or a folder of images.")],
    samples: Annotated[
        Optional[int], typer.Option(min=1, help="Use only so many samples, evenly spaced.")  # noqa: UP045
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Float against integer accuracy, agreement and SQNR; runs the compiled C on this machine."""
    from octavo.cli.commands import evaluate_build

    evaluate_build(folder, data, samples, config, json)


@app.command("run")
def run_command(
    folder: Folder,
    input: Annotated[Path, typer.Option("--input", help="One sample or several: .npy or .npz.")],
    output: Annotated[Optional[Path], typer.Option("--output", help="Write the outputs as .npy.")] = None,  # noqa: UP045
    on: Annotated[str, typer.Option(help="host, or a target with an emulated board.")] = "host",
    raw: Annotated[bool, typer.Option("--raw", help="Inputs and outputs are the network's own integers.")] = False,
    json: Json = False,
) -> None:
    """Run samples through the compiled C, on this machine or on an emulated core."""
    from octavo.cli.commands import run_build

    run_build(folder, input, output, on, raw, json)


@app.command("profile")
def profile_command(
    folder: Folder,
    on: Annotated[Optional[str], typer.Option(help="A target, or host; default: the one compiled for.")] = None,  # noqa: UP045
    svg: Annotated[
        Optional[Path], typer.Option(help="Draw the arena: which value lies where, from step to step.")  # noqa: UP045
    ] = None,
    json: Json = False,
) -> None:
    """Instructions, estimated cycles and energy, RAM and flash of one inference, layer by layer, on a core."""
    from octavo.cli.commands import profile_build

    profile_build(folder, on, svg, json)


@app.command("verify")
def verify_command(
    folder: Folder,
    on: Annotated[Optional[str], typer.Option(help="A target, or host; default: the one compiled for.")] = None,  # noqa: UP045
    data: Data = None,
    samples: Annotated[int, typer.Option(min=1, help="Use only so many samples.")] = 4,
    port: Annotated[Optional[str], typer.Option(help="A board's serial port, as /dev/ttyACM0.")] = None,  # noqa: UP045
    baud: Annotated[int, typer.Option(min=300)] = 115200,
    seconds: Annotated[float, typer.Option(min=0.1, help="What one layer may take.")] = 60.0,
    firmware: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the C that a board needs to be verified into this folder, and run nothing."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Compare every value on a device with the integers in Python, and say where and why they first differ."""
    if port is not None and on is not None:
        raise typer.BadParameter("give --on or --port, not both")
    from octavo.cli.verify import verify_folder, write_board_files

    if firmware is not None:
        write_board_files(folder, firmware, json)
        return
    verify_folder(folder, (data, samples, config), on, (port, baud, seconds), json)


@app.command("report")
def report_command(
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file to write.")],
    json: Json = False,
) -> None:
    """One HTML file that says what was compiled, what was tried, and how training went."""
    from octavo.cli.report import report_folder

    report_folder(folder, output, json)


@app.command("inspect")
def inspect_command(
    path: Annotated[Path, typer.Argument(help="A model file, or a folder that octavo compile wrote.")],
    json: Json = False,
) -> None:
    """The network as readable text."""
    from octavo.cli.commands import inspect_path

    inspect_path(path, json)


@app.command("diagnose")
def diagnose_command(
    model: Annotated[Path, typer.Argument(help=".onnx, .tflite or .pt2, float")],
    calibration: Annotated[Path, typer.Option(help="Samples that set the ranges: .npz, .npy or a folder of images.")],
    data: Annotated[Optional[Path], typer.Option(help="Samples that judge, best with labels.")] = None,  # noqa: UP045
    reference: Annotated[
        Optional[Path], typer.Option(help="The model that this one was made from, to compare layer by layer.")  # noqa: UP045
    ] = None,
    target: Annotated[str, typer.Option(help="Device; see octavo targets.")] = "cortex-m4",
    format: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="The number format; given again, others to try as a remedy."),
    ] = None,
    granularity: Granularity = None,
    ranges: Annotated[str, typer.Option(help="Of activations, as for compile.")] = "mse",
    weight_ranges: Annotated[str, typer.Option(help="mse, minmax or percentile.")] = "mse",
    equalization: Annotated[str, typer.Option(help="none, weights, balance or align.")] = "none",
    samples: Annotated[
        Optional[int], typer.Option(min=1, help="Use at most so many samples of each; default: by the network's size.")  # noqa: UP045
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Why accuracy is lost, where, and what helps: each remedy with what it gained."""
    from octavo.cli.diagnose import diagnose_model

    choices = {
        "target": target, "format": tuple(format or ("affine",)), "granularity": granularity, "ranges": ranges,
        "weight_ranges": weight_ranges, "equalization": equalization, "samples": samples,
    }  # fmt: skip
    diagnose_model(model, calibration, data, reference, choices, config, json)


@app.command("formats")
def formats_command(
    model: Model = None,
    tensor: Annotated[Optional[str], typer.Option(help="A weight tensor, or with --calibration an activation.")] = None,  # noqa: UP045
    layer: Annotated[Optional[str], typer.Option(help="A layer, by its name or its source in your file.")] = None,  # noqa: UP045
    format: Annotated[Optional[str], typer.Option(help="Show this format only.")] = None,  # noqa: UP045
    granularity: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Show only per-channel, per-tensor or per-group (list of layers: per-channel)."),
    ] = None,
    weight_ranges: WeightRanges = None,
    ranges: Ranges = None,
    calibration: Data = None,
    samples: Count = None,
    svg: Annotated[Optional[Path], typer.Option(help="Draw the values and the levels of each format.")] = None,  # noqa: UP045
    log: Annotated[bool, typer.Option("--log", help="Draw counts on a logarithmic axis.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """The number formats, or what each of them does to a model's weights and activations."""
    if model is None:
        if any(value is not None for value in (tensor, layer, svg, calibration, format, granularity)):
            raise typer.BadParameter("give MODEL")
        from octavo.cli.devices import list_formats

        list_formats(json)
        return
    if tensor is not None and layer is not None:
        raise typer.BadParameter("give --tensor or --layer, not both")
    if svg is not None and tensor is None and layer is None:
        raise typer.BadParameter("--svg draws one tensor: give --tensor or --layer")
    from octavo.cli.formats import Choice, show_formats

    choice = Choice(format, granularity, weight_ranges, ranges)
    show_formats(model, tensor, layer, choice, (calibration, samples, config), (svg, log), json)


@app.command("check")
def check_command(
    model: Annotated[Path, typer.Argument(help=".onnx, .tflite or .pt2")],
    target: Annotated[str, typer.Option(help="A target; see octavo targets, or your own .toml.")],
    format: Annotated[
        Optional[str], typer.Option(help="Number format of all layers; the target's first by default.")  # noqa: UP045
    ] = None,
    adapt: Annotated[bool, typer.Option("--adapt", help="Rewrite what is not supported, exactly.")] = False,
    align: Annotated[bool, typer.Option("--align", help="Pad channels with zeros to what the array takes.")] = False,
    output: Annotated[
        Optional[Path], typer.Option("-o", "--output", help="Write the changed network as .onnx.")  # noqa: UP045
    ] = None,
    vela: Annotated[bool, typer.Option("--vela/--no-vela", help="Ask Vela, where it is installed.")] = True,
    json: Json = False,
) -> None:
    """Whether and how well a network fits a device or accelerator, layer by layer."""
    if output is not None and not (adapt or align):
        raise typer.BadParameter("-o writes the changed network: give --adapt or --align, too")
    from octavo.cli.check import check_model

    check_model(model, target, format, (adapt, align), output, vela, json)


@app.command("targets")
def targets_command(json: Json = False) -> None:
    """The devices that Octavo knows."""
    from octavo.cli.devices import list_targets

    list_targets(json)


def _version(wanted: bool) -> None:
    if wanted:
        from octavo import __version__

        typer.echo(f"octavo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and leave with one of the documented exit codes."""
    try:
        app(standalone_mode=True)
    except OctavoError as error:
        _say(f"error: {error.where}\n  why:    {error.why}\n  remedy: {error.remedy}")
        sys.exit(1)
    except SystemExit as leaving:
        # Typer turns Ctrl-C into this code without a word.
        if leaving.code == 130:
            _say("interrupted: nothing is half-written")
        raise
    except OSError as error:
        where, why = error.filename or "file system", error.strerror or error
        _say(f"error: {where}\n  why:    {why}\n  remedy: Check space and rights.")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("OCTAVO_DEBUG") == "1":
            raise
        _say(
            f"error: a fault of Octavo itself\n  why:    {type(error).__name__}: {error}\n"
            "  remedy: Please report it; OCTAVO_DEBUG=1 shows the details."
        )
        sys.exit(70)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
