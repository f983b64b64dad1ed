"""The report of a compiled folder: its sections in their order, as one HTML file."""

from __future__ import annotations

from octavo.build import Build
from octavo.errors import OctavoError
from octavo.report.answer import answer
from octavo.report.blocks import Section
from octavo.report.layers import layers
from octavo.report.memory import memory
from octavo.report.notes import notes
from octavo.report.page import page
from octavo.report.training import training
from octavo.report.tried import tried
from octavo.timeline import arena_picture

__all__ = ["report_page"]


def report_page(build: Build) -> str:
    """The report as HTML: the same folder gives the same text. OctavoError when its records make no sense."""
    manifest = build.manifest
    try:
        title = f"{manifest['name']} for {manifest['target']}"
        return page(title, _sections(build), f"Octavo {manifest['octavo']}")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        where, why = str(build.folder), f"was written by another version of Octavo ({type(error).__name__}: {error})"
        raise OctavoError(where, why, "Compile the model again.") from error


def _sections(build: Build) -> list[Section]:
    """What there is to say of a folder."""
    manifest, quantized = build.manifest, build.quantized
    found = (
        answer(manifest, quantized),
        tried(quantized.plan),
        layers(manifest, quantized),
        memory(manifest, arena_picture(build)),
        notes(manifest, quantized.plan),
        training(quantized.plan.verdict),
    )
    return [section for section in found if section is not None]
