"""Devices: what a core is, what it has, and where it is emulated."""

from octavo.targets.architecture import ARCHITECTURES, Architecture
from octavo.targets.cost import Cycles, Energy
from octavo.targets.target import COSTS, Arithmetic, Board, Target, available_targets, load_target, target_text

__all__ = [
    "ARCHITECTURES",
    "COSTS",
    "Architecture",
    "Arithmetic",
    "Board",
    "Cycles",
    "Energy",
    "Target",
    "available_targets",
    "load_target",
    "target_text",
]
