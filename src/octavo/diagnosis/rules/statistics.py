"""A layer no longer gives what training saw."""

from __future__ import annotations

from typing import Any

from octavo.diagnosis.case import source_of
from octavo.diagnosis.facts import FloatFacts
from octavo.diagnosis.result import Cause

__all__ = ["statistics", "suspected"]

_BROKEN = 0.4
_JUMP = 2.5
_DEAD = 0.02


def suspected(scores: list[float]) -> int | None:
    """The place of the first layer from which statistics break: its score is above 0.4 and 2.5 times all before.

    Sound networks have 0.1 to 0.6, the last layers most, because few samples hold few classes. A network whose first
    layer is off already has wrong samples rather than a wrong layer.
    """
    for place in range(1, len(scores)):
        if scores[place] > max(_BROKEN, _JUMP * max(scores[:place])):
            return place
    return None


def statistics(facts: FloatFacts) -> Cause | None:
    """Layers up to one fit their batch norms, and that one does not: something between the two is not as trained.

    Channels that varied and have no weights, more than 2 % of them, are dead. Otherwise each suspicion is tried
    (octavo.diagnosis.repairs); the one after which the layers fit again is the cause. An activation lost everywhere
    puts no layer apart, so that is tried in any case.
    """
    dead = [row for row in facts.fits if row.dead > _DEAD * row.channels]
    place = facts.suspect
    if dead and (place is None or facts.fits.index(dead[0]) <= place + 1):
        row = dead[0]
        sentence = f"{row.dead} of the {row.channels} channels of {row.source} have no weights, in training they varied"
        evidence: dict[str, Any] = {"dead": row.dead, "channels": row.channels, "layers": len(dead)}
        return Cause("dead channels", row.layer, row.layer, sentence, evidence, 0.9, 1.0, ("original",))
    if facts.repairs:
        best = facts.repairs[0]
        sentence = (
            f"{source_of(best.node)} is not as it was trained: {best.detail}, the layers behind it fit their batch "
            f"norms (distance {best.before:.2f}, then {best.after:.2f})"
        )
        evidence = {"before": best.before, "after": best.after, "detail": best.detail}
        return Cause(best.kind, best.node.name, best.node.outputs[0], sentence, evidence, 0.85, 1.0, ("repair",))
    if place is None:
        return None
    row = facts.fits[place]
    before = facts.fits[place - 1].score
    evidence = {"layer_score": row.score, "score_before": before, "shift": row.shift, "stretch": row.stretch}
    sentence = (
        f"{row.source} or what feeds it is not as it was trained: its output is far from its batch norm "
        f"(distance {row.score:.2f}, the layer before {before:.2f})"
    )
    return Cause("layer differs", row.layer, row.layer, sentence, evidence, 0.6, 1.0, ("original",))
