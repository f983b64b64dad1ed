"""Which calls of a kernel get code of their own, compiled for their constants, and which share one copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from octavo.c.kernels import KERNELS
from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.ops.base import IntegerOp
from octavo.ops.integer.strips import calls as kernel_calls

__all__ = ["OPTIMIZE", "check_optimize", "shared_calls"]

OPTIMIZE = ("fastest", "speed", "balanced", "size")
"""What the user may ask for."""

_OWN = 2 / 3


def check_optimize(optimize: str) -> None:
    """OctavoError for anything that is not in OPTIMIZE."""
    if optimize not in OPTIMIZE:
        raise OctavoError(f"optimize {optimize}", "is unknown", f"Use one of {', '.join(OPTIMIZE)}.")


def shared_calls(graph: Graph, macs: Mapping[str, int], optimize: str) -> frozenset[str]:
    """The names of the nodes that call the one copy of their kernel; ``macs`` by node are their multiply-accumulates.

    1. speed and fastest: none. The kernel is compiled for each layer, so that the compiler sees the layer's sizes.
    2. size: all calls of a kernel, where one copy for any sizes is smaller.
    3. balanced: the same, but the largest layers, which together hold two thirds of the multiply-accumulates, keep code
       of their own.

    Layers with equal parameters have one copy of their code anyway (octavo.c.emit); here they count as one.
    Portable kernels are left to the compiler, and kernels without a form for parameters that differ are never shared.
    """
    check_optimize(optimize)
    if optimize in ("fastest", "speed"):
        return frozenset()
    ops = [(node.name, node.op) for node in kernel_calls(graph.nodes) if isinstance(node.op, IntegerOp)]
    calls = {name: op for name, op in ops if not op.alias and KERNELS[op.kernel].shared}
    if optimize == "balanced":
        own = {calls[name] for name in _largest(macs) if name in calls}
        calls = {name: op for name, op in calls.items() if op not in own}
    times = Counter(op.kernel for op in set(calls.values()))
    return frozenset(name for name, op in calls.items() if times[op.kernel] >= KERNELS[op.kernel].worth)


def _largest(macs: Mapping[str, int]) -> set[str]:
    """The fewest layers that hold two thirds of the work."""
    found: set[str] = set()
    done = 0
    for name in sorted(macs, key=lambda name: (-macs[name], name)):
        if done >= _OWN * sum(macs.values()):
            break
        found.add(name)
        done += macs[name]
    return found
