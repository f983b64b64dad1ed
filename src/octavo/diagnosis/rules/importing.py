"""The imported network is not the file's."""

from __future__ import annotations

from octavo.diagnosis.facts import FloatFacts
from octavo.diagnosis.result import Cause

__all__ = ["importing"]


def importing(facts: FloatFacts) -> Cause | None:
    """The file's own executor gives other values: everything behind would measure a wrong network.

    Float rounding in another order leaves 100 dB or so; less than 60 is another function. Of a float .tflite with int8
    weights LiteRT rounds activations, too: there 35 dB are enough.
    """
    fork = facts.imported
    if fork.passed is not False:
        return None
    return Cause(
        "import",
        "",
        facts.case.graph.outputs[0],
        f"the imported network computes something else than the model file ({fork.answer.removeprefix('no: ')})",
        fork.facts,
        1.0,
        1.0,
        ("report",),
    )
