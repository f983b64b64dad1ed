"""The recommended pipeline, and the ladder that climbs until the allowed drop is met."""

from octavo.pipeline.ladder import climb
from octavo.pipeline.samples import Samples, gather, split, without_calibration

__all__ = ["Samples", "climb", "gather", "split", "without_calibration"]
