"""The remedies for quantizers: what each would make of the network, in the order of what it costs on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from octavo.diagnosis.case import Case
from octavo.diagnosis.facts import QuantizedFacts
from octavo.ir.plan import Quantized
from octavo.num.formats import FORMATS
from octavo.pipeline.plain import Variants, user_order
from octavo.pipeline.rung import silent
from octavo.quant.correct import correct_bias
from octavo.quant.quantize import Scheme, quantize_graph, quantize_observed
from octavo.quant.rounding import least_squares_rounding
from octavo.quant.rounding.least_squares import compensated

__all__ = ["Trial", "trials"]

_LAYERS = 3
_RANGES = ("mse", "minmax", "percentile")
_WEIGHT_RANGES = ("mse", "minmax")


@dataclass(frozen=True)
class Trial:
    """A remedy that is tried by making another Quantized."""

    kind: str
    sentence: str
    command: str
    python: str
    make: Callable[[], Quantized]


def trials(facts: QuantizedFacts) -> Iterator[Trial]:
    """Every remedy that the scheme leaves open. float16 has no scales and no levels: only other formats."""
    if facts.case.scheme.format.weights.kind != "float16":
        yield from _equalizations(facts)
        yield from _ranges(facts)
        yield from _corrections(facts)
        yield from _granularity(facts)
        yield from _bits(facts)
    yield from _formats(facts)


def _keyword(**given: object) -> str:
    """The call with other keywords."""
    return f"octavo.quantize(graph, samples, {', '.join(f'{key}={value!r}' for key, value in given.items())})"


def _equalizations(facts: QuantizedFacts) -> Iterator[Trial]:
    case = facts.case
    variants = Variants(case.graph, case.calibration, case.scheme, case.target.name, silent)

    def make(kind: str) -> Quantized:
        return next(variants.rungs((kind,))).quantized

    for kind, how in (("weights", "weight ranges"), ("balance", "expected noise")):
        if kind != case.equalization:
            sentence = f"equalize channels between layers, by {how}"
            call = _keyword(equalization=kind)
            yield Trial("equalization", sentence, f"--equalization {kind}", call, partial(make, kind))


def _again(facts: QuantizedFacts, scheme: Scheme) -> Quantized:
    """The same graph and samples by another scheme without other regions."""
    return quantize_observed(facts.quantized.graph, facts.seen, scheme, facts.case.target.name)


def _ranges(facts: QuantizedFacts) -> Iterator[Trial]:
    scheme = facts.case.scheme
    for method in _RANGES:
        if method != scheme.ranges:
            sentence, call = f"choose the ranges of activations by {method}", _keyword(ranges=method)
            other = replace(scheme, ranges=method)
            yield Trial("ranges", sentence, f"--ranges {method}", call, partial(_again, facts, other))
    for method in _WEIGHT_RANGES:
        if method != scheme.weight_ranges and scheme.format.weights.kind == "uniform":
            sentence, call = f"choose the ranges of weights by {method}", _keyword(weight_ranges=method)
            other = replace(scheme, weight_ranges=method)
            yield Trial("weight ranges", sentence, f"--weight-ranges {method}", call, partial(_again, facts, other))


def _corrections(facts: QuantizedFacts) -> Iterator[Trial]:
    samples = user_order(facts.quantized.graph, dict(facts.case.calibration.inputs))
    yield Trial(
        "bias correction",
        "correct the biases by what the samples show",
        "octavo compile MODEL --calibration DATA (it corrects where that helps)",
        "octavo.quant.correct.correct_bias(qgraph, samples)",
        partial(correct_bias, facts.quantized, samples),
    )
    settings = compensated(facts.case.scheme.format.weights.bits)
    yield Trial(
        "learned rounding",
        "round the weights by least squares",
        "--max-drop 0.5",
        _keyword(max_drop=0.5),
        partial(least_squares_rounding, facts.quantized, samples, settings),
    )


def _granularity(facts: QuantizedFacts) -> Iterator[Trial]:
    scheme = facts.case.scheme
    if all(f.granularity != "per-tensor" for f in (scheme.format.weights, *scheme.layers.values())):
        return
    layers = {name: replace(format, granularity="per-channel") for name, format in scheme.layers.items()}
    other = replace(scheme, format=scheme.format.with_weights("per-channel"), layers=layers)
    call = _keyword(granularity="per-channel")
    yield Trial(
        "per-channel",
        "give each output channel of the weights its own scale",
        "--granularity per-channel",
        call,
        partial(_again, facts, other),
    )


def _bits(facts: QuantizedFacts) -> Iterator[Trial]:
    """More bits for the layers that lose most: 8 for narrow weights, 16 for activations."""
    case, scheme = facts.case, facts.case.scheme
    nodes = {node.name: node for node in case.graph.nodes}
    weights = [row.layer for row in facts.of("weights") if row.layer in nodes]
    few = [name for name in weights if scheme.weights(nodes[name]).bits < 8][:_LAYERS]
    if few:
        whole = {
            name: replace(scheme.weights(nodes[name]), kind="uniform", bits=8, granularity="per-channel")
            for name in few
        }
        make = partial(_calibrated, case, replace(scheme, layers={**scheme.layers, **whole}))
        yield _of_layers("more bits", "8-bit weights", few, "int8", make)
    wide = list(dict.fromkeys(row.layer for row in facts.of("activation") if row.layer in nodes))[:_LAYERS]
    if wide and "16x8" in case.target.formats and scheme.format.activations.dtype == "int8":
        make = partial(_calibrated, case, replace(scheme, wide=scheme.wide | set(wide)))
        yield _of_layers("16-bit layers", "16-bit activations", wide, "16x8", make)


def _of_layers(kind: str, what: str, names: Sequence[str], choice: str, make: Callable[[], Quantized]) -> Trial:
    """A choice for some layers, which the command line reads from a configuration file."""
    table = ", ".join(f'"{name}" = "{choice}"' for name in names)
    call = _keyword(layers=dict.fromkeys(names, choice))
    return Trial(kind, f"give {', '.join(names)} {what}", f"--config FILE with [layers] {table}", call, make)


def _formats(facts: QuantizedFacts) -> Iterator[Trial]:
    """The formats that the user named, or 16x8, which has the same weights."""
    case, scheme = facts.case, facts.case.scheme
    own = scheme.format.weights.granularity
    for format in case.formats or (FORMATS["16x8"],):
        if format.name not in case.target.formats or format.name == scheme.format.name:
            continue
        kept = own if format.weights.kind == "uniform" and own != "per-group" else None
        other = replace(scheme, format=format.with_weights(kept), layers={}, wide=frozenset())
        call = _keyword(format=format.name)
        sentence = f"take the format {format.name}"
        yield Trial(format.name, sentence, f"--format {format.name}", call, partial(_calibrated, case, other))


def _calibrated(case: Case, scheme: Scheme) -> Quantized:
    """Calibrated again, where the graph gets other regions or another format."""
    batches = (user_order(case.graph, batch) for batch in case.calibration.batches())
    return quantize_graph(case.graph, batches, scheme, target=case.target.name)
