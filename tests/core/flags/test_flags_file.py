"""Tidegate's own spelling: what a person writes, and what he is told when it is wrong."""

from __future__ import annotations

import json
import textwrap
from datetime import date
from typing import Any

import pytest

import tidegate.core.flags
from tidegate.core.errors import Invalid
from tidegate.core.flags.attribute import AttributeType
from tidegate.core.flags.codec import decode, encode
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flag import Kind, Need
from tidegate.core.flags.flags_file import MOST_BYTES, read_flags
from tidegate.core.flags.rule_words import say_rule
from tidegate.core.text import read_json, read_yaml


def example() -> str:
    """The one on the package's page."""
    lines = (tidegate.core.flags.__doc__ or "").split("\n")
    begin = next(index for index, line in enumerate(lines) if line.startswith("    application:"))
    end = next(index for index, line in enumerate(lines) if line.startswith("Rules ("))
    return textwrap.dedent("\n".join(lines[begin:end]))


def of(**flags: Any) -> Any:
    return read_flags({"application": "shop", "segments": {"staff": ["ann"]}, "flags": flags}, "shop.yaml")


def wrong(content: Any) -> Invalid:
    with pytest.raises(Invalid) as refused:
        read_flags(content, "shop.yaml")
    return refused.value


def test_the_example_of_the_package_is_read() -> None:
    document = read_flags(read_yaml(example(), "the example"), "the example")
    answer = Evaluator(document).evaluate
    assert answer("new-search").value is True
    assert answer("banner").value == "Summer sale"
    assert answer("page-size").value == 20
    assert answer("new-checkout", {"targetingKey": "anna"}).value is True
    assert answer("theme", {"plan": "pro", "app": "2.3"}).value == "#00f"
    assert answer("theme", {}).value == "#fff"
    assert answer("search", {"country": "AT", "age": 30}).value == {"engine": "vector", "limit": 20}
    assert answer("search", {"country": "AT", "age": 3}).value == {"engine": "classic", "limit": 10}
    assert document.flags["new-checkout"].expires == date(2027, 3, 1)


@pytest.mark.parametrize(
    ("short", "kind", "value"),
    [
        ("on", Kind.BOOLEAN, True),
        ("off", Kind.BOOLEAN, False),
        (True, Kind.BOOLEAN, True),
        (1, Kind.VALUE, 1),
        (0, Kind.VALUE, 0),
        ("hello", Kind.VALUE, "hello"),
        ([1, 2], Kind.VALUE, [1, 2]),
        ({"value": "on"}, Kind.VALUE, "on"),
        ({"value": {"a": 1}}, Kind.VALUE, {"a": 1}),
    ],
)
def test_a_flag_that_is_the_same_for_everybody_is_one_line(short: Any, kind: Kind, value: Any) -> None:
    flag = of(one=short).flags["one"]
    assert (flag.kind, flag.variants[0].value) == (kind, value)


def test_shares_lie_one_after_the_other_and_may_be_narrowed_by_a_rule() -> None:
    flag = of(
        theme={
            "by": "userId",
            "seed": "s",
            "variants": {
                "dark": {"value": 1, "share": "30%"},
                "none": {"value": 4, "share": "0%"},
                "blue": {"value": 2, "share": "20.5%", "when": 'plan == "pro"'},
                "light": 3,
            },
        }
    ).flags["theme"]
    assert [variant.rule and say_rule(variant.rule) for variant in flag.variants] == [
        '30% by userId seed "s"',
        '0% by userId seed "s"',
        'plan == "pro" and 30% to 50.5% by userId seed "s"',
        None,
    ]


def test_what_is_known_about_a_flag_is_kept() -> None:
    flag = of(
        a=True,
        b={
            "value": 5,
            "description": "d",
            "owner": "o",
            "expires": "2027-01-31",
            "deprecated": "2027-02-01",
            "needs": ["a", {"flag": "a", "variants": ["on"]}],
            "enabled": False,
            "metadata": {"team": 1},
        },
    ).flags["b"]
    assert (flag.description, flag.owner, flag.expires) == ("d", "o", date(2027, 1, 31))
    assert flag.deprecated
    assert flag.deprecated_on == date(2027, 2, 1)
    assert flag.needs == (Need("a"), Need("a", ("on",)))
    assert not flag.enabled
    assert flag.metadata == {"team": 1}


