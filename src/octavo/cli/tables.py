"""Tables for people."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from octavo.targets import Target

if TYPE_CHECKING:
    from octavo.analysis.formats import Effect
    from octavo.build import Build, Evaluation, Profile, RunResult
    from octavo.bundles import Bundle
    from octavo.ir.plan import QuantPlan
    from octavo.npu.check import Findings, Layer
    from octavo.npu.vela import Vela
    from octavo.verify import Divergence, Verification

__all__ = [
    "bundled",
    "changed",
    "checked",
    "compiled",
    "drawn",
    "effects",
    "evaluation",
    "finetuned",
    "formats",
    "layer_effects",
    "layers",
    "outputs",
    "profiled",
    "report_hint",
    "reported",
    "story",
    "targets",
    "verified",
    "written",
]

# Names come from the user's files and may hold brackets and colons: nothing in a text is a style.
_CONSOLE = Console(markup=False, emoji=False, highlight=False)


def _table(*columns: str, title: str | None = None) -> Table:
    """The first column is text, the others are numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return table


def _share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.1%}" if part is not None and whole else "-"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _of(planned: int, measured: int | None, limit: int) -> str:
    """What two parts take together, of what may be used."""
    if measured is None:
        return "-"
    total = planned + measured
    verdict = "fits" if total <= limit else f"{total - limit:,} too many"
    return f"{total:,} of {limit:,} bytes: {verdict}"


def story(plan: QuantPlan) -> None:
    """What was tried, how it ended, and what must be said."""
    if plan.trail:
        table = _table("rung", "seconds", "weight bytes", "drop", "agreement", "SQNR dB", title="Quantization")
        for row in plan.trail:
            drop, agreement, sqnr = row.get("drop"), row.get("agreement"), row.get("sqnr_db")
            table.add_row(
                str(row["rung"]),
                f"{row['seconds']:.1f}",
                f"{row['weight_bytes']:,}",
                "-" if drop is None else f"{drop:.2f}",
                "-" if agreement is None else f"{agreement:.2%}",
                "-" if sqnr is None else f"{sqnr:.2f}",
            )
        _CONSOLE.print(table)
    front = plan.verdict.get("front")
    if front:
        kind = next(iter(front[0]))
        table = _table("layers", kind, "expected SQNR dB", "int16 nodes", title="Mixed precision: the Pareto front")
        for row in front:
            layers = ", ".join(f"{count} {name}" for name, count in row["layers"].items())
            table.add_row(layers, f"{row[kind]:,.0f}", f"{row['expected_sqnr_db']:.2f}", str(row["int16_nodes"]))
        _CONSOLE.print(table)
    report = plan.verdict.get("report")
    if report is not None:
        said = []
        if report["drop_95"] is not None:
            low, high = report["drop_95"]
            said = [
                f"drop {report['drop']:.2f} points (95 %: {low:.2f} to {high:.2f})",
                f"agreement {report['agreement']:.2%}",
            ]
        sqnr = "no noise" if report["sqnr_db"] is None else f"SQNR {report['sqnr_db']:.2f} dB"
        _CONSOLE.print(f"On {report['samples']} samples that no rung has seen: {', '.join([*said, sqnr])}")
    for note in plan.notes:
        _CONSOLE.print(f"note: {note}", style="yellow")


def finetuned(plan: QuantPlan) -> None:
    """Epoch by epoch, and which was kept."""
    story = plan.verdict["finetuning"]
    table = _table("epoch", "loss", "score", "oscillating", "seconds", title="Fine-tuning")
    table.add_row("before", "-", f"{story['before']:.2%}", "-", "-")
    for number, row in enumerate(story["epochs"], 1):
        table.add_row(
            f"{number}{' (kept)' if number == story['kept'] else ''}",
            f"{row['loss']:.4f}",
            f"{row['score']:.2%}",
            f"{row['oscillating']:.2%}",
            f"{row['seconds']:.1f}",
        )
    _CONSOLE.print(table)
    _CONSOLE.print(f"Judged in integers by {story['judged_by']:,} samples.")
    if (simulated := story["simulation"]) is not None:
        share, steps = simulated["differing"], simulated["steps"]
        _CONSOLE.print(
            f"Outputs that training saw otherwise than the integers are: {share:.2%}"
            + (f", by {steps} step{'s' if steps > 1 else ''} at most." if steps else ".")
        )
    for note in plan.notes:
        _CONSOLE.print(f"note: {note}", style="yellow")


def written(folder: Path, refused: Mapping[str, str]) -> None:
    """Where the files are."""
    _CONSOLE.print(f"files: {folder}")
    for path, reason in refused.items():
        _CONSOLE.print(f"not written: {path}: {reason}", style="yellow")


