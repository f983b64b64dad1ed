"""Octavo: quantization-aware training."""

from octavo.train.module import Trainable, trainable

__all__ = ["Trainable", "trainable"]
