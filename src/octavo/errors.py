"""The one family of errors: every refusal names where it happened, why, and what to do."""

from __future__ import annotations

__all__ = ["OctavoError"]


class OctavoError(Exception):
    """A refusal that a user can act on.

    ``where`` names the file, node or option; ``why`` the reason; ``remedy`` what to do about it.
    """

    def __init__(self, where: str, why: str, remedy: str) -> None:
        super().__init__(f"{where}: {why}. {remedy}")
        self.where = where
        self.why = why
        self.remedy = remedy