def compiled(build: Build) -> None:
    """Where the files are, and what the network needs."""
    m = build.manifest
    table = _table("", "", title=f"{m['name']} for {m['target']}")
    table.add_row("multiply-accumulates", f"{m['macs']:,}")
    streaming = m.get("streaming")
    table.add_row("model data", f"{m['model_bytes']:,} bytes{'' if streaming else ' of flash'}")
    table.add_row("arena", f"{m['arena_bytes']:,} bytes of RAM (lower bound {m['arena_lower_bound_bytes']:,})")
    if streaming:
        table.add_row(
            "of it streamed",
            f"{streaming['streamed_bytes']:,} bytes from slow memory, {streaming['flash_bytes']:,} stay in flash",
        )
        added = f"{streaming['arena_bytes_added']:,} bytes of the arena"
        table.add_row("buffers for it", f"{added}, {len(streaming['layers'])} copies")
    for loop in m.get("strips", {}).get("loops", []):
        layers = f"{len(loop['layers'])} layers, {loop['layers'][0]} to {loop['layers'][-1]}"
        table.add_row("strip by strip", f"{layers}: {loop['strips']} strips of {loop['rows']} rows")
    table.add_row("files", str(build.folder))
    _CONSOLE.print(table)
    if m["optimize"] == "fastest" and not any(row["kernel"].endswith("_winograd") for row in m["layers"]):
        _CONSOLE.print("note: fastest is what speed is here: no layer of it would gain on this target", style="yellow")
    if "strips" in m and not m["strips"]["loops"]:
        _CONSOLE.print("note: no layers run strip by strip: it would not make the arena smaller", style="yellow")
    if streaming and streaming["resident"]:
        stays = "; ".join(f"{layer}: {why}" for layer, why in streaming["resident"].items())
        _CONSOLE.print(f"note: not streamed, in flash as before: {stays}", style="yellow")
    idle = m["idle_channels"].values()
    if idle:
        lost, whole = sum(row["dropped"] for row in idle), sum(row["of"] for row in idle)
        _CONSOLE.print(f"{lost:,} of {whole:,} channels of {len(idle)} layers are the same for every input: left out")
    for path, reason in m["not_written"].items():
        _CONSOLE.print(f"not written: {path}: {reason}", style="yellow")


def bundled(made: Bundle) -> None:
    """Each model's place in the shared arena, and what sharing saves."""
    m = made.manifest
    table = _table("model", "from byte", "bytes of RAM", "bytes of flash", title=f"{m['name']} for {m['target']}")
    table.add_column("kept while these run")
    for row in m["models"]:
        numbers = (f"{row[key]:,}" for key in ("arena_offset", "arena_bytes", "model_bytes"))
        table.add_row(row["name"], *numbers, ", ".join(row["kept_by"]) or "none")
    saved = m["arena_bytes_apart"] - m["arena_bytes"]
    table.add_row("shared arena", "", f"{m['arena_bytes']:,}", f"{m['model_bytes']:,}", f"saves {saved:,} bytes of RAM")
    _CONSOLE.print(table)
    _CONSOLE.print(f"files: {made.folder}")


def evaluation(build: Build, result: Evaluation) -> None:
    """Float beside integer."""
    table = _table("", "float", "integer C", title=f"{build.manifest['name']}: {result.samples:,} samples")
    if result.float_accuracy is not None and result.integer_accuracy is not None:
        table.add_row("accuracy", f"{result.float_accuracy:.2%}", f"{result.integer_accuracy:.2%}")
    table.add_row("agreement with float", "", f"{result.agreement:.2%}")
    table.add_row("SQNR", "", f"{result.sqnr_db:.2f} dB")
    _CONSOLE.print(table)


def outputs(result: RunResult, path: Path | None) -> None:
    """The outputs or where they were written, and instructions where an emulated core ran."""
    for name, value in result.outputs.items():
        text = f"written to {path}" if path is not None else str(value)
        _CONSOLE.print(f"{name} {list(value.shape)}: {text}")
    if result.layers is not None and result.instructions is not None:
        table = _table("layer", "instructions", "share")
        for layer in result.layers:
            table.add_row(layer.source, f"{layer.instructions:,}", _share(layer.instructions, result.instructions))
        table.add_row("one inference", f"{result.instructions:,}", "")
        _CONSOLE.print(table)


