"""Runs Arm's Vela compiler, where it is installed, on an int8 .tflite, and reads its summary."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from octavo.errors import OctavoError

__all__ = ["HINT", "Vela", "has_vela", "read_summary", "run_vela"]

HINT = "Vela is not installed: pip install 'octavo[vela]' adds what Arm's compiler says of the same network"
_SECONDS = 600
_MAX_SUMMARY = 2**20
_OPERATORS = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Vela:
    """Vela's own estimate of one inference. ``cpu_operators`` are those it leaves to the processor."""

    npu_operators: int
    cpu_operators: int
    cycles: int
    npu_cycles: int
    milliseconds: float
    macs: int
    sram_bytes: int
    weight_bytes: int


def has_vela() -> bool:
    """Whether Vela can be run by this interpreter."""
    return find_spec("ethosu") is not None


def run_vela(model: bytes, configuration: str) -> Vela:
    """Compile an int8 .tflite for an Ethos-U ``configuration``, in a folder that goes away; OctavoError if it fails."""
    where = f"Vela for {configuration}"
    with tempfile.TemporaryDirectory(prefix="octavo-vela-") as folder:
        path, out = Path(folder) / "model.tflite", Path(folder) / "out"
        path.write_bytes(model)
        command = [sys.executable, "-m", "ethosu.vela", str(path), "--accelerator-config", configuration]
        try:
            done = subprocess.run(
                [*command, "--output-dir", str(out)],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OctavoError(where, f"took more than {_SECONDS} seconds", "Give --no-vela.") from error
        found = sorted(out.glob("*_summary_*.csv"))
        if done.returncode or not found or found[0].stat().st_size > _MAX_SUMMARY:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise OctavoError(where, f"failed: {said[-1] if said else 'it says nothing'}", "Give --no-vela.")
        return read_summary(found[0].read_text(), done.stdout)


def read_summary(summary: str, said: str) -> Vela:
    """Vela's summary (csv, of one network), and its operators from what it printed; OctavoError if it is another's."""
    rows = list(csv.DictReader(summary.splitlines()))
    counts = {kind: int(count) for kind, count in _OPERATORS.findall(said)}
    try:
        row = rows[0]
        numbers = {
            key: float(row[key])
            for key in ("cycles_total", "cycles_npu", "inference_time", "nn_macs", "sram_memory_used",
                        "total_npu_encoded_weights")
        }  # fmt: skip
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise OctavoError("Vela", f"wrote a summary without {error}", "Use ethos-u-vela 5, or --no-vela.") from error
    if not all(math.isfinite(value) and value >= 0 for value in numbers.values()):
        raise OctavoError("Vela", "wrote a summary with numbers that are none", "Use ethos-u-vela 5, or --no-vela.")
    return Vela(
        counts.get("NPU", 0),
        counts.get("CPU", 0),
        round(numbers["cycles_total"]),
        round(numbers["cycles_npu"]),
        1e3 * numbers["inference_time"],
        round(numbers["nn_macs"]),
        round(1024 * numbers["sram_memory_used"]),
        round(numbers["total_npu_encoded_weights"]),
    )
