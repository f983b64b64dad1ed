"""Proves, on random inputs, that two graphs compute the same."""

from __future__ import annotations

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.run.float_run import float_run, to_graph_layout, to_user_layout

__all__ = ["difference", "prove"]


def prove(before: Graph, after: Graph, tolerance: float = 1e-5, seed: int = 0, samples: int = 2) -> float:
    """The largest relative difference of the outputs; OctavoError when it is above ``tolerance``.

    Both graphs get the same user's inputs and are compared in the user's axis order, in float64, relative to each
    output's largest value.
    """
    worst = 0.0
    for name, error in difference(before, after, seed, samples).items():
        worst = max(worst, error)
        if not error <= tolerance:
            raise OctavoError(
                f"output {name}",
                f"changed by {error:.2g} of its largest value in a pass that must keep it within {tolerance:g}",
                "This is a fault of Octavo, not of the model: please report it with the model.",
            )
    return worst


def difference(before: Graph, after: Graph, seed: int = 0, samples: int = 2) -> dict[str, float]:
    """Largest difference of each output, relative to its largest value before."""
    if before.inputs != after.inputs or before.outputs != after.outputs:
        raise OctavoError(f"graph {before.name}", "a pass changed the names of inputs or outputs", "Report this fault.")
    inputs = _user_inputs(before, seed, samples)
    expected, actual = _run(before, inputs), _run(after, inputs)
    return {name: _relative(expected[name], actual[name]) for name in before.outputs}


def _user_inputs(graph: Graph, seed: int, samples: int) -> dict[str, Array]:
    """Normally distributed inputs in the user's axis order."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name in graph.inputs:
        shape = graph.types[name].shape
        perm = graph.layouts.get(name, tuple(range(len(shape))))
        user = [shape[place] for place in np.argsort(perm)]
        inputs[name] = rng.normal(size=(samples, *user[1:])).astype(np.float32)
    return inputs


def _run(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """Outputs in the user's axis order, computed in float64."""

    def widen(name: str, tensor: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(graph.consts[name].astype(np.float64)) if name in graph.consts else tensor.double()

    own = {name: to_graph_layout(graph, name, array) for name, array in inputs.items()}
    with torch.no_grad():
        outputs = float_run(graph, own, widen)
    return {name: to_user_layout(graph, name, tensor.numpy()) for name, tensor in outputs.items()}


def _relative(expected: Array, actual: Array) -> float:
    if expected.shape != actual.shape:
        if expected.shape[1:] != actual.shape[1:]:
            return float("inf")
        expected, actual = np.broadcast_arrays(expected, actual)
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    finite = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    error = np.where(same, 0.0, np.abs(np.where(same, 0.0, expected) - np.where(same, 0.0, actual)))
    error = np.where(np.isfinite(error), error, np.inf)
    return float(error.max(initial=0.0) / max(finite, 1e-30))