def profiled(build: Build, target: str, result: Profile) -> None:
    """Work and bytes by layer, totals, assumptions; what was not counted is a dash, what cannot be is absent."""
    _CONSOLE.print(_work(build, target, result))
    _CONSOLE.print(_traffic(result))
    totals = _table("", "")
    totals.add_row("instructions", _count(result.instructions))
    if result.estimated_cycles is not None:
        clock = result.assumptions["clock_hz"] / 1e6
        totals.add_row("estimated cycles", _count(result.estimated_cycles))
        totals.add_row("estimated time", f"{result.estimated_ms:,.2f} ms at {clock:,.0f} MHz")
    if result.estimated_microjoules is not None:
        said = f"{result.estimated_microjoules:,.1f} microjoules, {result.assumptions['picojoules_per_cycle']:,.0f} pJ"
        totals.add_row("estimated energy", f"{said} a cycle")
    totals.add_row("RAM: arena", f"{result.arena_bytes:,} bytes (lower bound {result.arena_lower_bound_bytes:,})")
    totals.add_row("RAM: stack", f"{_count(result.stack_bytes)} bytes")
    totals.add_row("RAM: both", _of(result.arena_bytes, result.stack_bytes, build.manifest["ram_bytes"]))
    streaming = build.manifest.get("streaming")
    flash = streaming["flash_bytes"] if streaming else result.model_bytes
    if streaming:
        totals.add_row("slow memory: streamed", f"{streaming['streamed_bytes']:,} bytes of the model data")
    totals.add_row("flash: model data", f"{flash:,} bytes")
    totals.add_row("flash: code", f"{_count(result.code_bytes)} bytes, with start-up and the test harness")
    totals.add_row("flash: both", _of(flash, result.code_bytes, build.manifest["flash_bytes"]))
    _CONSOLE.print(totals)
    if result.estimated_cycles is not None:
        _CONSOLE.print(f"cycles are estimated, not measured, without wait states: {result.assumptions['cycles']}")
    if result.estimated_microjoules is not None:
        _CONSOLE.print(f"energy is estimated: {result.assumptions['energy']}")
    for note in result.notes:
        _CONSOLE.print(f"note: {note}", style="yellow")


def _work(build: Build, target: str, result: Profile) -> Table:
    """What each layer computes; the columns of estimates only where there are any."""
    cycles, energy = result.estimated_cycles is not None, result.estimated_microjoules is not None
    columns = ["layer", "MACs", "instructions", "per MAC", "share"]
    columns += ["est. cycles"] if cycles else []
    columns += ["est. µJ"] if energy else []
    table = _table(*columns, title=f"{build.manifest['name']} on {target} (instructions are not cycles)")
    for row in result.layers:
        count = row["instructions"]
        cells = [row["source"], f"{row['macs']:,}", _count(count)]
        cells += [f"{count / row['macs']:.2f}" if row["macs"] and count else "", _share(count, result.instructions)]
        cells += [_count(row["estimated_cycles"])] if cycles else []
        cells += [f"{row['estimated_microjoules']:,.1f}"] if energy else []
        table.add_row(*cells)
    return table


def _traffic(result: Profile) -> Table:
    """What each layer must move at least, and what its loads and stores did move, where that was counted."""
    keys = {"in": "input_bytes", "weights": "const_bytes", "out": "output_bytes"}
    title = "Bytes: in, weights and out hold so many"
    if result.ram_bytes_read is not None:
        keys |= {"flash read": "flash_bytes_read", "RAM read": "ram_bytes_read", "written": "ram_bytes_written"}
        title += "; loads and stores moved so many"
    table = _table("layer", "kernel", *keys, title=title)
    for row in result.layers:
        table.add_row(row["source"], row["kernel"], *(_count(row[key]) for key in keys.values()))
    return table


def drawn(path: Path) -> None:
    """Where a picture was written."""
    _CONSOLE.print(f"picture: {path}")


def reported(path: Path) -> None:
    """Where the report was written."""
    _CONSOLE.print(f"report: {path}")


def report_hint(folder: Path) -> None:
    """The command that writes a folder's report, on one line for copying."""
    _CONSOLE.print(f"for a report: octavo report {shlex.quote(str(folder))} -o report.html", soft_wrap=True)


def layers(build: Build) -> None:
    """The kernels of a build."""
    table = _table("layer", "kernel", "output", "MACs", "weights")
    for row in build.manifest["layers"]:
        shape = " x ".join(map(str, row["output_shape"]))
        table.add_row(row["source"], row["kernel"], shape, f"{row['macs']:,}", f"{row['const_bytes']:,}")
    _CONSOLE.print(table)
    compiled(build)