def test_attributes_may_be_declared_by_their_type_alone() -> None:
    flag = of(s={"attributes": {"n": "number[]"}, "value": {"n": [1, 2.5]}}).flags["s"]
    assert flag.attributes["n"].type is AttributeType.NUMBERS
    assert flag.variants[0].value == {"n": [1, 2.5]}


SEARCH = {"attributes": {"limit": {"type": "number", "minimum": 1}}, "value": {"limit": 5}}


@pytest.mark.parametrize(
    ("flag", "where", "what", "mend"),
    [
        (None, "flags.f", "it is empty.", "Write on, off, a value, or a mapping with value, when or variants."),
        ({"ownr": "x", "value": 1}, "flags.f.ownr", "unknown key", "Did you mean 'owner'?"),
        ({"owner": "x"}, "flags.f", "none of value, when and variants", "Give exactly one"),
        ({"value": 1, "when": "true"}, "flags.f", "it has value and when", "Give exactly one"),
        ({"when": 'country = "DE"'}, "flags.f.when", "'= \"DE\"' (character 9 of the rule) is not", "Compare with =="),
        ({"when": "in segment stuff"}, "flags.f.when", "there is no segment 'stuff'.", "Did you mean 'staff'?"),
        ({"when": 5}, "flags.f.when", "5 is no rule.", "Write one as a text"),
        ({"when": 'x matches "(a)\\\\1"'}, "flags.f.when", "refers back", "Write it without"),
        ({"when": "120% by x"}, "flags.f.when", "more than everybody", "at most 100%"),
        ({"when": "country"}, "flags.f.when", "stands alone", "country == true"),
        ({"when": 'a == "b" or'}, "flags.f.when", "the rule ends too early.", "Expected"),
        ({"when": 'a == "b" c'}, "flags.f.when", "'c' (character 10 of the rule) is too much", "Join tests"),
        ({"when": 'version(a) > "x"'}, "flags.f.when", "'x' is not a version", '"2.1.0"'),
        ({"when": "(" * 50 + 'a == "b"' + ")" * 50}, "flags.f.when", "nested deeper than 40", "segment"),
        ({"when": "not " * 50 + 'a == "b"'}, "flags.f.when", "nested too deep", "flatter"),
        ({"value": 1, "needs": "nothing"}, "flags.f.needs[0]", "there is no flag 'nothing'.", "Did you mean 'other'?"),
        (
            {"value": 1, "needs": {"flag": "other", "variants": ["of"]}},
            "flags.f.needs[0]",
            "has no variant 'of'",
            "Did you mean 'on'?",
        ),
        ({"value": 1, "needs": "f"}, "flags.f.needs", "f needs f: none could ever be on.", "Remove one"),
        ({"value": 1, "expires": "31.1.2027"}, "flags.f.expires", "'31.1.2027' is not a day.", "2027-03-31"),
        ({"variants": {}}, "flags.f.variants", "a flag without variants", "Give it at least one."),
        ({"variants": {"a": 1, "b": 2}}, "flags.f.variants", "'a' has no rule", "move it to the end"),
        ({"variants": {"a": {"value": 1, "when": "true"}}}, "flags.f.variants", "who gets nothing then?", "Add a last"),
        ({"variants": {"a": {"value": 1, "wen": "true"}, "b": 2}}, "flags.f.variants.a.wen", "unknown key", "'when'"),
        ({"variants": {"a": {"value": 1, "when": "true"}, "b": "x"}}, "flags.f.variants", "a is a number and b", "one type"),
        ({"variants": {"a": {"value": 1, "attributes": {}}}}, "flags.f.variants.a", "one of value and attributes", "exactly"),
        ({"variants": {"a": {"value": 1, "share": 5}}}, "flags.f.variants.a.share", "5 is not a share", "10%"),
        (
            {"variants": {"a": {"value": 1, "share": "60%"}, "b": {"value": 1, "share": "50%"}, "c": 1}},
            "flags.f.variants.b.share",
            "the shares up to here are 110%.",
            "100% at most",
        ),
        ({**SEARCH, "value": {"limit": 0}}, "flags.f.variants.default.attributes.limit", "0 is less than", "larger"),
        ({**SEARCH, "value": {"limit": "5"}}, "flags.f.variants.default.attributes.limit", "'5' is not a number", "quotes"),
        ({**SEARCH, "value": {"limt": 5}}, "flags.f.variants.default.attributes.limt", "no attribute 'limt'", "'limit'"),
        ({**SEARCH, "attributes": {"limit": "int"}}, "flags.f.attributes.limit.type", "input should be", "schema"),
        (
            {"attributes": {"e": {"type": "string", "required": True}}, "value": {}},
            "flags.f.variants.default.attributes",
            "the attribute 'e' is required.",
            "Give it a value.",
        ),
        (
            {"attributes": {"e": {"type": "string", "enum": ["a", "b"]}}, "value": {"e": "c"}},
            "flags.f.variants.default.attributes.e",
            "'c' is not one of the allowed values.",
            "Allowed: a, b.",
        ),
        (
            {"attributes": {"e": {"type": "number", "pattern": "a"}}, "value": {}},
            "flags.f.attributes.e",
            "enum and pattern are for texts",
            "make it a string",
        ),
        (
            {"attributes": {"e": {"type": "string", "pattern": "(a"}}, "value": {}},
            "flags.f.attributes.e",
            "'(a' is not a pattern",
            "Correct it",
        ),
        (
            {"attributes": {"e": {"type": "string[]", "pattern": "^[a-z]{2}$"}}, "value": {"e": ["de", "deu"]}},
            "flags.f.variants.default.attributes.e",
            "'deu' does not match",
            "Correct the value",
        ),
        (
            {"targeting": {"iff": [1]}, "variants": {"a": 1}},
            "flags.f.targeting",
            "'iff' is no operation of JsonLogic.",
            "Did you mean 'if'?",
        ),
        ({"targeting": {"if": []}, "default": "c", "variants": {"a": 1}}, "flags.f.default", "no variant 'c'", "Known: a."),
    ],
)
def test_every_fault_has_its_place_and_its_mend(flag: Any, where: str, what: str, mend: str) -> None:
    refused = wrong({"application": "shop", "segments": {"staff": []}, "flags": {"other": "on", "f": flag}})
    assert refused.where == where
    assert what in refused.what
    assert refused.what.startswith("shop.yaml: ")
    assert mend in refused.mend


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        ([], "", "is a list, not a mapping"),
        ({"flags": {}}, "application", "'application' is missing"),
        ({"application": "shop", "flag": {}}, "flag", "unknown key 'flag'"),
        ({"application": "shop", "segments": {"s": {}}}, "segments.s", "give one of members and when"),
        ({"application": "shop", "segments": {"s": [1.5]}}, "segments.s.members[0]", "1.5 is no id"),
        ({"application": "shop", "segments": {"s": {"when": "in segment s"}}}, "segments.s.when", "asks for the segment 's'"),
        ({"application": "shop", "segments": {"s": 5}}, "segments.s", "'segments.s' is a number, not a mapping"),
        ({"application": "shop", "flags": {" a": 1}}, "flags. a", "' a' is not a name"),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole(content: Any, where: str, what: str) -> None:
    refused = wrong(content)
    assert refused.where == where
    assert what in refused.what


