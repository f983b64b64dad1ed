"""The command that lists devices; apart from the others, so that it need not wait for torch."""

from __future__ import annotations

from octavo.cli import tables
from octavo.cli.document import emit
from octavo.targets import available_targets, load_target

__all__ = ["list_targets"]


def list_targets(json: bool) -> None:
    """Names, memory and boards."""
    targets = [load_target(name) for name in available_targets()]
    if json:
        rows = [
            {"name": t.name, "description": t.description, "flash_bytes": t.flash_bytes, "ram_bytes": t.ram_bytes,
             "emulated": t.board is not None}
            for t in targets
        ]  # fmt: skip
        emit({"targets": rows})
    else:
        tables.targets(targets)
