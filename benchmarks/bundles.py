"""RAM of several official models: each with an arena of its own, and in a bundle, as planned and as linked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.workloads import tiny
from octavo import api
from octavo.bundles import bundle
from octavo.device.firmware import build_firmware
from octavo.ir.plan import Quantized
from octavo.targets import load_target

__all__ = ["main"]

MODELS = {"kws": "dscnn_kws", "vww": "mobilenetv1_vww", "cifar": "resnet8_cifar10"}
CHOICES = (
    (("kws", "vww"), ()),
    (("kws", "vww"), (("kws", "vww"),)),
    (("kws", "vww", "cifar"), ()),
    (("kws", "vww", "cifar"), (("kws", "vww"), ("kws", "cifar"))),
)


def main() -> None:
    """One row a bundle; the last column is zero-initialised RAM of a Cortex-M4 firmware, with the test harness."""
    target = load_target("cortex-m4")
    with tempfile.TemporaryDirectory(prefix="octavo-bundles-") as name:
        root = Path(name)
        for short, model in MODELS.items():
            official = api.load(tiny(model, 1).official_int8 or "")
            assert isinstance(official, Quantized)
            api.export(official, root / short, short, target.name)
        print(f"{'models':<16}{'together':<20}{'apart':>9}{'shared':>9}{'linked':>9}")
        for index, (models, together) in enumerate(CHOICES):
            made = bundle([root / short for short in models], root / f"bundle{index}", "all", together)
            (root / f"firmware{index}").mkdir()
            linked = build_firmware(made.c_dir, target, root / f"firmware{index}").bss_bytes
            apart, shared = made.manifest["arena_bytes_apart"], made.manifest["arena_bytes"]
            groups = " ".join("+".join(group) for group in together) or "-"
            print(f"{'+'.join(models):<16}{groups:<20}{apart:>9,}{shared:>9,}{linked:>9,}")
