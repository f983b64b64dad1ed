"""Random float16 layers: the shapes of integer_layers with float16 weights, biases and limits."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import TensorType
from octavo.ops.base import IntegerOp
from octavo.ops.half import HalfAdd, HalfConv2D, HalfDepthwiseConv2D, HalfFullyConnected
from octavo.ops.half.rounding import DTYPE, random_halves, random_limits
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.elementwise import QAdd
from octavo.ops.integer.fully_connected import QFullyConnected
from tests.networks.integer_layers import Layer

__all__ = ["in_half"]

_FORMS: dict[type[IntegerOp], tuple[type[Any], tuple[int, ...]]] = {
    QAdd: (HalfAdd, ()),
    QConv2D: (HalfConv2D, (1, 2, 3, 0)),
    QDepthwiseConv2D: (HalfDepthwiseConv2D, (0, 1, 2, 3)),
    QFullyConnected: (HalfFullyConnected, (1, 0)),
}
"""The float16 form of an operator, and the order of its weights' axes."""


def in_half(rng: np.random.Generator, layer: Layer) -> Layer:
    """The layer with float16 activations and constants."""
    op, moving, constants, shape = layer
    form, order = _FORMS[type(op)]
    low, high = random_limits(rng)
    given = asdict(op) | {"act_min": low, "act_max": high}
    made = form(**{field.name: given[field.name] for field in fields(form)})
    types = [TensorType(type_.shape, DTYPE) for type_ in moving]
    return made, types, _constants(rng, constants, order), shape


def _constants(rng: np.random.Generator, constants: Any, order: tuple[int, ...]) -> list[NDArray[np.generic]]:
    """Weights and bias, where there are some."""
    if not len(constants):
        return []
    weights, bias, *_ = constants
    shape = [weights.shape[axis] for axis in order]
    return [random_halves(rng, shape), random_halves(rng, bias.shape) + np.float16(0)]
