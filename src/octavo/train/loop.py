"""A training loop for those who have none of their own: epochs over arrays, judged in integers, resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized, graph_digest
from octavo.ops import Softmax
from octavo.quant.rounding.checkpoint import Checkpoint
from octavo.run.float_run import check_inputs
from octavo.train.checkpoint import resume, save
from octavo.train.distill import Teacher, feature_loss, logit_loss
from octavo.train.history import History
from octavo.train.module import Trainable, trainable
from octavo.train.oscillation import Oscillations, dampening
from octavo.train.processes import average_gradients, from_first, is_first, mean_of, part_of
from octavo.train.recipe import DEFAULT, Recipe
from octavo.train.state import Epoch, State

__all__ = ["Finetuned", "finetune"]

_SAVE_EVERY = 200

Judge = Callable[[Quantized], float]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Finetuned:
    """The best network, by score or the last one, and the way there; ``start`` is the score before training.

    ``history`` has the loss over steps, and scales and oscillations layer by layer.
    """

    quantized: Quantized
    start: float
    epochs: tuple[Epoch, ...]
    best: int
    history: History


def finetune(
    quantized: Quantized,
    inputs: Mapping[str, Array],
    labels: Array | None = None,
    teacher: Graph | None = None,
    recipe: Recipe = DEFAULT,
    judge: Judge | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    judged_by: str = "",
) -> Finetuned:
    """Train a quantized network with its quantizers in the loop; the integers of the best epoch come back.

    ``inputs`` are float arrays [N, ...] by name in the graph's axis order. With ``labels`` int [N] the loss is cross
    entropy, with a ``teacher`` (the float network; no labels needed) its outputs' divergence, with both their sum.
    ``judge`` gives a network's score, larger is better; the last epoch counts without. ``judged_by`` says what it
    judges by, so that a checkpoint is for the same. ``progress(step, steps, loss)``. Of a network that ends in a
    Softmax the loss sees what goes into it.

    ``checkpoint`` is a file that is written as training goes on, from which the same call goes on: to the same weights,
    bit for bit. The caller removes it. Processes of one ``torch.distributed`` group that all call this share every
    batch; the first judges and writes the checkpoint, and all return the same. The same arguments give the same
    integers on one machine with one number of threads and processes. Raises OctavoError when there is neither label nor
    teacher, or when the loss is not finite.
    """
    if labels is None and teacher is None:
        raise OctavoError("finetune", "has nothing to learn from", "Give labels, or a teacher.")
    count = check_inputs(quantized.graph, inputs)
    _check_labels(quantized.graph, labels, count)
    each = max(1, count // recipe.batch)
    state = _begin(quantized, recipe, each)
    known = dict(inputs) if labels is None else {**inputs, "labels": np.asarray(labels)}
    work = repr((recipe, None if teacher is None else graph_digest(teacher), judged_by))
    saved = None if checkpoint is None else Checkpoint.of(checkpoint, quantized, known, work)
    if saved is None or not resume(saved, state, each):
        state.start = _score(judge, quantized)
    scores = _rivals(state)
    loss_of = _Loss(state.module, teacher, recipe)
    for number in range(len(state.epochs), recipe.epochs):
        if state.module.settled and _given_up(scores, recipe.patience):
            break
        _pass(state, inputs, labels, loss_of, recipe, number, each, progress, saved)
        _judge(state, each, judge)
        scores.append(state.epochs[-1].score)
        _keep(saved, state)
    return Finetuned(state.quantized, state.start, tuple(state.epochs), state.best, state.history)


def _begin(quantized: Quantized, recipe: Recipe, each: int) -> State:
    module = trainable(
        quantized,
        recipe.batch_norm,
        recipe.learn_scales,
        recipe.learn_zero_points,
        recipe.freeze,
        recipe.learn_bits,
        recipe.keep_bits,
    ).to(recipe.device)
    groups = module.parameter_groups(recipe.rate, recipe.weight_decay, recipe.bits_rate(each * recipe.epochs))
    optimizer = torch.optim.Adam([{**group, "peak": group["lr"]} for group in groups])
    oscillations = Oscillations(module, recipe.hold_oscillating).to(recipe.device)
    return State(module, optimizer, oscillations, quantized, History.of(module, each, recipe.epochs))


def _rivals(state: State) -> list[float]:
    """The scores to beat: the start's, unless it is over the budget of bits, and those of the epochs so far."""
    start = state.start if state.module.starts_within_budget else -math.inf
    return [start, *(epoch.score for epoch in state.epochs)]


