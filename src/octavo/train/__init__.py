"""Octavo: quantization-aware training."""

from octavo.train.distill import Teacher, feature_loss, logit_loss
from octavo.train.loop import Finetuned, finetune
from octavo.train.module import Trainable, trainable
from octavo.train.oscillation import Oscillations, dampening
from octavo.train.recipe import Recipe
from octavo.train.state import Epoch

__all__ = [
    "Epoch",
    "Finetuned",
    "Oscillations",
    "Recipe",
    "Teacher",
    "Trainable",
    "dampening",
    "feature_loss",
    "finetune",
    "logit_loss",
    "trainable",
]