def checked(name: str, found: Findings, note: str = "", vela: Vela | None = None) -> None:
    """What a target supports, takes and leaves idle."""
    target, array = found.support.target, found.support.target.accelerator
    columns = ["layer", "operator", "on", "MACs", "busy", "est. cycles", "bound by", "weights", "activations"]
    table = _table(*columns, title=f"{name} on {target.name} in {found.support.format.name}")
    for layer in found.layers:
        row = layer.cost
        busy = None if array is None else row.utilisation(array.macs_per_cycle)
        cells = [layer.source, layer.op, row.unit, _count(row.macs), "" if busy is None else f"{busy:.1%}"]
        cells += [_rounded(row.cycles), row.bound, _count(row.weight_bytes), _count(row.activation_bytes)]
        table.add_row(*cells)
    _CONSOLE.print(table)
    for layer in found.unsupported:
        _CONSOLE.print(f"not supported: {layer.source}, {layer.op}: {'; '.join(layer.reasons)}", style="yellow")
        _CONSOLE.print(f"  {_remedy(layer)}")
    for source, count in found.groups.items():
        _CONSOLE.print(f"block-diagonal: {source}: {count} groups in a dense convolution; --adapt takes them apart")
    _channels(found)
    _CONSOLE.print(_fit(found, vela))
    if array is None:
        _CONSOLE.print("No multiplier array is described: octavo profile counts and estimates what the C takes.")
    else:
        _CONSOLE.print(f"Estimates, not measurements; the numbers are of: {array.source}")
    if note:
        _CONSOLE.print(note)


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _remedy(layer: Layer) -> str:
    """How it could be supported."""
    if layer.remedy is None:
        return "no rewrite leads to what the target has"
    return f"with --adapt: {', then '.join(layer.remedy)}"


def _channels(found: Findings) -> None:
    """Sets of channels that are no multiple of the array's."""
    if not found.channels:
        return
    title = "Channels beside the array's multiple: pad (--align), or trim"
    columns = ["from layer", "channels", "padded", "dead", "constant", "to trim", "cycles saved", "energy lost"]
    table = _table(*columns, "held by", title=title)
    for row in found.channels:
        trim = ("-", "-", "-") if not row.trim else (str(row.trim), _count(row.saved_cycles), f"{row.share:.2%}")
        table.add_row(row.source, str(row.channels), str(row.padded), str(row.dead), str(row.constant), *trim, row.held)
    _CONSOLE.print(table)


def _fit(found: Findings, vela: Vela | None) -> Table:
    """Totals."""
    target = found.support.target
    totals = _table("", "")
    layers, missing = len(found.layers), len(found.unsupported)
    totals.add_row("layers supported", f"{layers - missing} of {layers}")
    if found.utilisation is not None:
        totals.add_row("multipliers busy", f"{found.utilisation:.1%}, while the array computes")
    if found.cycles and found.plain_cycles:
        time = "" if found.milliseconds is None else f", {found.milliseconds:,.3f} ms"
        totals.add_row("estimated cycles", f"{found.cycles:,.0f}{time}, of the layers supported")
        totals.add_row("speed-up by special units", f"{found.plain_cycles / found.cycles:.2f}")
        totals.add_row("waiting for memory", f"{found.memory_bound_cycles / found.cycles:.1%} of the cycles")
    if found.microjoules is not None:
        totals.add_row("estimated energy", f"{found.microjoules:,.1f} microjoules")
    totals.add_row("flash: weights", _of(found.weight_bytes, 0, target.flash_bytes))
    totals.add_row("RAM: activations, at least", _of(found.peak_bytes, 0, target.ram_bytes))
    if vela is not None:
        operators = f"{vela.npu_operators} operators on the NPU, {vela.cpu_operators} on the CPU"
        totals.add_row("Vela says", f"{vela.cycles:,} cycles, {vela.milliseconds:,.3f} ms, {operators}")
        totals.add_row("", f"SRAM {vela.sram_bytes:,} bytes, encoded weights {vela.weight_bytes:,} bytes")
    return totals


def changed(steps: Mapping[str, Sequence[str]], added: Mapping[str, int], difference: float, path: Path | None) -> None:
    """What was rewritten and padded, and the proof."""
    for name, names in steps.items():
        _CONSOLE.print(f"rewritten: {name}: {', then '.join(names)}")
    for name, count in added.items():
        _CONSOLE.print(f"padded: {name}: {count} channels of zeros")
    if not steps and not added:
        _CONSOLE.print("nothing was changed")
    else:
        _CONSOLE.print(f"proved on random inputs: the outputs differ by {difference:.1g} of their largest value")
    if path is not None:
        _CONSOLE.print(f"file: {path}")