def test_flags_that_need_each_other_in_a_circle_are_refused() -> None:
    refused = wrong({"application": "shop", "flags": {n: {"value": 1, "needs": m} for n, m in ("ab", "bc", "ca")}})
    assert refused.what == "shop.yaml: flags.a.needs: a needs b needs c needs a: none could ever be on."


def test_a_long_segment_may_be_a_text_with_an_id_on_each_line() -> None:
    text = "application: shop\nsegments:\n  big: |\n    ann\n      bob smith \n\n    17\n  other: {by: x, members: [1]}\n"
    segments = read_flags(read_yaml(text, "shop.yaml")).segments
    assert segments["big"].members == {"ann", "bob smith", "17"}
    assert segments["other"].members == {"1"}


def test_a_segment_of_200_000_ids_is_read_and_asked() -> None:
    lines = "\n".join(f"user-{number}" for number in range(200_000))
    text = json.dumps({"application": "shop", "segments": {"big": lines}, "flags": {"f": {"when": "in segment big"}}})
    document = decode(encode(read_flags(read_json(text, "shop.json", MOST_BYTES))))
    evaluate = Evaluator(document).evaluate
    assert evaluate("f", {"targetingKey": "user-199999"}).value is True
    assert evaluate("f", {"targetingKey": "user-200000"}).value is False


def test_flags_may_need_others_in_a_long_row() -> None:
    flags: dict[str, Any] = {f"f{index}": {"value": True, "needs": f"f{index + 1}"} for index in range(300)}
    document = read_flags({"application": "shop", "flags": {**flags, "f300": "on"}})
    assert Evaluator(document).evaluate("f0").value is True
