"""4-bit weights as csrc/dsp/nibbles.h reads them: two taps of four channels in a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.dsp.words import lane_words, records
from octavo.kernels.finish import Finish
from octavo.kernels.nibbles import fits_a_nibble

__all__ = ["EXACT_NIBBLES", "nibble_records", "nibble_words", "nibbles_are_exact"]

EXACT_NIBBLES = 2**19
"""The first channel's sums of products must stay below this, so that they can be told from the others'."""

_FIELDS = 2**23
"""And sums of the others' weights plus 8 below this."""

_PLACES = (4096, 256, 16, 1)


def nibbles_are_exact(weights: NDArray[np.int64]) -> bool:
    """Whether weights [O, taps] have four bits, and all sums of their fields are exact."""
    return fits_a_nibble(weights) and 128 * int((weights + 8).sum(axis=1).max(initial=0)) < _FIELDS


def nibble_words(weights: NDArray[np.int64], fours: bool) -> NDArray[np.int32]:
    """Words [groups, ...] of weights [O, ..., taps], taps a multiple of 4; ``fours`` as in pack_words."""
    missing = -len(weights) % 4
    padded = np.concatenate([weights, np.zeros((missing, *weights.shape[1:]), np.int64)])
    groups = padded.reshape(-1, 4, *weights.shape[1:])
    lanes = sum(place * (groups[:, i] + 8 * (i > 0)) for i, place in enumerate(_PLACES))
    return lane_words(np.asarray(lanes), fours).reshape(len(groups), -1)


def nibble_records(finish: Finish) -> NDArray[np.int32]:
    """[groups, 10]: the records of each group's two pairs; a pair that fills the last group is never read."""
    pairs = records(finish)
    return np.pad(pairs, ((0, len(pairs) % 2), (0, 0))).reshape(-1, 2 * pairs.shape[1])
