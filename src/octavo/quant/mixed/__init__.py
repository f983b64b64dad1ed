"""Mixed precision: which layer gets which bits, chosen exactly from measured sensitivities under a budget."""

from octavo.quant.mixed.choose import Assignment, choose, evaluate, least, mixed_scheme, pareto
from octavo.quant.mixed.costs import KINDS, Budget, Costs, layer_costs, node_cost
from octavo.quant.mixed.sensitivities import Sensitivities, Value, sensitivities

__all__ = [
    "KINDS",
    "Assignment",
    "Budget",
    "Costs",
    "Sensitivities",
    "Value",
    "choose",
    "evaluate",
    "layer_costs",
    "least",
    "mixed_scheme",
    "node_cost",
    "pareto",
    "sensitivities",
]
