"""Devices: what a core is, what it has, and where it is emulated."""

from octavo.targets.accelerator import ACTIVATIONS, Accelerator, Limits
from octavo.targets.architecture import ARCHITECTURES, Architecture
from octavo.targets.cost import Cycles, Energy
from octavo.targets.target import COSTS, Arithmetic, Board, Target, available_targets, load_target, target_text

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "COSTS",
    "Accelerator",
    "Architecture",
    "Arithmetic",
    "Board",
    "Cycles",
    "Energy",
    "Limits",
    "Target",
    "available_targets",
    "load_target",
    "target_text",
]
