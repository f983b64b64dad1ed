"""What lists devices and number formats; apart from the other commands, so that it need not wait for torch."""

from __future__ import annotations

from octavo.cli import tables
from octavo.cli.document import emit
from octavo.num.energy import mac_energy
from octavo.num.formats import FORMATS, ActivationFormat, WeightFormat
from octavo.targets import available_targets, load_target

__all__ = ["list_formats", "list_targets"]


def list_targets(json: bool) -> None:
    """Names, memory and boards."""
    targets = [load_target(name) for name in available_targets()]
    if json:
        rows = [
            {"name": t.name, "description": t.description, "flash_bytes": t.flash_bytes, "ram_bytes": t.ram_bytes,
             "emulated": t.board is not None, "compiles": t.accelerator is None}
            for t in targets
        ]  # fmt: skip
        emit({"targets": rows})
    else:
        tables.targets(targets)


def list_formats(json: bool) -> None:
    """Each format with what it can be written as, its energy, and the targets that allow it."""
    targets = [target for target in map(load_target, available_targets()) if target.accelerator is None]
    rows = [
        {
            "name": entry.name,
            "weights": _weights(entry.weights),
            "activations": _activations(entry.activations),
            "forms": list(entry.forms),
            "energy": round(mac_energy(entry.weights, entry.activations), 3),
            "targets": [t.name for t in targets if entry.name in t.formats and "C" in entry.forms],
            "summary": entry.summary,
        }
        for entry in FORMATS.values()
    ]
    if json:
        emit({"formats": rows})
    else:
        tables.formats(rows, len(targets))


def _weights(format: WeightFormat) -> str:
    if format.kind == "float16":
        return "float16"
    if format.kind == "log2":
        return f"0, +-2^k ({format.bits} bits)"
    return f"int{format.bits}, scale 2^k" if format.power_of_two else f"int{format.bits}"


def _activations(format: ActivationFormat) -> str:
    if format.dtype == "float16":
        return "float16"
    scale = ", scale 2^k" if format.power_of_two else ""
    kind = f"int{format.width}"
    return f"{kind}{scale}, zero_point 0" if format.symmetric else f"{kind}, zero_point"
