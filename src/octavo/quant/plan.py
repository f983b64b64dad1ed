"""Moved to octavo.ir.plan; kept only until all readers follow."""

from octavo.ir.plan import QuantPlan, Quantized, bias_names, graph_digest, make_plan

__all__ = ["QuantPlan", "Quantized", "bias_names", "graph_digest", "make_plan"]
