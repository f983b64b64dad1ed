"""What stands around the weights of each pair of channels in csrc/dsp/dot_s16.h."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.dsp.words import channels_in_pairs
from octavo.kernels.finish16 import Finish16

__all__ = ["biases", "scales"]


def biases(finish: Finish16) -> NDArray[np.int32]:
    """[pairs, 3]: what comes before the weights of each pair; a channel that fills the last pair is silent."""
    pairs = channels_in_pairs(finish.bias.astype(np.int64))
    mixed = np.ascontiguousarray(256 * pairs[:, 0] + pairs[:, 1], "<i8").view("<i4").reshape(-1, 2)
    return np.concatenate([mixed, pairs[:, 1:]], axis=1).astype(np.int32)


def scales(finish: Finish16) -> NDArray[np.int32]:
    """[pairs, 2]: what comes behind the weights of each pair."""
    return channels_in_pairs(finish.scale.astype(np.int64)).astype(np.int32)
