"""The way of training in numbers: the loss over steps, and after each epoch where scales and weights stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from octavo.ir.graph import Array, Graph
from octavo.quant.place import place
from octavo.train.module import Trainable
from octavo.train.oscillation import Oscillations
from octavo.train.recipe import Recipe
from octavo.train.weights import linear_nodes

__all__ = ["EPOCHS", "LOSSES", "History"]

LOSSES = 300
"""So many numbers tell the loss of a whole run, at most."""

EPOCHS = 40
"""So many epochs are told layer by layer, evenly chosen, and the last."""

_DIGITS = 6


@dataclass
class History:
    """What is remembered of training, whose epochs have ``each`` steps.

    ``layers`` names what has weights, ``groups`` the values whose scale the others of their group share. ``losses`` are
    means over ``window`` steps each, ``open`` the sum of the ``seen`` losses that fill none yet. For each epoch there
    is a row of ``by_layer``, [layers, 5]: the factor on the scales of its weights since the start (geometric mean,
    smallest, largest), the shares of weights that oscillate and that are held; and one of ``by_group``, [groups]: the
    factor on a scale.
    """

    layers: tuple[str, ...]
    groups: tuple[str, ...]
    each: int
    window: int
    losses: list[float] = field(default_factory=list)
    open: float = 0.0
    seen: int = 0
    by_layer: list[Array] = field(default_factory=list)
    by_group: list[Array] = field(default_factory=list)

    @staticmethod
    def of(module: Trainable, each: int, epochs: int) -> History:
        """That of a training which has not begun."""
        quantized = module.quantized
        placement = place(quantized.graph)
        # The first value in the network's order stands for its group.
        firsts = {placement.groups[value]: value for value in reversed(quantized.graph.activations())}
        groups = [value for value in quantized.graph.activations() if firsts[placement.groups[value]] == value]
        groups = [value for value in groups if placement.groups[value] not in placement.fixed]
        # Of layers that share their weights the first gives its name.
        nodes = reversed(linear_nodes(quantized))
        readers = {value: node.source or node.name for node in nodes for value in node.inputs}
        layers = tuple(readers[weight.name] for weight in module.trained_weights())
        return History(layers, tuple(groups), each, -(-each * epochs // LOSSES))

    def add_loss(self, loss: float) -> None:
        """Of one step."""
        self.open += loss
        self.seen += 1
        if self.seen == self.window:
            self.losses.append(self.open / self.window)
            self.open, self.seen = 0.0, 0

    def add_epoch(self, module: Trainable, oscillations: Oscillations) -> None:
        """Where the encodings and weights are now."""
        factors = [(w.scale() / w.start).detach().double().cpu().numpy() for w in module.trained_weights()]
        scales = [(np.exp(np.log(found).mean()), found.min(), found.max()) for found in factors]
        shares = zip(scales, oscillations.shares(), oscillations.frozen(), strict=True)
        rows = [(*scale, oscillating, held) for scale, oscillating, held in shares]
        self.by_layer.append(np.array(rows, np.float64))
        begun = module.quantized.plan.qparams
        now = [module.activations.scale(name) / float(begun[name].scale[0]) for name in self.groups]
        self.by_group.append(np.array(now, np.float64))

    def row(self, graph: Graph, recipe: Recipe) -> dict[str, Any]:
        """As plain data for the verdict, in six digits (docs/training.md has the schema)."""
        losses = [*self.losses, *([self.open / self.seen] if self.seen else [])]
        last = [min((index + 1) * self.window, self._steps) for index in range(len(losses))]
        rates = [recipe.rate * recipe.share(step - 1, self.each * recipe.epochs) for step in last]
        told = _evenly(len(self.by_layer))
        makers = {node.outputs[0]: node.source or node.name for node in graph.nodes}
        layers = np.array([self.by_layer[index] for index in told]).reshape(len(told), len(self.layers), 5)
        groups = np.array([self.by_group[index] for index in told]).reshape(len(told), len(self.groups))
        return {
            "steps_each_epoch": self.each,
            "steps": last,
            "loss": _digits(losses),
            "rate": _digits(rates),
            "epochs": [index + 1 for index in told],
            "layers": [
                {
                    "layer": name,
                    "scale": _digits(layers[:, at, 0]),
                    "scale_min": _digits(layers[:, at, 1]),
                    "scale_max": _digits(layers[:, at, 2]),
                    "oscillating": _digits(layers[:, at, 3]),
                    "held": _digits(layers[:, at, 4]),
                }
                for at, name in enumerate(self.layers)
            ],
            "activations": [
                {"value": name, "layer": makers.get(name, name), "scale": _digits(groups[:, at])}
                for at, name in enumerate(self.groups)
            ],
        }

    @property
    def _steps(self) -> int:
        return len(self.losses) * self.window + self.seen


def _evenly(epochs: int) -> list[int]:
    """Places of at most EPOCHS epochs, evenly chosen from the end on, and the last."""
    every = max(1, -(-epochs // EPOCHS))
    return list(range((epochs - 1) % every, epochs, every))


def _digits(values: Sequence[float] | Array) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]
