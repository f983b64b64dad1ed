"""What trains a compiled network further, with its quantizers in the loop."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from octavo import api
from octavo.build import Build
from octavo.cli import tables
from octavo.cli.commands import budget_of, samples_of
from octavo.cli.document import emit
from octavo.cli.progress import stages
from octavo.files import check_replaceable
from octavo.pipeline.rung import silent
from octavo.train import Recipe
from octavo.train.processes import is_first, joined

__all__ = ["finetune_folder"]


def finetune_folder(
    folder: Path,
    output: Path,
    train: Path,
    evaluation: Path | None,
    teacher: Path | None,
    distill: bool,
    checkpoint: Path | None,
    recipe: Mapping[str, Any],
    budget: str | None,
    config: Path | None,
    json: bool,
) -> None:
    """Train the network of a folder and write another folder, for the same target, with the best epoch.

    Of the processes that torchrun starts the first shows progress and writes.
    """
    build, chosen = Build.open(folder), Recipe(**recipe, learn_bits=budget_of(budget))
    check_replaceable(output)
    data = samples_of(train, config)
    held = None if evaluation is None else samples_of(evaluation, config)
    own = build.quantized.graph if distill else None
    with joined(chosen.device), stages() if is_first() else nullcontext(silent) as stage:
        trained = api.finetune(
            build.quantized,
            data.inputs,
            data.labels,
            None if held is None else held.inputs,
            None if held is None else held.labels,
            teacher or own,
            chosen,
            checkpoint,
            stage,
            str(folder / "target.toml"),
        )
        first = is_first()
    if not first:
        return
    made = build.manifest
    written = api.export(trained, output, str(made["name"]), str(folder / "target.toml"), str(made["optimize"]))
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    plan = trained.plan
    if json:
        emit({"finetuning": plan.verdict["finetuning"], "notes": list(plan.notes), "folder": str(output)})
    else:
        tables.finetuned(plan)
        tables.compiled(written)
        tables.report_hint(output)
