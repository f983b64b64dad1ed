"""Runs a generated folder on an emulated board and counts instructions per layer."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octavo.device.firmware import Firmware, build_firmware, require_board
from octavo.device.listing import disassemble
from octavo.device.toolchain import emulator, invoke
from octavo.device.trace import Counter, Trace
from octavo.errors import OctavoError
from octavo.targets import ARCHITECTURES, Board, Target

__all__ = ["DeviceRun", "emulation", "run_on_board"]

_HEADER = 7
SECONDS = 1800.0


@dataclass(frozen=True)
class DeviceRun:
    """Outputs int8 [N, bytes], and what one inference cost on average.

    ``instructions_per_tick`` is measured on the board by loops of known length. Counts resolve one tick of
    its counter. ``trace`` is what the last inference executed, where it was asked for; ``untraced`` says why there is
    none.
    """

    outputs: NDArray[np.int8]
    layer_instructions: tuple[int, ...]
    total_instructions: int
    code_bytes: int
    model_bytes: int
    stack_bytes: int
    instructions_per_tick: float
    trace: Trace | None = None
    untraced: str = ""


def run_on_board(
    c_dir: Path,
    target: Target,
    inputs: NDArray[np.int8],
    seconds: float = SECONDS,
    trace_layers: int | None = None,
    own_sources: Sequence[Path] = (),
    own_flags: Sequence[str] = (),
) -> DeviceRun:
    """Run all samples int8 [N, input bytes] on the target's board under QEMU, one instruction a nanosecond.

    ``trace_layers``, the model's number of layers, asks for a trace; the run goes on without one where QEMU has no
    plugins or this machine no C compiler. ``own_sources`` and ``own_flags`` are build_firmware's. Raises OctavoError
    when a tool is missing, the program does not fit the board, faults, or does not end in time.
    """
    board = require_board(target)
    emulator(ARCHITECTURES[board.architecture])  # before the compiler runs for nothing
    with tempfile.TemporaryDirectory(prefix="octavo-device-") as name:
        folder = Path(name)
        firmware = build_firmware(c_dir, target, folder, own_sources, own_flags)
        (folder / "inputs.bin").write_bytes(np.ascontiguousarray(inputs, np.int8).tobytes())
        command = emulation(board, firmware)
        counter, untraced = _counter(folder, firmware, board, trace_layers)
        what = f"run on {target.name}"
        result = invoke(what, [*command, *(counter.options if counter else ())], folder, seconds)
        if counter and result.returncode == 1 and "plugin" in result.stderr:
            counter, untraced = None, f"{Path(command[0]).name} takes no plugins"
            result = invoke(what, command, folder, seconds)
        if result.returncode != 0:
            said = (result.stdout + result.stderr).strip().splitlines()
            raise OctavoError(
                f"run on {target.name}",
                f"the program ended with {result.returncode}: {said[-1] if said else 'no message'}",
                "Report this with the model: generated code must never fault.",
            )
        outputs = np.fromfile(folder / "outputs.bin", np.int8).reshape(len(inputs), -1)
        counts = np.fromfile(folder / "profile.bin", "<u8").astype(np.float64)
        measured = _measured(outputs, counts, firmware, len(inputs))
        return replace(measured, trace=counter.read(folder) if counter else None, untraced=untraced)


def emulation(board: Board, firmware: Firmware) -> list[str]:
    """The command that runs a firmware, one instruction a nanosecond, with files and exit by semihosting."""
    architecture = ARCHITECTURES[board.architecture]
    return [
        emulator(architecture), "-machine", board.machine, *(("-cpu", board.cpu) if board.cpu else ()),
        *architecture.emulator_flags, "-nographic", "-monitor", "none", "-serial", "none",
        "-icount", "shift=0", "-semihosting-config", "enable=on,target=native", "-kernel", str(firmware.path),
    ]  # fmt: skip


def _counter(folder: Path, firmware: Firmware, board: Board, layers: int | None) -> tuple[Counter | None, str]:
    """The plugin that counts, or why there is none."""
    if layers is None:
        return None, "no trace was asked for"
    try:
        program = disassemble(board.architecture, firmware.path)
        return Counter.build(folder, program, board.ram[0], layers), ""
    except OctavoError as error:
        return None, str(error)


def _measured(outputs: NDArray[np.int8], profile: NDArray[np.float64], firmware: Firmware, samples: int) -> DeviceRun:
    loop_instructions, loop_ticks, marks, mark_ticks, counted, stack, total = profile[:_HEADER]
    if int(counted) != samples or loop_ticks == 0:
        raise OctavoError("emulated run", f"{int(counted)} of {samples} samples were run", "Run it again.")
    factor = loop_instructions / loop_ticks
    mark_cost = mark_ticks / marks
    layers = profile[_HEADER:] / samples - mark_cost
    total_ticks = total / samples - mark_cost * (len(layers) + 1)
    return DeviceRun(
        outputs,
        tuple(int(v) for v in np.maximum(np.rint(layers * factor), 0)),
        round(float(total_ticks * factor)),
        firmware.code_bytes,
        firmware.model_bytes,
        int(stack),
        float(factor),
    )
