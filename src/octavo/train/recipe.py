"""How to train: everything that decides the integers, apart from network and data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.quant.mixed import Budget
from octavo.quant.rounding.reconstruct import check_device
from octavo.train.bits import FEWEST, MOST

__all__ = ["DEFAULT", "Recipe"]

_FASTEST = 0.2
"""Bits a step."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the trained integers, apart from network and data.

    Adam with a peak ``rate``, which rises for ``warm_up`` of the steps and falls to zero along a cosine; ``batch``
    samples a step. ``batch_norm``, ``learn_scales``, ``learn_zero_points``, ``freeze``: see ``trainable``;
    ``freeze_after`` is the step from which kept batch norms hold their statistics. ``temperature`` and ``features``
    (weight of the values inside) belong to a teacher. ``dampen`` weighs the term against oscillations;
    ``learn_bits`` and ``keep_bits``: see ``trainable``; after the share ``settle`` of the steps the bits are held.
    ``hold_oscillating``: the share of steps in which a weight that turns back is held. ``patience``: epochs without
    improvement after which to stop.
    """

    epochs: int = 3
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.0
    warm_up: float = 0.05
    batch_norm: str = "fold"
    learn_scales: bool = True
    learn_zero_points: bool = False
    freeze: tuple[str, ...] = ()
    freeze_after: int | None = None
    temperature: float = 2.0
    features: float = 0.0
    dampen: float = 0.0
    hold_oscillating: float | None = None
    patience: int | None = None
    learn_bits: Budget | None = None
    keep_bits: tuple[str, ...] = ()
    settle: float = 0.5
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, fine in (
                ("epochs", self.epochs >= 1),
                ("batch", self.batch >= 1),
                ("rate", 0 < self.rate < math.inf),
                ("seed", self.seed >= 0),
                ("batch_norm", self.batch_norm in ("fold", "keep")),
                ("hold_oscillating", self.hold_oscillating is None or 0 <= self.hold_oscillating <= 1),
                ("weight_decay", self.weight_decay >= 0),
                ("warm_up", 0 <= self.warm_up < 1),
                ("temperature", self.temperature > 0),
                ("features", 0 <= self.features < math.inf),
                ("dampen", 0 <= self.dampen < math.inf),
                ("settle", 0 < self.settle < 1),
                ("patience", self.patience is None or self.patience >= 1),
            )
            if not fine
        ]
        if wrong:
            raise OctavoError(
                f"{wrong[0]} {getattr(self, wrong[0])}",
                "is out of range",
                "octavo finetune --help says what is allowed.",
            )
        check_device(self.device)

    def bits_rate(self, steps: int) -> float:
        """The peak rate of learned bits: all that can be are crossed in half of the steps in which they learn."""
        return min(2 * (MOST - FEWEST) / (self.settle * steps), _FASTEST)

    def share(self, step: int, steps: int) -> float:
        """The learning rate of a step over its peak."""
        done = (step + 1) / (steps + 1)
        if done < self.warm_up:
            return done / self.warm_up
        return 0.5 * (1 + math.cos(math.pi * (done - self.warm_up) / (1 - self.warm_up)))


DEFAULT = Recipe()
