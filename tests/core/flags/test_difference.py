"""What changes for whom, which flags should be gone, and that every spelling reads back as what was written."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from tests.core.flags.made import documents
from tests.core.flags.test_appconfig import SHOP
from tests.core.flags.test_flags_file import example
from tidegate.core.errors import Invalid
from tidegate.core.flags.appconfig import read_appconfig
from tidegate.core.flags.codec import decode, digest, encode, same_content
from tidegate.core.flags.difference import compare
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flagd import read_flagd
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.flags_writer import write_flags
from tidegate.core.flags.stale import stale
from tidegate.core.text import read_yaml

BASE: dict[str, Any] = {
    "application": "shop",
    "segments": {"staff": ["ann", "bob"], "testers": ["eve"]},
    "flags": {
        "a": {"when": "10% by id"},
        "b": {"variants": {"x": {"value": 1, "when": "in segment staff"}, "y": 2}},
        "c": {"value": "hello", "owner": "ann"},
        "d": "on",
        "e": {"value": True, "needs": "b"},
        "f": {"attributes": {"n": "number"}, "value": {"n": 1}},
        "g": {"targeting": {"if": [{"var": "x"}, "p"]}, "default": "q", "variants": {"p": 1, "q": 2}},
    },
}


def said(flags: Any = None, **more: Any) -> list[str]:
    changed = {**BASE, **more, "flags": {**BASE["flags"], **(flags or {})}}
    return [line for change in compare(read_flags(BASE), read_flags(changed)) for line in str(change).split("\n")]


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ({}, []),
        (
            {"a": {"when": "25% by id"}},
            ["flag a (changed)", "  On for 25% by id instead of 10% by id. 15% more; nobody leaves."],
        ),
        ({"a": {"when": "5% by id"}}, ["flag a (changed)", "  On for 5% by id instead of 10% by id. 5% less; nobody comes."]),
        ({"a": {"when": "5% by no"}}, ["flag a (changed)", "  On for 5% by no instead of 10% by id."]),
        ({"a": "on"}, ["flag a (changed)", "  On for everybody instead of 10% by id.", "  Gone: Off for all others."]),
        ({"d": "off"}, ["flag d (changed)", "  New: Off for everybody.", "  Gone: On for everybody."]),
        ({"d": {"value": True, "enabled": False}}, ["flag d (changed)", "  Switched off: everybody gets false."]),
        (
            {"c": {"value": "hi", "owner": "bob", "expires": "2027-01-01", "deprecated": True}},
            [
                "flag c (changed)",
                '  default ("hi") instead of default ("hello") for everybody.',
                "  Its owner: 'bob' instead of 'ann'.",
                "  Its expiry: 2027-01-01 instead of none.",
                "  Its deprecation: planned instead of none.",
            ],
        ),
        (
            {"b": {"variants": {"z": {"value": 3, "when": "q == 1"}, "x": {"value": 9, "when": "in segment staff"}, "y": 2}}},
            [
                "flag b (changed)",
                "  New: z (3) where q == 1.",
                "  x (9) instead of x (1) where in segment staff.",
                "flag e (carried)",
                "  It rests on flag b.",
            ],
        ),
        (
            {"h": {"variants": {"x": {"value": 1, "when": "a == 1"}, "y": 2}}},
            ["flag h (added)", "  x (1) where a == 1.", "  y (2) for all others."],
        ),
        ({"e": {"value": True}}, ["flag e (changed)", "  It needs nothing instead of b."]),
        (
            {"e": {"value": True, "needs": {"flag": "b", "variants": ["x"]}}},
            ["flag e (changed)", "  It needs b to be x instead of b."],
        ),
        (
            {"f": {"attributes": {"n": {"type": "number", "minimum": 1}, "m": "string"}, "value": {"n": 1}}},
            [
                "flag f (changed)",
                "  New attribute m, a string.",
                "  The attribute n: minimum 1 instead of null.",
            ],
        ),
        (
            {"g": {"targeting": {"if": [{"var": "y"}, "p"]}, "default": "p", "variants": {"p": 1, "q": 2}}},
            [
                "flag g (changed)",
                '  By JsonLogic: {"if": [{"var": ["y"]}, "p"]}. Default: p. '
                'Before: By JsonLogic: {"if": [{"var": ["x"]}, "p"]}. Default: q.',
            ],
        ),
    ],
)
def test_a_change_of_flags_is_told_in_sentences(flags: Any, lines: list[str]) -> None:
    assert said(flags) == lines


@pytest.mark.parametrize(
    ("segments", "lines"),
    [
        (
            {"staff": ["ann", "cid"]},
            [
                "segment staff (changed)",
                "  1 member more: cid.",
                "  1 member less: bob.",
                "flag b (carried)",
                "  It rests on segment staff.",
                "flag e (carried)",
                "  It rests on flag b.",
            ],
        ),
        (
            {"testers": {"when": "x == 1"}},
            ["segment testers (changed)", "  Who: x == 1. Before: 1 member, by targetingKey: eve."],
        ),
        (
            {"new": [str(number) for number in range(2000)]},
            ["segment new (added)", "  2,000 members, by targetingKey: 0, 1, 10, 100, 1000 and 1,995 others."],
        ),
    ],
)
def test_a_change_of_segments_is_told_with_the_flags_that_rest_on_them(segments: Any, lines: list[str]) -> None:
    assert said(segments={**BASE["segments"], **segments}) == lines


def test_what_goes_is_told_with_what_it_was() -> None:
    old = {"application": "shop", "segments": {"s": ["a"]}, "flags": {"f": {"when": "x == 1"}}}
    changes = compare(read_flags(old), read_flags({"application": "shop"}))
    assert [str(change).split("\n") for change in changes] == [
        ["segment s (removed)", "  It was: 1 member, by targetingKey: a."],
        ["flag f (removed)", "  Who asks for it gets his own default. It was: On where x == 1. Off for all others."],
    ]


@given(documents(), documents())
@settings(max_examples=30)
def test_a_difference_is_told_of_any_two_documents_and_none_of_one(one: FlagDocument, other: FlagDocument) -> None:
    assert compare(one, one.numbered(5)) == ()
    assert same_content(one, one.numbered(5))
    assert (compare(one, other) == ()) <= same_content(one, other)
    for change in compare(one, other):
        assert change.sentences
        assert all(change.sentences)


def test_flags_past_their_day_are_stale_the_longest_first() -> None:
    flags = {
        "a": {"value": 1, "expires": "2026-11-22", "owner": "ann"},
        "b": {"value": 1, "deprecated": "2026-01-01"},
        "c": {"value": 1, "expires": "2026-11-23"},
        "d": {"value": 1, "deprecated": True},
    }
    found = stale(read_flags({"application": "shop", "flags": flags}), date(2026, 11, 23))
    assert [(each.flag, each.owner, each.why) for each in found] == [
        ("b", "", "It was to go by 2026-01-01, 326 days ago."),
        ("a", "ann", "It expired on 2026-11-22, 1 day ago."),
    ]


# --- Round trips -----------------------------------------------------------------------------------------------------------


FLAGD = {
    "flags": {
        "on": {"state": "ENABLED", "variants": {"yes": True, "no": False}, "defaultVariant": "no"},
        "off": {"state": "DISABLED", "variants": {"yes": True, "no": False}, "defaultVariant": "no", "metadata": {"a": 1}},
        "none": {"state": "ENABLED", "variants": {"one": 1, "two": 2}},
        "aimed": {"state": "ENABLED", "variants": {"one": [1], "two": []}, "targeting": {"if": [{"var": "x"}, "one"]}},
    }
}


@pytest.mark.parametrize(
    "document",
    [
        read_flags(read_yaml(example(), "x")),
        read_flags(BASE),
        read_appconfig(SHOP, "shop"),
        read_flagd(FLAGD, "shop"),
        read_flags({"application": "a", "flags": {"t": {"value": "on"}, "l": ["on"], "m": {"value": {"value": 1}}, "z": 0}}),
        read_flags({"application": "a", "flags": {"v": {"variants": {"a": {"value": "off", "when": "x == 1"}, "b": "c"}}}}),
    ],
)
def test_what_is_written_in_any_spelling_reads_back_as_the_same(document: FlagDocument) -> None:
    assert read_flags(write_flags(document)) == document
    again = decode(encode(document), digest(document))
    assert again == document
    assert read_flags(write_flags(again)) == document
    assert dict(again.flags) == dict(document.flags)


def test_a_document_that_was_tampered_with_is_refused() -> None:
    document = read_flags(BASE).numbered(3)
    text, expected = encode(document), digest(document)
    with pytest.raises(Invalid, match="has the digest"):
        decode(text.replace("hello", "jello"), expected)
    assert decode(text.replace("hello", "jello")) != document
    assert digest(document.numbered(4)) != expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        '{"tidegate":2}',
        '{"tidegate":1}',
        '{"tidegate":1,"application":"a","number":1,"flags":[],"segments":{}}',
        '{"tidegate":1,"application":"a","number":1,"flags":{"f":5},"segments":{}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode(text)


@pytest.mark.parametrize(
    "flag",
    [
        {},
        {"kind": "x", "variants": []},
        {"kind": "value", "variants": [5]},
        {"kind": "value", "variants": [{"name": "a", "value": 1, "when": "((("}]},
    ],
)
def test_a_damaged_flag_answers_an_error_and_leaves_its_neighbours_alone(flag: Any) -> None:
    import json

    from tidegate.core.flags.evaluate import Evaluator

    good = {"kind": "value", "variants": [{"name": "a", "value": 1}]}
    text = json.dumps({"tidegate": 1, "application": "a", "number": 1, "flags": {"bad": flag, "good": good}, "segments": {}})
    evaluator = Evaluator(decode(text))
    assert evaluator.evaluate("good").value == 1
    assert evaluator.evaluate("bad").error == "PARSE_ERROR"
    assert str(evaluator.explain("bad")).startswith("bad: ")


def test_the_order_of_a_mapping_that_is_a_value_is_kept_for_it_may_mean_something() -> None:
    def document(*rules: str) -> FlagDocument:
        value = {"premium": {"rules": {rule: {"when_match": True} for rule in rules}, "default": False}}
        return read_flags({"application": "shop", "flags": {"features": {"value": value, "off": value}, "a": "on"}})

    one, other = document("z", "a"), document("a", "z")
    again = decode(encode(one), digest(one))
    for value in (again.flags["features"].variants[0].value, again.flags["features"].off):
        assert list(value["premium"]) == ["rules", "default"]  # type: ignore[call-overload, index, arg-type]
        assert list(value["premium"]["rules"]) == ["z", "a"]  # type: ignore[call-overload, index, arg-type]
    assert encode(again.numbered(0)) == encode(one)
    assert not same_content(one, other)
    assert same_content(one, again.numbered(7))
    assert [change.name for change in compare(one, other)] == ["features"]
    assert not compare(one, again)
