"""A small change of a large document looks at little, and refuses what a whole check would refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.errors import Invalid
from tidegate.core.flags.check import check, check_flag
from tidegate.core.flags.codec import LazyFlags, changed_flags, decode, digest_of, encode, numbering
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.edit import set_flag
from tidegate.core.flags.flags_file import read_flag, read_flags

DOCUMENT = read_flags(
    {
        "application": "shop",
        "segments": {"staff": ["anna"]},
        "flags": {
            "a": {"variants": {"red": {"value": 1, "when": "in segment staff"}, "blue": 2}},
            "b": {"when": "20%", "needs": {"flag": "a", "variants": ["red"]}},
            "c": {"value": "on", "needs": "b"},
            "d": {"value": {"z": 1, "number": 0, "segments": {}}},
        },
    }
)
CHANGES = (
    "on",
    {"variants": {"red": 1, "green": 2}},
    {"variants": {"red": {"value": 1, "when": "in segment staff"}, "green": 2}},
    {"variants": {"green": {"value": 1, "share": "10%"}, "blue": 2}},
    {"when": "in segment stuff"},
    {"when": "10%", "needs": "c"},
    {"when": "10%", "needs": "nobody"},
    {"value": "on", "needs": "d"},
)


def lazy() -> FlagDocument:
    return decode(encode(DOCUMENT.numbered(3)))


@pytest.mark.parametrize("document", [DOCUMENT, decode(encode(DOCUMENT.numbered(3)))], ids=["plain", "read back"])
@given(st.sampled_from("abcde"), st.sampled_from(CHANGES))
def test_one_flag_is_refused_where_a_whole_check_refuses_the_document(
    document: FlagDocument, name: str, content: object
) -> None:
    try:
        flag = read_flag(name, content)
    except Invalid:
        return
    changed = replace(document, flags={**document.flags, name: flag}, text=None)
    whole = is_refused(lambda: check(changed))
    assert is_refused(lambda: check_flag(changed, name)) == whole
    assert is_refused(lambda: set_flag(document, name, content, "the flags")) == whole


def is_refused(do: Callable[[], object]) -> bool:
    try:
        do()
    except Invalid:
        return True
    return False


def test_others_stay_as_they_were_written() -> None:
    before = lazy()
    after = set_flag(before, "c", "off")
    assert isinstance(before.flags, LazyFlags)
    assert isinstance(after.flags, LazyFlags)
    assert after.flags.written("a") is before.flags.written("a")
    assert changed_flags(before, after) == {"c"}
    assert before.flags["c"] != after.flags["c"]


@pytest.mark.parametrize("document", [DOCUMENT, set_flag(lazy(), "e", "on")])
def test_the_number_is_all_that_differs_and_is_read_back(document: FlagDocument) -> None:
    text_of = numbering(document)
    for number in (0, 7, 12_345):
        assert text_of(number) == encode(document.numbered(number))
        assert decode(text_of(number), digest_of(text_of(number))).number == number
