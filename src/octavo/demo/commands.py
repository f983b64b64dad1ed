"""The demo's measurements: it gives the commands that a user would give, and reads their JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.targets import ARCHITECTURES, load_target

__all__ = ["Evaluation", "Layer", "Profile", "evaluate", "missing_tools", "profile", "run"]


@dataclass(frozen=True)
class Evaluation:
    """What ``octavo eval --json`` says: the float network against the compiled C."""

    float_accuracy: float
    integer_accuracy: float
    agreement: float
    sqnr_db: float
    samples: int


@dataclass(frozen=True)
class Layer:
    """One layer's row of a profile; ``instructions`` is None without an emulated core."""

    source: str
    kernel: str
    macs: int
    instructions: int | None


@dataclass(frozen=True)
class Profile:
    """What ``octavo profile --json`` says of the compiled network."""

    arena_bytes: int
    arena_lower_bound_bytes: int
    code_bytes: int | None
    model_bytes: int
    instructions: int | None
    layers: tuple[Layer, ...]


def missing_tools(target: str) -> dict[str, str]:
    """The programs that emulating a target needs and that are not installed, with the Debian packages of each."""
    board = load_target(target).board
    tools = ARCHITECTURES[board.architecture].tools if board else {}
    return {tool: packages for tool, packages in tools.items() if shutil.which(tool) is None}


def evaluate(folder: Path, data: Path) -> Evaluation:
    """Accuracy of the float network and of its integer C, run on this computer."""
    said = _octavo("eval", str(folder), "--data", str(data))
    return Evaluation(
        float_accuracy=float(said["float_accuracy"]),
        integer_accuracy=float(said["integer_accuracy"]),
        agreement=float(said["agreement"]),
        sqnr_db=float(said["sqnr_db"]),
        samples=int(said["samples"]),
    )


def profile(folder: Path, where: str) -> Profile:
    """Size and work of the compiled network on ``where``: a board, or ``host``."""
    said = _octavo("profile", str(folder), "--on", where)
    layers = (
        Layer(str(row["source"]), str(row["kernel"]), int(row["macs"]), _whole(row.get("instructions")))
        for row in said["layers"]
    )
    return Profile(
        arena_bytes=int(said["arena_bytes"]),
        arena_lower_bound_bytes=int(said["arena_lower_bound_bytes"]),
        code_bytes=_whole(said.get("code_bytes")),
        model_bytes=int(said["model_bytes"]),
        instructions=_whole(said.get("instructions")),
        layers=tuple(layers),
    )


def run(folder: Path, inputs: Path, outputs: Path, where: str) -> NDArray[np.float32]:
    """Outputs of the compiled network on ``where`` for the images in the file ``inputs``."""
    _octavo("run", str(folder), "--input", str(inputs), "--output", str(outputs), "--on", where)
    answers: NDArray[np.float32] = np.load(outputs, allow_pickle=False)
    return answers


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def _octavo(*arguments: str) -> dict[str, Any]:
    """Give one command with ``--json`` and return the object that it prints."""
    command = (sys.executable, "-m", "octavo", *arguments, "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OctavoError(f"octavo {arguments[0]}", _last_words(done.stderr or done.stdout), f"Try: {_shown(command)}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _last_words(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a word"


def _shown(command: Sequence[str]) -> str:
    return " ".join(("octavo", *command[3:]))
