"""Rules: from measurements to causes. Each is one function that gives the cause it recognises, or None.

``FLOAT`` judge the float network and its samples, in the order in which one hides the next; ``QUANTIZED`` judge the
quantizers, and their causes are ranked by the part of the noise that would go away without them.
"""

from __future__ import annotations

from collections.abc import Callable

from octavo.diagnosis.facts import FloatFacts, QuantizedFacts
from octavo.diagnosis.result import Cause
from octavo.diagnosis.rules.accumulator import accumulator
from octavo.diagnosis.rules.activation_channels import activation_channels
from octavo.diagnosis.rules.bias import bias
from octavo.diagnosis.rules.calibration import calibration
from octavo.diagnosis.rules.clipping import clipping
from octavo.diagnosis.rules.dead_channels import dead_channels
from octavo.diagnosis.rules.few_bits import few_bits
from octavo.diagnosis.rules.importing import importing
from octavo.diagnosis.rules.outliers import outliers
from octavo.diagnosis.rules.precision import precision
from octavo.diagnosis.rules.preprocessing import preprocessing
from octavo.diagnosis.rules.reference import reference
from octavo.diagnosis.rules.statistics import statistics
from octavo.diagnosis.rules.weight_channels import weight_channels

__all__ = ["FLOAT", "QUANTIZED"]

FLOAT: tuple[Callable[[FloatFacts], Cause | None], ...] = (importing, reference, preprocessing, statistics)
QUANTIZED: tuple[Callable[[QuantizedFacts], Cause | None], ...] = (
    accumulator,
    calibration,
    bias,
    few_bits,
    weight_channels,
    activation_channels,
    outliers,
    clipping,
    dead_channels,
    precision,
)
