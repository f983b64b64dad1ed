"""How a network fits an accelerator: what it supports, what rewrites help, how busy its multipliers are."""

from octavo.npu.adapt import Adaptation, adapt
from octavo.npu.align import Aligned, align
from octavo.npu.check import Findings, check

__all__ = ["Adaptation", "Aligned", "Findings", "adapt", "align", "check"]
