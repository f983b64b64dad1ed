"""The debugging flow: float network, samples, weights or activations, which tensor, why, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from octavo.diagnosis.case import Case, affordable
from octavo.diagnosis.cures import cures
from octavo.diagnosis.facts import FloatFacts, QuantizedFacts
from octavo.diagnosis.forks import drop_said, float_forks, loses, quantized_forks
from octavo.diagnosis.inputs import readings, variants
from octavo.diagnosis.moments import fits
from octavo.diagnosis.original import imported
from octavo.diagnosis.reference import compared
from octavo.diagnosis.remedies import FINE_TUNING, quantized_remedies, ranked
from octavo.diagnosis.repairs import everywhere, repairs
from octavo.diagnosis.result import Cause, Culprit, Diagnosis, Remedy
from octavo.diagnosis.rules import FLOAT, QUANTIZED
from octavo.diagnosis.rules.statistics import suspected
from octavo.diagnosis.score import Quality, logits_of, partial, quality_of
from octavo.diagnosis.sweep import sweep, trace
from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.lower.lower import lower
from octavo.pipeline.plain import Variants, user_order
from octavo.quant.observe import observe
from octavo.quant.simulate import real_constants

__all__ = ["diagnosed"]

_FIT_WORK = 6e9
_SURE = 0.8
_LISTED = 40


def diagnosed(
    case: Case, model: Any, reference: Graph | None, settings: dict[str, Any], notes: Sequence[str]
) -> Diagnosis:
    """Walk the flow; it ends early where the float network or the samples are wrong for sure."""
    float_facts = _of_float(case, model, reference)
    forks = list(float_forks(float_facts))
    found = [cause for rule in FLOAT if (cause := rule(float_facts)) is not None]
    logits = logits_of(case.graph, case.logits, case.judge)
    own = quality_of(logits, logits, case.judge.labels)
    if found and found[0].confidence >= _SURE:
        remedies = ranked(cures(float_facts, found[0]), found[0])
        answer = _answer(found[0], remedies, None)
        return Diagnosis(
            answer, settings, {"float_accuracy": own.accuracy}, tuple(forks), causes=tuple(found),
            remedies=tuple(remedies), notes=(*notes, "the float network is wrong: nothing behind it was measured"),
        )  # fmt: skip
    facts, equalized = _of_quantized(case, logits)
    forks += quantized_forks(facts)
    causes = [cause for rule in QUANTIZED if (cause := rule(facts)) is not None]
    causes.sort(key=lambda cause: -cause.share * cause.confidence)
    causes = [*found, *causes]
    main = causes[0] if causes else None
    tried = [r for cause in found[:1] for r in cures(float_facts, cause)]
    tried += quantized_remedies(facts, causes, logits)
    remedies = [*ranked(tried, main), FINE_TUNING]
    measured = {"float_accuracy": own.accuracy, **facts.full.row()}
    along = tuple(trace(case, facts.quantized))
    return Diagnosis(
        _answer(main, remedies, facts.full, len(case.judge)),
        settings,
        measured,
        tuple(forks),
        facts.culprits[:_LISTED],
        tuple(causes),
        tuple(remedies),
        along,
        (*notes, *equalized),
    )


def _of_float(case: Case, model: Any, reference: Graph | None) -> FloatFacts:
    graph, judge = case.graph, case.judge
    case.stage("running the original", 0, None)
    fork = imported(model, graph, judge)
    if fork.passed is False:
        return FloatFacts(case, fork)
    divergence = None
    if reference is not None:
        case.stage("comparing with the reference", 0, None)
        divergence = compared(graph, reference, judge)
        if divergence.differences or divergence.unpaired:
            return FloatFacts(case, fork, reference, divergence)
    tried = variants(graph, judge)
    read = readings(case, tried) if tried else []
    facts = FloatFacts(case, fork, reference, divergence, tuple(read), {variant.name: variant for variant in tried})
    if not graph.moments:
        return facts
    case.stage("comparing layers with their batch norms", 0, None)
    few = judge.take(np.arange(min(len(judge), affordable(graph, _FIT_WORK, 8, 64))))
    rows = fits(graph, few)
    suspect, mends = suspected([row.score for row in rows]), everywhere(graph, few)
    if suspect is not None and not mends:
        mends = repairs(graph, few, rows, suspect)
    return FloatFacts(
        case, fork, reference, divergence, facts.readings, facts.variants, tuple(rows), suspect, tuple(mends)
    )


def _of_quantized(case: Case, logits: Array) -> tuple[QuantizedFacts, tuple[str, ...]]:
    """Quantize as the user would, then with some quantizers only."""
    variants = Variants(case.graph, case.calibration, case.scheme, case.target.name, case.stage)
    rung = next(iter(variants.rungs((case.equalization,))))
    quantized, seen, graph = rung.quantized, rung.seen, rung.quantized.graph
    assert seen is not None
    tested = seen
    if case.fresh:
        tested = observe(graph, (user_order(graph, batch) for batch in case.judge.batches()))
    refused = ""
    try:
        lower(quantized)
    except OctavoError as error:
        refused = f"{error.where}: {error.why}"
    case.stage("weights alone, activations alone", 0, None)
    constants = real_constants(quantized)
    activations = set(graph.activations())

    def only(names: set[str]) -> Quality:
        tap = partial(quantized, names, constants)
        return quality_of(logits, logits_of(graph, case.logits, case.judge, tap), case.judge.labels)

    full, weights, moving = only(activations | set(graph.consts)), only(set(graph.consts)), only(activations)
    culprits: list[Culprit] = sweep(case, quantized)
    return QuantizedFacts(case, quantized, seen, tested, full, weights, moving, tuple(culprits), refused), rung.notes


def _answer(cause: Cause | None, remedies: Sequence[Remedy], full: Quality | None, samples: int = 0) -> str:
    """One sentence on the cause, one on the remedy."""
    healthy = full is not None and not loses(full)
    if cause is None or (healthy and full is not None and cause.share < 1):
        assert full is not None
        chance = "" if full.drop is None or full.drop <= 0 else f"which {samples} samples cannot tell from chance, "
        said = f"Nothing is wrong: {drop_said(full)}{chance}SQNR {full.sqnr_db:.1f} dB."
        hint = "" if cause is None else f" What noise there is: {cause.sentence}."
        return said + hint
    text = f"{cause.sentence[0].upper()}{cause.sentence[1:]}."
    best = remedies[0] if remedies else None
    if best is None:
        return text
    gains = [f"{best.gain_points:+.1f} points"] if best.gain_points is not None else []
    if best.gain_db is not None and np.isfinite(best.gain_db):
        gains.append(f"{best.gain_db:+.1f} dB")
    gained = f" ({', '.join(gains)})" if gains else ""
    return f"{text} Remedy: {best.sentence}{gained}."
