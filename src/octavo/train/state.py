"""Where training stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from octavo.ir.plan import Quantized
from octavo.train.history import History
from octavo.train.module import Trainable
from octavo.train.oscillation import Oscillations

__all__ = ["Epoch", "State"]


@dataclass(frozen=True)
class Epoch:
    """What an epoch did: mean loss, the score in integers (nan unjudged), share of weights that oscillate, seconds."""

    loss: float
    score: float
    oscillating: float
    seconds: float


@dataclass
class State:
    """Where training stands.

    ``total`` is the sum of the losses of the present epoch, ``seconds`` what it took. ``best`` counts epochs from 1,
    0 is the network before training.
    """

    module: Trainable
    optimizer: torch.optim.Optimizer
    oscillations: Oscillations
    quantized: Quantized
    history: History
    start: float = math.nan
    step: int = 0
    total: float = 0.0
    seconds: float = 0.0
    best: int = 0
    epochs: list[Epoch] = field(default_factory=list)
