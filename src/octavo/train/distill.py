"""What a network in training learns from its float original: its outputs, and the values inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.run.float_run import float_run

__all__ = ["Teacher", "feature_loss", "logit_loss"]


def logit_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Kullback-Leibler divergence of softened classes [N, classes] (Hinton et al. 2015), 0-d.

    Multiplied by the temperature's square, so that gradients keep their size.
    """
    log_student, log_teacher = (F.log_softmax(x.flatten(1) / temperature, dim=1) for x in (student, teacher))
    return F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True) * temperature**2


def feature_loss(student: Mapping[str, torch.Tensor], teacher: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean over values of their squared difference over the teacher's square, 0-d."""
    pairs = [(student[name], value) for name, value in teacher.items()]
    terms = [(mine - value).square().sum() / value.square().sum().clamp_min(1e-12) for mine, value in pairs]
    return torch.stack(terms).mean()


@dataclass(frozen=True, eq=False)
class Teacher:
    """A float network. ``features`` are values that it and the student have by one name, as all of one graph."""

    graph: Graph
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.features) - set(self.graph.activations()))
        if unknown:
            raise OctavoError(f"feature {unknown[0]}", "is no value of the teacher", "octavo inspect MODEL lists them.")

    @torch.no_grad()
    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The first output and the features for inputs [N, ...] in the graph's axis order."""
        found: dict[str, torch.Tensor] = {}

        def tap(name: str, value: torch.Tensor) -> torch.Tensor:
            if name in self.features:
                found[name] = value
            return value

        outputs = float_run(self.graph, inputs, tap)
        return outputs[self.graph.outputs[0]], found
