"""What learned numbers of bits may cost together, and the whole numbers that keep to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Node
from octavo.ir.plan import Quantized
from octavo.num.levels import Grouped, PowersOfTwo
from octavo.ops import Op
from octavo.quant.mixed import Budget, node_cost
from octavo.train.bits import FEWEST, MOST, LearnedBits

__all__ = ["BitBudget"]

_WEIGHT, _MARGIN = 5.0, 0.2
"""Of the penalty: its slope in the network's share of the budget, and the excess up to which the slope grows to it."""


@dataclass(frozen=True)
class BitBudget:
    """A budget, the costs of the weights that learn by name and number of bits, and ``fixed``, that of all else."""

    budget: Budget
    costs: Mapping[str, Mapping[int, float]]
    fixed: float

    @staticmethod
    def of(quantized: Quantized, budget: Budget, nodes: Sequence[Node]) -> BitBudget:
        """For the weights of these layers; OctavoError where their format has no bits to learn, or no bits suffice."""
        if budget.kind == "latency":
            raise OctavoError(
                "budget of latency",
                "cannot be learned: cycles follow from a target's kernels, not from bits one by one",
                "Use bytes or mac-bits, or quantize with options and a budget of latency.",
            )
        if not nodes:
            raise OctavoError(quantized.graph.name, "has no layer left whose bits can be learned", "Keep fewer.")
        for node in nodes:
            _check(quantized, node)
        costs: dict[str, dict[int, float]] = {}
        for node in nodes:
            name = _weight(node)
            before = costs.get(name, {})
            # A weight that several layers share costs in each, as in the choice of options.
            costs[name] = {
                bits: before.get(bits, 0.0) + node_cost(quantized, node, budget.kind, bits)
                for bits in range(FEWEST, MOST + 1)
            }
        learned = {node.name for node in nodes}
        others = [node for node in quantized.graph.nodes if node.name not in learned]
        found = BitBudget(budget, costs, sum(node_cost(quantized, node, budget.kind) for node in others))
        least = found.cost(dict.fromkeys(costs, FEWEST))
        if least > budget.amount:
            raise OctavoError(
                f"budget of {budget.amount:,.0f} {budget.kind}",
                f"is less than the {least:,.0f} {budget.kind} that {FEWEST} bits take",
                "Allow more, or keep the bits of fewer layers.",
            )
        return found

    def cost(self, bits: Mapping[str, int]) -> float:
        """Of the whole network, in the unit of the budget."""
        return self.fixed + sum(self.costs[name][number] for name, number in bits.items())

    def shares(self) -> dict[str, list[float]]:
        """By weight the costs of its numbers of bits, as shares of the budget."""
        return {name: [cost / self.budget.amount for cost in costs.values()] for name, costs in self.costs.items()}

    def penalty(self, learned: Iterable[LearnedBits]) -> torch.Tensor:
        """Grows with what is above the budget, first as its square, so that bits come to rest there."""
        share = torch.stack([bits.cost() for bits in learned]).sum() + self.fixed / self.budget.amount
        above = (share - 1).clamp_min(0)
        near = above.clamp_max(_MARGIN)
        return _WEIGHT * (near * above - near.square() / 2) / _MARGIN

    @torch.no_grad()
    def settle(self, learned: Mapping[str, LearnedBits]) -> None:
        """Hold the bits at whole numbers within the budget."""
        found = self.whole({name: float(bits.number()) for name, bits in learned.items()})
        for name, bits in learned.items():
            bits.hold(found[name])

    def notes(self, learned: Mapping[str, LearnedBits], layers: Mapping[str, str]) -> tuple[str, ...]:
        """What was learned, with the name of each weight's layer: which bits, their cost, what the budget changed."""
        now = {name: bits.now for name, bits in learned.items()}
        widths = sorted({*now.values()}, reverse=True)
        by_width = {width: [layers[name] for name in now if now[name] == width] for width in widths}
        words = ", ".join(f"{len(names)} layers int{width}" for width, names in by_width.items())
        cost, budget = self.cost(now), self.budget
        notes = [f"learned bits: {words}; {cost:,.0f} of {budget.amount:,.0f} {budget.kind}"]
        notes += [f"int{width}: {', '.join(names)}" for width, names in by_width.items()]
        moved = {layers[name]: int(bits.moved) for name, bits in learned.items() if bits.moved}
        if moved:
            words = ", ".join(f"{name} {count:+}" for name, count in moved.items())
            notes.append(f"bits changed from the nearest to those learned, for the budget: {words}")
        return tuple(notes)

    def whole(self, learned: Mapping[str, float]) -> dict[str, int]:
        """Whole numbers of bits that make the best of the budget.

        Where training has balanced loss and budget, a bit more or less of a layer changes the loss in proportion to
        what the bit costs and to 4^(learned - whole), for the error's power falls by 4 with a bit. So from the nearest
        numbers the layer that is the furthest above what was learned gives a bit until the budget is met, and then the
        one that is the furthest below it takes one while any fits.
        """
        found = {name: round(bits) for name, bits in learned.items()}
        while self.cost(found) > self.budget.amount:
            able = [name for name in found if found[name] > FEWEST]
            found[max(able, key=lambda name: (found[name] - learned[name], self.costs[name][found[name]]))] -= 1
        while able := [name for name in found if found[name] < MOST and self._fits(found, name)]:
            found[max(able, key=lambda name: (learned[name] - found[name], self.costs[name][found[name]]))] += 1
        return found

    def _fits(self, bits: Mapping[str, int], name: str) -> bool:
        """Whether the budget has another bit for a weight."""
        return self.cost({**bits, name: bits[name] + 1}) <= self.budget.amount


def _weight(node: Node) -> str:
    assert isinstance(node.op, Op) and node.op.weight is not None
    return node.inputs[node.op.weight]


def _check(quantized: Quantized, node: Node) -> None:
    levels = quantized.plan.qparams[_weight(node)].levels
    for kind, words, remedy in (
        (PowersOfTwo, "log2: its levels are powers of two", "Quantize with uniform weights"),
        (Grouped, "per-group: factors of groups belong to one number of bits", "Quantize per channel"),
    ):
        if isinstance(levels, kind):
            raise OctavoError(
                node.source or node.name,
                f"has no bits to learn in the format {words}",
                f"{remedy}, or keep the bits of this layer.",
            )
