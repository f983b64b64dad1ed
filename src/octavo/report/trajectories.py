"""Plots with a line for each of many layers: the few that matter most in colour, the others grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.report.chart import COLOURS, Plot, Series

__all__ = ["trajectories"]

BANDS = 2
Matrix = NDArray[np.float64]


def trajectories(
    title: str, across: str, up: str, names: Sequence[str], x: NDArray[np.float64], y: Matrix, bad: NDArray[np.float64],
    bands: tuple[Matrix, Matrix] | None = None,
) -> Plot:  # fmt: skip
    """``y`` [lines, points] over whole numbers ``x``; the worst by ``bad`` [lines] are named.

    The worst two are shown with their ``bands``: more would cover each other.
    """
    order = np.argsort(-bad, kind="stable")
    worst, rest = sorted(order[:COLOURS]), sorted(order[COLOURS:])
    edges = {} if bands is None else {at: (bands[0][at], bands[1][at]) for at in order[:BANDS]}
    series = [Series(names[at], x, y[at], band=edges.get(at)) for at in worst]
    others = [Series(names[at], x, y[at]) for at in rest]
    return Plot(title, across, up, series, others=others, whole=True)