def targets(known: Sequence[Target]) -> None:
    """One row a target."""
    table = _table("target", "flash", "RAM")
    table.add_column("for")
    table.add_column("", overflow="fold")
    for target in known:
        use = "check" if target.accelerator is not None else "compile, check"
        table.add_row(target.name, f"{target.flash_bytes:,}", f"{target.ram_bytes:,}", use, target.description)
    _CONSOLE.print(table)


def formats(rows: Sequence[Mapping[str, Any]], targets: int) -> None:
    """One row a format."""
    table = _table("format", title="Number formats")
    for column in ("weights", "activations", "written as", "energy", "targets"):
        table.add_column(column, justify="right" if column == "energy" else "left", overflow="fold")
    for row in rows:
        allowed = "all" if len(row["targets"]) == targets else ", ".join(row["targets"]) or "none"
        table.add_row(
            row["name"], row["weights"], row["activations"], ", ".join(row["forms"]), f"{row['energy']:.2f}", allowed
        )
    _CONSOLE.print(table)
    _CONSOLE.print("energy: of a multiply-accumulate relative to int8, a model; docs/formats.md")


def effects(title: str, rows: Sequence[Effect]) -> None:
    """One row a format: what it does to one tensor."""
    table = _table("format", title=title)
    table.add_column("granularity")
    for column in ("step", "range", "SQNR dB", "worst channel", "bytes", "levels", "energy"):
        table.add_column(column, justify="right")
    for row in rows:
        low, high = (f"{value:.3g}" for value in row.step)
        table.add_row(
            row.name + (" *" if row.warning else ""), row.granularity, low if low == high else f"{low} to {high}",
            f"{row.range[0]:.4g} to {row.range[1]:.4g}", f"{row.sqnr_db:.1f}", f"{row.worst_channel_db:.1f}",
            f"{row.bytes:,}", f"{row.levels_used:,} of {row.levels:,}", f"{row.energy:.2f}",
        )  # fmt: skip
    _CONSOLE.print(table)
    for warning in dict.fromkeys(row.warning for row in rows if row.warning):
        _CONSOLE.print(f"* {warning}", style="yellow")


def layer_effects(title: str, names: Sequence[str], rows: Sequence[tuple[str, str, Sequence[float]]]) -> None:
    """One row a layer: SQNR of its weights in every format."""
    table = _table("layer", "kind", *names, title=title)
    for layer, kind, ratios in rows:
        table.add_row(layer, kind, *(f"{ratio:.1f}" for ratio in ratios))
    _CONSOLE.print(table)


def verified(build: Build, result: Verification) -> None:
    """Layer by layer, and where the device first differs."""
    title = f"{build.manifest['name']} on {result.on}: {result.samples:,} samples"
    table = _table("layer", title=title)
    table.add_column("kernel")
    table.add_column("values")
    table.add_column("ticks", justify="right")
    for layer in result.layers:
        style = {"differs": "bold red", "not reached": "dim"}.get(layer.state)
        table.add_row(layer.source, layer.kernel, layer.state, _count(layer.ticks or None), style=style)
    _CONSOLE.print(table)
    if result.divergence is not None:
        _diverged(result.divergence)
    for name in result.stale:
        _CONSOLE.print(f"stale: constant {name} on the device is not the folder's", style="red")
    if result.stack_size:
        text = f"stack: {result.stack_bytes:,} of {result.stack_size:,} bytes used"
        said = f"{text}: it overflowed, or nearly" if result.stack_overflowed else text
        _CONSOLE.print(said, style="red" if result.stack_overflowed else None)
    if result.hidden:
        values = ", ".join(f"{name} ({why})" for name, why in result.hidden.items())
        _CONSOLE.print(f"never whole on the device, judged by what follows: {values}")
    for note in result.notes:
        _CONSOLE.print(f"note: {note}", style="yellow")
    if result.repeated:
        many = f"{result.repeated} message{'s' if result.repeated > 1 else ''}"
        _CONSOLE.print(f"note: {many} had to be sent again", style="yellow")
    if result.ok:
        _CONSOLE.print(f"{result.compared:,} values compared: all bits agree", style="green")


def _diverged(divergence: Divergence) -> None:
    d = divergence
    after = f"after {d.source} ({d.kernel})" if d.layer else "before the first layer"
    place = f"{d.value}[{', '.join(map(str, d.element))}]"
    _CONSOLE.print(f"sample {d.sample}, {after}: {place} is {d.found}, not {d.expected}", style="bold red")
    _CONSOLE.print(f"  {d.different:,} of {d.elements:,} elements differ; the same C on this machine: {d.witness}")
    for cause in d.causes:
        _CONSOLE.print(f"  likely: {cause.kind}: {cause.text}")
