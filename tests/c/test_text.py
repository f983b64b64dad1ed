"""C text made from names in strangers' files."""

from __future__ import annotations

import pytest

from octavo.c.text import check_prefix, comment, identifiers
from octavo.errors import OctavoError


@pytest.mark.parametrize("name", ["a*/ int x; /*", "a*\\ int x; /* b", "end\\", "??/", "new\nline", "é", "x" * 999])
def test_no_name_can_leave_its_comment(name: str) -> None:
    text = comment(name)
    assert not set("*\\\n?") & set(text) and text.isascii() and len(text) <= 200


def test_names_of_layers_stay_readable() -> None:
    assert comment("blocks.3.conv/Relu:0 [x]") == "blocks.3.conv/Relu:0 [x]"


def test_identifiers_are_distinct_c_names() -> None:
    names = identifiers(["a.b", "a_b", "a/b", "", "x" * 90, "x" * 91], "m_data")
    assert len(set(names.values())) == 6
    assert all(name.isidentifier() and name.isascii() for name in names.values())


@pytest.mark.parametrize("bad", ["", "1a", "a-b", "int", "a b", "ü", "x" * 99, "a;b", "main", "Time", "octavo_host"])
def test_prefixes_that_are_no_c_names_are_refused(bad: str) -> None:
    with pytest.raises(OctavoError):
        check_prefix(bad)
