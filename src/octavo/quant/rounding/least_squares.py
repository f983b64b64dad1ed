"""Sequential least-squares rounding: each layer's weights are rounded so that its output keeps its values.

For a layer y = W x the error of rounded weights Q is sum |(W - Q) x|^2 = tr (W - Q) H (W - Q)^T with H = sum x x^T.
Columns are rounded one after the other, and the error of each is made good by those not yet rounded: the next columns
move by -e U_jk / U_jj, with U the upper Cholesky factor of H^-1 (Frantar et al. 2022, GPTQ; after LeCun et al. 1990,
Hassibi and Stork 1993). x is what the quantized layers before give, so that layers also see each other's errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.num.levels import Grouped, PowersOfTwo
from octavo.num.qparams import QParams
from octavo.ops.linear import least_scale
from octavo.quant.lockstep import Lockstep, fitting, memory_note
from octavo.quant.observe import Batch, as_inputs
from octavo.quant.rounding.levels import group_factors, nearest_level, scale_of
from octavo.quant.rounding.windows import Layout, learned_layout, refusals, sample_positions

__all__ = ["LeastSquares", "compensated", "least_squares_rounding"]

_BLOCK = 128
_LOW_BITS = 5
_MAX_ELEMENTS = 2**25


@dataclass(frozen=True)
class LeastSquares:
    """Settings. ``damping`` of the mean diagonal is added to H; off-diagonal elements shrink by width / (width + rows).

    ``compensate`` lets the weights also make good the error of their input (the target is W x_float, by ridge
    regression); see ``compensated``. ``rescale`` tries other scales first, weighted by H's diagonal.
    ``windows`` rows are drawn for each layer (at least 16 a column); ``max_bytes`` bounds stored activations by using
    fewer samples.
    """

    damping: float = 0.01
    compensate: bool = False
    rescale: bool = True
    windows: int = 16384
    max_bytes: int = 3 * 2**29
    seed: int = 0


def compensated(bits: int) -> LeastSquares:
    """The settings that make good the inputs' error, too, for weights of so many bits.

    At 4 bits it is large, at 8 it is small, and little damping would fit the samples' chance.
    """
    return LeastSquares(damping=0.3 if bits < _LOW_BITS else 3.0, compensate=True)


def least_squares_rounding(
    quantized: Quantized,
    data: Batch,
    settings: LeastSquares = LeastSquares(),
    progress: Callable[[int], None] | None = None,
) -> Quantized:
    """Round the weights of every convolution and fully connected layer by least squares, first layer first.

    ``data`` are samples [N, ...] as the network takes them. The bias absorbs the mean error that is left (empirical
    bias correction, Nagel et al. 2019). ``progress(1)`` is called after each node. The graph stays; integers, biases
    and, with ``rescale``, the weights' scales of the plan change; ``plan.reasons`` say which layers were left, and why.
    """
    graph = quantized.graph
    given = as_inputs(graph, data)
    inputs = fitting(graph, given, settings.max_bytes)
    state = _State(quantized, inputs)
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.inference_mode():
        for node in graph.nodes:
            layout = learned_layout(quantized, node)
            if layout is not None:
                state.round_layer(layout, settings, generator)
            state.advance(node)
            if progress is not None:
                progress(1)
    rounded, plan = state.quantized, state.quantized.plan
    notes = (*plan.notes, *memory_note("least-squares rounding", inputs, given))
    return rounded.with_(reasons={**plan.reasons, **refusals(quantized)}, notes=notes)


class _State(Lockstep):
    """A lockstep whose layers are rounded before they run."""

    def round_layer(self, layout: Layout, settings: LeastSquares, generator: torch.Generator) -> None:
        """Choose the integers, the bias and the scale of one layer."""
        node, plan, graph = layout.node, self.quantized.plan, self.quantized.graph
        source, name, bias_name = node.inputs[:3]
        weights = layout.matrix(torch.from_numpy(graph.consts[name].astype(np.float64)))
        statistics = _moments(layout, self.float[source], self.rounded[source], settings, generator)
        target = statistics.compensated(weights) if settings.compensate else weights
        encoding = plan.qparams[name]
        if settings.rescale:
            least = least_scale(self.quantized.bias(bias_name), plan.qparams[source])
            encoding = _rescaled(target, encoding, statistics.importance, layout, least)
        levels = _round_columns(target, encoding, statistics.hessian, layout)
        real = levels * scale_of(encoding, layout)
        shift = (weights @ statistics.mean_float[:, :, None] - real @ statistics.mean[:, :, None]).reshape(-1)
        bias = graph.consts[bias_name].astype(np.float64) + shift.numpy()
        integers = layout.weights(levels).numpy().astype(np.int8)
        moved = float(np.abs(bias - graph.consts[bias_name]).max())
        count = len(self.float[source])
        reasons = {
            name: f"rounded by least squares on {count} samples",
            bias_name: f"corrected by up to {moved:.3g}: what least-squares rounding leaves of the layer's mean",
        }
        self.quantized = self.quantized.with_(
            qparams={**plan.qparams, name: encoding},
            integers={**plan.integers, name: integers},
            biases={**plan.biases, bias_name: bias},
            reasons={**plan.reasons, **reasons},
        )


@dataclass(frozen=True)
class _Moments:
    """Second moments about the mean of a layer's input windows, [groups, width, width], and means [groups, width]."""

    hessian: torch.Tensor
    cross: torch.Tensor
    mean: torch.Tensor
    mean_float: torch.Tensor

    @property
    def importance(self) -> torch.Tensor:
        """[groups, 1, width]: H's diagonal."""
        return self.hessian.diagonal(dim1=1, dim2=2)[:, None, :]

    def compensated(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights on the rounded input that best repeat the float output: W C H^-1."""
        solved: torch.Tensor = torch.linalg.solve(self.hessian, (weights @ self.cross).transpose(1, 2))
        return solved.transpose(1, 2)


def _moments(
    layout: Layout, x_float: torch.Tensor, x: torch.Tensor, settings: LeastSquares, generator: torch.Generator
) -> _Moments:
    """Moments over drawn windows. The bias takes the means, so H is about the mean."""
    affordable = _MAX_ELEMENTS // (layout.groups * layout.width)
    wanted = max(min(settings.windows, affordable), 16 * layout.width)
    at = sample_positions(layout.positions(len(x)), wanted, generator)
    rows, rows_float = layout.rows(x, at), layout.rows(x_float, at)
    mean, mean_float = rows.double().mean(1), rows_float.double().mean(1)
    count = rows.shape[1]
    rows, rows_float = rows - mean[:, None, :].float(), rows_float - mean_float[:, None, :].float()
    hessian = (rows.transpose(1, 2) @ rows).double() / count
    cross = (rows_float.transpose(1, 2) @ rows).double() / count
    energy = hessian.diagonal(dim1=1, dim2=2).clamp_min(0)
    shrink = layout.width / (layout.width + count)
    added = settings.damping * energy.mean(1) + 1e-4 * energy.mean() + 1e-12
    prior = torch.diag_embed(shrink * energy + added[:, None])
    return _Moments((1 - shrink) * hessian + prior, (1 - shrink) * cross + prior, mean, mean_float)


def _rescaled(
    weights: torch.Tensor, encoding: QParams, importance: torch.Tensor, layout: Layout, least: Array
) -> QParams:
    """The scale, of multiples of the given one, with the least error weighted by ``importance``.

    A channel whose scale would fall below ``least`` (its bias would overflow) keeps the given one.
    """
    if isinstance(encoding.levels, Grouped):
        return encoding
    shifts_only = isinstance(encoding.levels, PowersOfTwo) or bool(np.all(np.frexp(encoding.scale)[0] == 0.5))
    steps = torch.exp2(torch.arange(-3.0, 3.0)) if shifts_only else torch.linspace(0.4, 1.25, 86)
    scale, nearest = scale_of(encoding, layout), nearest_level(encoding, None)
    errors = []
    for step in steps.double():
        error = (nearest(weights / (scale * step), 0) * (scale * step) - weights).square() * importance
        errors.append(error.sum().reshape(1, 1) if scale.numel() == 1 else error.sum(2))
    best = torch.stack(errors).argmin(0)
    chosen = scale.reshape(-1) * steps.double()[best].reshape(-1)
    floor = torch.from_numpy(least)
    usable = (chosen >= floor) if scale.numel() > 1 else chosen >= floor.max()
    usable &= weights.abs().amax(2).reshape(-1) > 0 if scale.numel() > 1 else torch.tensor([True])
    chosen = torch.where(usable, chosen, scale.reshape(-1))
    return replace(encoding, scale=chosen.numpy().astype(np.float32))


def _round_columns(weights: torch.Tensor, encoding: QParams, hessian: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Levels [groups, outputs, width]: columns of large energy first, each error spread over the columns to come."""
    order = torch.argsort(hessian.diagonal(dim1=1, dim2=2).mean(0), descending=True)
    scale = scale_of(encoding, layout)
    rest = (weights / scale)[:, :, order]
    factors = group_factors(encoding, layout)
    nearest = nearest_level(encoding, None if factors is None else factors[:, :, order])
    ordered = hessian[:, order][:, :, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(ordered))
    upper = torch.linalg.cholesky(inverse, upper=True)
    levels = torch.empty_like(rest)
    width = rest.shape[2]
    for start in range(0, width, _BLOCK):
        stop = min(start + _BLOCK, width)
        errors = torch.empty_like(rest[:, :, start:stop])
        for column in range(start, stop):
            levels[:, :, column] = nearest(rest[:, :, column], column)
            error = (rest[:, :, column] - levels[:, :, column]) / upper[:, column, column][:, None]
            rest[:, :, column + 1 : stop] -= error[:, :, None] * upper[:, None, column, column + 1 : stop]
            errors[:, :, column - start] = error
        rest[:, :, stop:] -= errors @ upper[:, start:stop, stop:]
    return levels[:, :, torch.argsort(order)]
