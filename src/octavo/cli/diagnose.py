"""``octavo diagnose``: read the files, walk the flow, print the answer first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octavo import api
from octavo.cli.commands import configured, samples_of
from octavo.cli.diagnosis import diagnosis
from octavo.cli.document import emit
from octavo.cli.progress import stages

__all__ = ["diagnose_model"]


def diagnose_model(
    model: Path,
    calibration: Path,
    data: Path | None,
    reference: Path | None,
    choices: Mapping[str, Any],
    config: Path | None,
    json: bool,
) -> None:
    """``choices`` are keywords of octavo.diagnose; ``layers`` come from the configuration file."""
    given = samples_of(calibration, config)
    judging = None if data is None else samples_of(data, config)
    with stages() as stage:
        found = api.diagnose(
            model,
            given.inputs,
            None if judging is None else judging.inputs,
            None if judging is None else judging.labels,
            reference,
            layers=configured(config).get("layers", {}),
            progress=stage,
            **choices,
        )
    if json:
        emit(found.document())
    else:
        diagnosis(found)
