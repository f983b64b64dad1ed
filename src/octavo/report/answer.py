"""What the network is, what it needs and how good it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from octavo.ir.plan import Quantized
from octavo.report.blocks import Facts, Section
from octavo.report.layers import weight_of
from octavo.report.words import count, numbers, part, share

__all__ = ["answer"]

Rows = list[tuple[str, str]]


def answer(manifest: Mapping[str, Any], quantized: Quantized) -> Section:
    """The facts that one looks for first."""
    streaming = manifest.get("streaming")
    flash = int(streaming["flash_bytes"] if streaming else manifest["model_bytes"])
    rows = [
        ("Network", str(manifest["name"])),
        ("Target", str(manifest["target"])),
        ("Weights", _formats(quantized)),
        ("Activations", _dtypes(quantized)),
        *_quality(quantized.plan.verdict),
        ("RAM: arena", part(int(manifest["arena_bytes"]), int(manifest["ram_bytes"]))),
        ("Flash: constants", part(flash, int(manifest["flash_bytes"]))),
        ("Multiply-accumulates", count(manifest["macs"])),
        ("Optimized for", str(manifest["optimize"])),
    ]
    return Section("answer", "In short", [Facts(rows)])


def _quality(verdict: Mapping[str, Any]) -> Rows:
    """Float beside integer, on the samples that tell it."""
    tuned = verdict.get("finetuning")
    if tuned is not None and tuned["kept"]:
        judges = f"{tuned['judged_by']:,} samples, by which the epoch was chosen"
        score = share(tuned["epochs"][tuned["kept"] - 1]["score"])
        if tuned["float_accuracy"] is None:
            return [("Agreement with float", f"{score} of {judges}")]
        return [
            ("Accuracy, float", share(tuned["float_accuracy"])),
            ("Accuracy, integers", f"{score} of {judges}"),
        ]
    report = verdict.get("report")
    if report is None:
        return [("Accuracy", "not measured here; octavo eval does")]
    rows: Rows = []
    seen = f"{report['samples']:,} samples that no rung has seen"
    if report["accuracy"] is not None:
        rows += [("Accuracy, float", share(report["float_accuracy"]))]
        rows += [("Accuracy, integers", f"{share(report['accuracy'])} of {seen}")]
    if report["agreement"] is not None:
        rows.append(("Agreement with float", f"{share(report['agreement'])} of {seen}"))
    if report["drop_95"] is not None:
        low, high = report["drop_95"]
        rows.append(("Drop", f"{report['drop']:.2f} points (95 %: {low:.2f} to {high:.2f})"))
    if "max_drop" in verdict:
        met = {True: ", met", False: ", missed"}.get(verdict.get("met"), "")  # type: ignore[arg-type]
        rows.append(("Allowed drop", f"{verdict['max_drop']:g} points{met}"))
    sqnr = report["sqnr_db"]
    return [*rows, ("SQNR", "no noise" if sqnr is None else f"{sqnr:.1f} dB")]


def _formats(quantized: Quantized) -> str:
    found = (weight_of(quantized, node) for node in quantized.graph.nodes)
    return _counted((numbers(encoding) for encoding in found if encoding is not None), "layers")


def _dtypes(quantized: Quantized) -> str:
    qparams = quantized.plan.qparams
    return _counted((numbers(qparams[value]) for value in quantized.graph.activations()), "values")


def _counted(words: Iterable[str], what: str) -> str:
    """One word, or each with how often it occurs."""
    found = Counter(words).most_common()
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{word} ({times} {what})" for word, times in found) or "none"
