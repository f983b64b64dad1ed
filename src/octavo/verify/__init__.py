"""A run on the device against the integers in Python, value by value, while the device stands still between layers."""

from octavo.verify.folder import random_inputs, verify_build, write_firmware
from octavo.verify.result import Cause, Divergence, Layer, Verification

__all__ = ["Cause", "Divergence", "Layer", "Verification", "random_inputs", "verify_build", "write_firmware"]
