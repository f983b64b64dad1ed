"""What a diagnosis says, as plain data: docs/diagnosis.md describes every field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

__all__ = ["SCHEMA", "Cause", "Culprit", "Diagnosis", "Fork", "Remedy"]

SCHEMA = 1
"""Version of the JSON form; it grows when a field changes its meaning or goes away."""

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Fork:
    """A question of the debugging flow and its answer.

    ``passed`` is None where it could not be asked, and ``answer`` then says why. ``facts`` are the measurements.
    """

    name: str
    question: str
    passed: bool | None
    answer: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Culprit:
    """A quantizer, and what it does to the network's first output (before a softmax).

    ``alone``: it quantizes and nothing else does. ``without``: everything else quantizes; what is gained by its
    absence, None where it was not measured. ``share`` is its part of the noise of all quantizers alone. ``local_db``
    is the SQNR of the tensor itself.
    """

    tensor: str
    kind: str
    layer: str
    source: str
    operator: str
    alone_db: float
    alone_cosine: float
    alone_drop: float | None
    share: float
    local_db: float
    without_gain_db: float | None = None
    without_gain_points: float | None = None


@dataclass(frozen=True)
class Cause:
    """Why accuracy is lost: ``kind`` is one of docs/diagnosis.md's, ``evidence`` numbers that speak for it.

    ``share``, 0 to 1, is the part of the loss that it explains; ``confidence``, 0 to 1, how sure the rule is.
    ``also`` are other layers with the same cause. ``remedies`` are the kinds of remedies that can work.
    """

    kind: str
    layer: str
    tensor: str
    sentence: str
    evidence: Facts
    confidence: float
    share: float
    remedies: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """What to do: on the command line, in Python; and what it gained where it was ``tried``.

    Gains are over the network as diagnosed: dB of SQNR, points of accuracy with labels, else of agreement.
    """

    kind: str
    sentence: str
    command: str
    python: str
    tried: bool
    sqnr_db: float | None = None
    drop: float | None = None
    gain_db: float | None = None
    gain_points: float | None = None
    why_not: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The answer first; then the forks, what quantizes worst, the causes and the remedies, best first.

    ``settings`` say what was diagnosed. ``quality`` is that of the float and of the quantized network on the judging
    samples. ``trace`` is the SQNR of every activation along the quantized network, in order.
    """

    answer: str
    settings: Facts
    quality: Facts
    forks: tuple[Fork, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    causes: tuple[Cause, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    trace: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause | None:
        """The main cause."""
        return self.causes[0] if self.causes else None

    @property
    def remedy(self) -> Remedy | None:
        """The remedy to begin with."""
        return self.remedies[0] if self.remedies else None

    def document(self) -> dict[str, Any]:
        """As the JSON object of ``octavo diagnose --json``: what is not finite is None."""
        plain: dict[str, Any] = _plain({"schema": SCHEMA, **asdict(self)})
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
