"""Fine-tuning as a step of the pipeline: samples are split, every epoch is judged in integers, the trail tells."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.pipeline.faithful import faithfulness
from octavo.pipeline.measure import measure, reference_outputs
from octavo.pipeline.rung import Stage
from octavo.pipeline.samples import Samples
from octavo.train import Recipe, finetune

__all__ = ["finetuned", "hold_out"]

_SHARE = 0.1
_FEWEST = 20


def hold_out(samples: Samples, seed: int) -> tuple[Samples, Samples]:
    """Nine tenths to train on, one tenth that judges the epochs; OctavoError when that would be too few."""
    count = len(samples)
    judging = round(_SHARE * count)
    if judging < _FEWEST:
        raise OctavoError(
            f"{count} samples",
            f"leave {judging} of them to judge by",
            f"Give {round(_FEWEST / _SHARE)} or more, or samples of their own for the evaluation.",
        )
    order = np.random.default_rng((seed, count)).permutation(count)
    return samples.take(np.sort(order[judging:])), samples.take(np.sort(order[:judging]))


def finetuned(
    quantized: Quantized,
    training: Samples,
    held: Samples,
    teacher: Graph | None,
    recipe: Recipe,
    stage: Stage,
    checkpoint: Path | None = None,
) -> Quantized:
    """Train on some samples and keep the epoch whose integers are best on others.

    ``held`` judge by accuracy if they have labels, else by agreement with the float network. The verdict's
    ``finetuning`` holds a row for each epoch and says which was kept; docs/training.md has all its keys.
    """
    reference = reference_outputs(quantized.graph, held)

    def judge(network: Quantized) -> float:
        stage("validating in integers", 0, None)
        found = measure(network, held, reference, exact=True)
        return found.agreement if found.accuracy is None else found.accuracy

    def progress(step: int, steps: int, loss: float) -> None:
        stage(f"fine-tuning, loss {loss:.4f}", step, steps)

    done = finetune(
        quantized, training.inputs, training.labels, teacher, recipe, judge, progress, checkpoint, _identity(held)
    )
    story = {
        "judged_by": len(held),
        "score": "agreement" if held.labels is None else "accuracy",
        "float_accuracy": _accuracy(reference, held.labels),
        "before": done.start,
        "epochs": [asdict(epoch) for epoch in done.epochs],
        "kept": done.best,
        "simulation": asdict(faithfulness(done.quantized, held)) if done.best else None,
        "history": done.history.row(quantized.graph, recipe),
    }
    # What was measured is another network when an epoch is kept; the rung is the one that training began with.
    earlier = quantized.plan.verdict
    known = earlier if done.best == 0 else {key: earlier[key] for key in ("rung",) if key in earlier}
    verdict = {**known, "finetuning": story}
    notes = done.quantized.plan.notes
    if done.best == 0:
        notes = (*notes, "fine-tuning brought nothing: the network is the one before it")
    return done.quantized.with_(verdict=verdict, notes=notes)


def _accuracy(outputs: Array, labels: Array | None) -> float | None:
    if labels is None:
        return None
    return float((outputs.reshape(len(outputs), -1).argmax(1) == labels).mean())


def _identity(samples: Samples) -> str:
    """A digest of samples."""
    digest = hashlib.sha256()
    labels = {} if samples.labels is None else {"labels": samples.labels}
    for name, array in sorted({**samples.inputs, **labels}.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
