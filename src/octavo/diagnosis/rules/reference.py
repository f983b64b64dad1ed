"""The network is not the one it was made from."""

from __future__ import annotations

from octavo.diagnosis.case import source_of
from octavo.diagnosis.facts import FloatFacts
from octavo.diagnosis.result import Cause

__all__ = ["reference"]

_NAMED = 8


def reference(facts: FloatFacts) -> Cause | None:
    """The first layer that gives other values for the reference's own inputs, and what is other in it.

    Values that differ only because of a layer before do not count: each node gets the reference's values. Where every
    pair agrees, the difference lies in nodes without a partner.
    """
    found = facts.divergence
    if found is None or (not found.differences and found.unpaired == 0):
        return None
    quality = found.quality
    if not found.differences:
        sentence = f"{found.unpaired} operators have no partner in the reference network, and the outputs differ"
        return Cause("layer differs", "", "", sentence, {"unpaired": found.unpaired}, 0.6, 1.0, ("original",))
    first = found.differences[0]
    others = [source_of(difference.node) for difference in found.differences[1:]]
    more = f" ({len(others)} more layers differ)" if others else ""
    agreement = "" if quality.agreement is None else f"; the networks agree on {quality.agreement:.0%} of the samples"
    evidence = {
        "output_sqnr_db": quality.sqnr_db,
        "agreement": quality.agreement,
        "layer_sqnr_db": first.sqnr_db,
        "layers": len(found.differences),
        "detail": first.detail,
    }
    return Cause(
        first.kind,
        first.node.name,
        first.node.outputs[0],
        f"{source_of(first.node)} is not the original's: {first.detail}{more}{agreement}",
        evidence,
        0.95,
        1.0,
        ("original",),
        tuple(others[:_NAMED]),
    )
