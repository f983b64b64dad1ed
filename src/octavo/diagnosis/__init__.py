"""Why a quantized network loses accuracy: the debugging flow of docs/diagnosis.md, walked by itself."""

from octavo.diagnosis.result import Cause, Culprit, Diagnosis, Fork, Remedy

__all__ = ["Cause", "Culprit", "Diagnosis", "Fork", "Remedy"]