def _given_up(scores: list[float], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought nothing."""
    if patience is None or len(scores) <= patience or any(map(math.isnan, scores)):
        return False
    return max(scores[-patience:]) <= max(scores[:-patience])


def _check_labels(graph: Graph, labels: Array | None, count: int) -> None:
    if labels is None:
        return
    given, classes = np.asarray(labels), graph.types[graph.outputs[0]].size
    if given.shape != (count,) or given.dtype.kind not in "iu":
        raise OctavoError(
            "labels", f"are {given.dtype}{list(given.shape)} for {count} samples", "Give one integer each."
        )
    if given.min() < 0 or given.max() >= classes:
        raise OctavoError("labels", f"are not in 0 to {classes - 1}", "Number the classes as the network does.")


def _logits(graph: Graph) -> str:
    """The first output, or what a Softmax makes it of."""
    made = graph.producers().get(graph.outputs[0])
    return made.inputs[0] if made is not None and isinstance(made.op, Softmax) else graph.outputs[0]


@dataclass(frozen=True, eq=False)
class _Loss:
    """The loss of a batch."""

    module: Trainable
    teacher: Graph | None
    recipe: Recipe

    def __call__(self, inputs: Mapping[str, torch.Tensor], labels: torch.Tensor | None) -> torch.Tensor:
        recipe, module, teacher = self.recipe, self.module, self.teacher
        features = module.feature_names() if recipe.features and teacher is not None else ()
        logits = _logits(module.graph)
        _, inside = module.run(inputs, {*features, logits})
        terms = []
        if labels is not None:
            terms.append(nn.functional.cross_entropy(inside[logits].flatten(1), labels))
        if teacher is not None:
            wanted = _logits(teacher)
            _, known = Teacher(teacher, (*features, wanted))(inputs)
            terms.append(logit_loss(inside[logits], known[wanted], recipe.temperature))
            if features:
                terms.append(recipe.features * feature_loss(inside, {name: known[name] for name in features}))
        if recipe.learn_bits is not None:
            terms.append(module.size_penalty())
        if recipe.dampen:
            terms.append(recipe.dampen * dampening(module))
        return torch.stack(terms).sum()


def _pass(
    state: State,
    inputs: Mapping[str, Array],
    labels: Array | None,
    loss_of: _Loss,
    recipe: Recipe,
    number: int,
    each: int,
    progress: Progress | None,
    saved: Checkpoint | None,
) -> None:
    """One pass over the data, or what is left of it."""
    started = time.monotonic()
    for done, at in enumerate(_batches(len(next(iter(inputs.values()))), recipe, number), number * each):
        if done < state.step:
            continue
        loss = _step(state, inputs, labels, loss_of, recipe, at, each * recipe.epochs)
        state.total += loss
        state.history.add_loss(loss)
        if progress is not None:
            progress(state.step, each * recipe.epochs, state.total / (state.step - number * each))
        if state.step % _SAVE_EVERY == 0:
            _keep(saved, state)
    state.seconds += time.monotonic() - started


def _judge(state: State, each: int, judge: Judge | None) -> None:
    """Ends an epoch: the network as integers, its score, and whether it is the best."""
    found = state.module.eval().finish()
    score = _score(judge, found)
    if judge is None or score > max(_rivals(state)):
        state.quantized, state.best = found, len(state.epochs) + 1
    oscillating = float(np.mean(state.oscillations.shares()))
    state.epochs.append(Epoch(state.total / each, score, oscillating, state.seconds))
    state.history.add_epoch(state.module, state.oscillations)
    state.total = state.seconds = 0.0


def _score(judge: Judge | None, network: Quantized) -> float:
    """What the first process judges; nan unjudged."""
    if judge is None:
        return math.nan
    return from_first(judge(network) if is_first() else math.nan)


def _keep(saved: Checkpoint | None, state: State) -> None:
    """Write the checkpoint, if there is one to write; only the first process does."""
    if saved is not None and is_first():
        save(saved, state)


def _batches(count: int, recipe: Recipe, epoch: int) -> Iterator[Array]:
    """Places of samples in an order that epoch and seed decide; what does not fill a batch is left out."""
    size = min(recipe.batch, count)
    order = np.random.default_rng((recipe.seed, epoch)).permutation(count)
    yield from order[: count // size * size].reshape(-1, size)


def _step(
    state: State,
    inputs: Mapping[str, Array],
    labels: Array | None,
    loss_of: _Loss,
    recipe: Recipe,
    at: Array,
    steps: int,
) -> float:
    """One step of the optimizer; its loss."""
    state.module.train()
    at = part_of(at)
    if recipe.freeze_after is not None and state.step >= recipe.freeze_after:
        state.module.freeze_batch_norm()
    if state.step >= recipe.settle * steps:
        state.module.settle_bits()
    batch = {name: torch.from_numpy(np.ascontiguousarray(x[at])).to(recipe.device) for name, x in inputs.items()}
    wanted = None if labels is None else torch.from_numpy(np.asarray(labels[at], np.int64)).to(recipe.device)
    share = recipe.share(state.step, steps)
    for group in state.optimizer.param_groups:
        group["lr"] = group["peak"] * share
    loss = loss_of(batch, wanted)
    value = mean_of(float(loss.detach()))
    if not math.isfinite(value):
        raise OctavoError(
            f"step {state.step + 1}", f"the loss is {value}", "Lower the rate, or check the training data."
        )
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    average_gradients(state.module.parameters())
    state.optimizer.step()
    state.oscillations.update(state.module)
    state.step += 1
    return value
