"""AppConfig's feature flags: read, answered, and written again where that keeps their meaning."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.flags.made import LITERALS, TEXTS
from tidegate.core.errors import Invalid
from tidegate.core.exposure import Exposure, bucket
from tidegate.core.flags.appconfig import answer, is_free_form, read_appconfig
from tidegate.core.flags.appconfig_export import write_appconfig
from tidegate.core.flags.appconfig_rule import read_appconfig_rule
from tidegate.core.flags.compile_rule import Scope, compile_rule
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flag import Flag, Kind, Variant
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.rule import (
    ALWAYS,
    NEVER,
    All,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    Exists,
    In,
    InSegment,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
)
from tidegate.core.flags.rule_words import say_rule
from tidegate.core.flags.segment import Segment
from tidegate.core.flags.staged import Staged

SHOP: dict[str, Any] = {
    "version": "1",
    "flags": {
        "checkout": {
            "name": "Checkout",
            "description": "the new one",
            "_createdAt": "2026-01-01T00:00:00Z",
            "_deprecation": {"status": "planned", "date": "2027-01-31"},
            "attributes": {
                "theme": {"constraints": {"type": "string", "enum": ["dark", "light"], "required": True}, "description": "d"},
                "limit": {"constraints": {"type": "number", "minimum": 1, "maximum": 10}},
                "langs": {"constraints": {"type": "array", "elements": {"type": "string", "pattern": "^[a-z]{2}$"}}},
                "sizes": {"constraints": {"type": "array", "elements": {"type": "number"}}},
                "wide": {"constraints": {"type": "boolean"}},
                "free": {},
            },
        },
        "banner": {"name": "Banner"},
        "plain": {"attributes": {"x": {"constraints": {"type": "number"}}}},
        "bare": {},
    },
    "values": {
        "checkout": {
            "_variants": [
                {
                    "name": "testers",
                    "enabled": True,
                    "rule": '(ends_with $email "@shop.org")',
                    "attributeValues": {"theme": "dark", "limit": 3, "langs": ["de"], "free": [1, 2]},
                },
                {
                    "name": "few",
                    "enabled": True,
                    "rule": "(split pct::20 by::$userId)",
                    "attributeValues": {"theme": "light", "wide": True, "sizes": [1.5]},
                },
                {"name": "others", "enabled": False},
            ]
        },
        "banner": {"enabled": True, "_updatedAt": "x"},
        "plain": {"enabled": True, "x": 5},
    },
}  # fmt: skip


def ask(name: str, context: Any = None, content: Any = SHOP) -> dict[str, Any]:
    return answer(Evaluator(read_appconfig(content, "shop")).evaluate(name, context))


def test_flags_are_answered_as_the_agent_answers_them() -> None:
    tester = {"email": "ann@shop.org"}
    assert ask("checkout", tester) == {
        "_variant": "testers",
        "enabled": True,
        "theme": "dark",
        "limit": 3,
        "langs": ["de"],
        "free": [1, 2],
    }
    assert ask("checkout", {}) == {"_variant": "others", "enabled": False}
    assert ask("banner") == {"enabled": True}
    assert ask("plain") == {"enabled": True, "x": 5}
    assert ask("bare") == {"enabled": False}
    assert ask("nothing") == {"enabled": False}


def test_a_value_of_our_own_is_answered_as_an_attribute() -> None:
    document = read_flags(
        {"application": "shop", "flags": {"size": 20, "off": {"value": 5, "enabled": False}, "on": {"when": "x == 1"}}}
    )
    evaluate = Evaluator(document).evaluate
    assert answer(evaluate("size")) == {"value": 20, "enabled": True}
    assert answer(evaluate("off")) == {"enabled": False}
    assert answer(evaluate("on", {"x": 1})) == {"_variant": "on", "enabled": True}


def test_what_is_known_about_a_flag_is_read() -> None:
    flag = read_appconfig(SHOP, "shop").flags["checkout"]
    assert flag.description == "the new one"
    assert flag.deprecated
    assert flag.deprecated_on == date(2027, 1, 31)
    assert flag.attributes["theme"].required
    assert flag.attributes["theme"].description == "d"
    assert flag.attributes["langs"].type == "string[]"
    assert flag.attributes["sizes"].type == "number[]"
    assert flag.attributes["free"].type == "number[]"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('(eq $state "Virginia")', 'state == "Virginia"'),
        ("(gt $age 65)", "age > 65"),
        ("(gte $age -65)", "age >= -65"),
        ("(lt $age 1.5e3)", "age < 1500.0"),
        ("(lte 65 $age)", "65 <= age"),
        ("(gt $since 2026-03-04T05:06:07-08:00)", "since > 2026-03-04T05:06:07-08:00"),
        ("(lt $since 2026-03)", "since < 2026-03-01T00:00:00Z"),
        ("(eq $beta true)", "beta == true"),
        ("(and (eq $a 1) (eq $b 2) (eq $c 3))", "a == 1 and b == 2 and c == 3"),
        ("(or (eq $a 1) (and (eq $b 2) (eq $c 3)))", "a == 1 or (b == 2 and c == 3)"),
        ("(not (eq $a 1))", "a != 1"),
        ('(not (or (eq $a 1)(eq $b "x y")))', 'not (a == 1 or b == "x y")'),
        ('(begins_with $state "A")', 'state begins with "A"'),
        ('(ends_with $email "amazon.com")', 'email ends with "amazon.com"'),
        ('(contains $promo "WIN")', 'promo contains "WIN"'),
        ('(in $userId ["123", "456"])', 'userId in ["123", "456"]'),
        ("(in $age [1, 2.5, 2026-01-01])", "age in [1, 2.5, 2026-01-01T00:00:00Z]"),
        ('(matches in::$greeting pattern::"h.*y")', 'greeting matches "h.*y"'),
        ('(matches pattern::"h.*y" in::$greeting)', 'greeting matches "h.*y"'),
        ('(exists key::"country")', "country exists"),
        ('(split pct::10 by::$userId seed::"abc")', '10% by userId seed "abc"'),
        ("(split by::$userId pct::0.5)", "0.5% by userId"),
        ("(eq $a $b)", "a == b"),
        ('(eq (exists key::"a") true)', "(a exists) == true"),
        ('(eq $name "say \\"hi\\" \\u00e9")', 'name == "say \\"hi\\" é"'),
        ("(eq $id 9223372036854775807)", "id == 9223372036854775807"),
    ],
)
def test_a_rule_is_read(rule: str, words: str) -> None:
    assert say_rule(read_appconfig_rule(rule)) == words


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("", "the rule ends too early."),
        ("(", "the rule ends too early."),
        ('(eq $a "x', "'\"x' (character 7 of the rule) is no operand"),
        ("eq $a 1", "'eq' (character 1 of the rule) is no expression."),
        ("(equals $a 1)", "'equals' (character 2 of the rule) is no operator."),
        ("(eq $a 1) (eq $b 2)", "'(' (character 11 of the rule) is too much."),
        ("(eq $a)", "eq (character 2 of the rule) has not the operands"),
        ("(eq $a 1 2)", "eq (character 2 of the rule) has not the operands"),
        ("(eq $a b)", "'b' (character 8 of the rule) is no operand."),
        ("(and)", "and (character 2 of the rule) has not the operands"),
        ("(not (eq $a 1) (eq $b 2))", "not (character 2 of the rule) has not"),
        ("(in $a 5)", "in (character 2 of the rule) has not"),
        ("(in $a [$b])", "is not after a constant."),
        ("(exists $a)", "exists (character 2 of the rule) has not"),
        ('(matches $a "x")', "matches (character 2 of the rule) has not"),
        ('(matches in::$a pattern::"(a)\\\\1")', "refers back to a group"),
        ("(split pct::101 by::$a)", "101 is no percentage."),
        ("(split pct::0.001 by::$a)", "0.001 is finer than 0.01%."),
        ("(split pct::10)", "split (character 2 of the rule) has not"),
        ("(split pct::10 by::$a seed::5)", "split (character 2 of the rule) has not"),
        ("(split pct::10 by::$a sed::5)", "split (character 2 of the rule) has not"),
        ("(eq $a 9223372036854775808)", "is too large"),
        ("(eq $a 2026-13)", "is no moment"),
        ("(not " * 50 + "(eq $a 1)" + ")" * 50, "nested deeper than 40 levels"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_place_and_mend(rule: str, what: str) -> None:
    content = {
        "version": "1",
        "flags": {"f": {}},
        "values": {"f": {"_variants": [{"name": "a", "enabled": True, "rule": rule or " "}]}},
    }
    with pytest.raises(Invalid) as refused:
        read_appconfig(content, "shop", "flags.json")
    assert what in refused.value.what
    assert refused.value.where == "values.f._variants[0].rule"
    assert refused.value.mend


@given(st.text('()[]$":abc1 .,-\\', max_size=30))
def test_no_text_breaks_the_reader_of_rules(text: str) -> None:
    with suppress(ValueError):
        compile_rule(read_appconfig_rule(text), Scope("f", lambda _: lambda _: False))({})


def changed(**change: Any) -> Any:
    return {"version": "1", "flags": {"f": {"attributes": {"n": {"constraints": {"type": "number", "maximum": 3}}}}}} | change


MISSPELT = {"name": "a", "enabled": True, "rul": ""}
UNTYPED = {"attributes": {"n": {"constraints": {"type": 1}}}}


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        ([], "", "not a mapping"),
        (changed(version="2"), "version", "'version'"),
        (changed(flgs={}), "flgs", "unknown key"),
        (changed(values={"g": {"enabled": True}}), "values.g", "there is no flag 'g'"),
        (changed(values={"f": {"enabled": "yes"}}), "values.f.enabled", "valid boolean"),
        (changed(values={"f": {"enabled": True, "n": 5}}), "flags.f.variants.default.attributes.n", "more than the maximum 3"),
        (changed(values={"f": {"enabled": True, "m": 5}}), "flags.f.variants.default.attributes.m", "no attribute 'm'"),
        (changed(values={"f": {"_variants": [{"name": "a"}]}}), "values.f._variants[0].enabled", "missing"),
        (changed(values={"f": {"_variants": [MISSPELT]}}), "values.f._variants[0].rul", "unknown"),
        (changed(flags={"f": UNTYPED}), "flags.f.attributes.n.constraints.type", "input"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_with_its_place(content: Any, where: str, what: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_appconfig(content, "shop", "flags.json")
    assert refused.value.where == where
    assert what in refused.value.what


# --- Writing ------------------------------------------------------------------------------------------------------------------


def written(**flags: Any) -> dict[str, Any]:
    segments = {
        "staff": ["b", "a"],
        "nobody": [],
        "dach": {"when": 'country in ["DE", "AT"] and 50%'},
        "by-path": {"by": "a.b", "members": ["x"]},
    }
    return write_appconfig(read_flags({"application": "shop", "segments": segments, "flags": flags}))


def rule_of(when: str) -> str:
    return str(written(f={"when": when})["values"]["f"]["_variants"][0]["rule"])


def test_a_document_is_written_and_reads_back_as_the_same() -> None:
    document = read_appconfig(SHOP, "shop")
    again = read_appconfig(write_appconfig(document), "shop")
    for name, flag in document.flags.items():
        assert again.flags[name].variants == flag.variants
        assert again.flags[name].attributes == flag.attributes


@pytest.mark.parametrize(
    ("when", "rule"),
    [
        ('a == "x" and b > 1 and c exists', '(and (eq $a "x") (and (gt $b 1) (exists key::"c")))'),
        ("not a == 1", "(not (eq $a 1))"),
        ("25% to 50.5% by id", "(and (split pct::50.5 by::$id) (not (split pct::25 by::$id)))"),
        ('10% by id seed "s"', '(split pct::10 by::$id seed::"s")'),
        ("in segment staff", '(in $targetingKey ["a", "b"])'),
        ("in segment nobody", '(and (exists key::"targetingKey") (not (exists key::"targetingKey")))'),
        ("in segment dach", '(and (in $country ["DE", "AT"]) (split pct::50 by::$targetingKey seed::"dach"))'),
        ("true", '(or (exists key::"targetingKey") (not (exists key::"targetingKey")))'),
        ('a matches "h.*"', '(matches in::$a pattern::"h.*")'),
        ("a < 2026-01-01", "(lt $a 2026-01-01T00:00:00Z)"),
    ],
)
def test_a_rule_is_written(when: str, rule: str) -> None:
    assert rule_of(when) == rule


def test_what_people_read_goes_into_the_description() -> None:
    said = written(f={"value": True, "owner": "ann", "expires": "2027-01-01", "description": "d", "deprecated": True})
    assert said["flags"]["f"]["description"] == "d (owner ann; expires 2027-01-01)"
    assert said["flags"]["f"]["_deprecation"] == {"status": "planned"}


@pytest.mark.parametrize(
    ("flag", "what"),
    [
        ({"when": 'version(a) > "2"'}, "AppConfig has nothing like version."),
        ({"when": 'logic {"==": [1, 1]}'}, "AppConfig has nothing like logic."),
        ({"when": "user.name exists"}, "AppConfig's context has no key 'user.name'."),
        ({"when": "in segment by-path"}, "AppConfig's context has no key 'a.b'."),
        ({"value": True, "needs": "other"}, "AppConfig knows no prerequisites."),
        ({"targeting": {"var": "x"}, "variants": {"a": 1}}, "its targeting is JsonLogic"),
        ({"value": {"a": 1}}, "its value is no text, number, boolean or list of one kind."),
        ({"when": "a == 1", "enabled": False}, "AppConfig would forget which of them are on."),
        ({"value": "x" * 1025}, "a text has 1,025 characters."),
        ({"value": 1, "metadata": {"a": 1}}, "AppConfig keeps no metadata."),
        ({"value": 1, "off": 0}, "AppConfig answers nothing while a flag is off."),
        ({"when": 'a in ["' + "x" * 17000 + '"]'}, "its rule has 17,0"),
        ({"attributes": {"Big": "string"}, "value": {}}, "AppConfig takes no attribute called 'Big'."),
        ({"attributes": {"a": {"type": "number", "minimum": 0.5}}, "value": {}}, "the limit 0.5 is no whole number."),
        ({"attributes": {"a": {"type": "string", "pattern": "x", "enum": ["x"]}}, "value": {}}, "either an enum or a pattern"),
        ({"attributes": {f"a{i}": "string" for i in range(26)}, "value": {}}, "it has 26 attributes."),
        ({"variants": {f"v{i}": {"value": i, "when": "a == 1"} for i in range(32)} | {"z": 0}}, "it has 33 variants."),
    ],
)  # fmt: skip
def test_what_would_lose_its_meaning_is_refused_with_the_reason(flag: Any, what: str) -> None:
    with pytest.raises(Invalid) as refused:
        written(f=flag, other="on")
    assert what in refused.value.what
    assert (refused.value.where or "").startswith("flags.f")
    assert refused.value.mend


def test_a_name_that_appconfig_does_not_take_is_refused() -> None:
    with pytest.raises(Invalid, match="takes no flag called 'New'"):
        written(New="on")


_KEYS = st.sampled_from(["country", "age", "userId"])
_SIDES = st.one_of(_KEYS.map(Attribute), LITERALS.map(Constant))
_TESTS: st.SearchStrategy[Node] = st.one_of(
    st.builds(Compare, st.sampled_from(["==", "<", "<=", ">", ">="]), _SIDES, _SIDES),
    st.builds(TextTest, st.sampled_from(["begins with", "ends with", "contains"]), _SIDES, _SIDES),
    st.builds(In, _SIDES, st.lists(LITERALS, max_size=3).map(tuple)),
    st.builds(Exists, _KEYS),
    st.builds(Matches, _SIDES, st.just("^a|b$")),
    st.builds(
        lambda by, low, more, seed: Split(by, low, low + more, seed),
        _KEYS,
        st.integers(0, 5000),
        st.integers(1, 5000),
        st.none() | TEXTS,
    ),
    st.just(InSegment("staff")),
    st.sampled_from([ALWAYS, NEVER]),
)
_RULES = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=5,
)
_CONTEXTS = st.dictionaries(st.one_of(_KEYS, st.just("targetingKey")), st.one_of(LITERALS, TEXTS), max_size=4)


@given(_RULES, _CONTEXTS)
def test_what_is_written_answers_the_same(rule: Node, context: dict[str, Any]) -> None:
    flag = Flag("f", Kind.BOOLEAN, (Variant("on", True, rule), Variant("off", False)), off=False)
    staff = Segment("staff", frozenset(["ann", "17"]), "userId")
    document = FlagDocument("shop", flags={"f": flag}, segments={"staff": staff})
    again = read_appconfig(write_appconfig(document), "shop")
    assert answer(Evaluator(document).evaluate("f", context)) == answer(Evaluator(again).evaluate("f", context))


def test_a_profile_that_is_named_like_a_flag_with_mappings_is_free_form_and_every_other_is_not() -> None:
    flags = {
        "features": {"value": {"a": 1}},
        "by-plan": {"variants": {"pro": {"value": {"a": 1}, "when": 'plan == "pro"'}, "other": {"value": {}}}},
        "search": {"attributes": {"engine": "string"}, "value": {"engine": "classic"}},
        "checkout": "on",
        "banner": "Summer sale",
        "mixed": {"targeting": {"var": "plan"}, "default": "a", "variants": {"a": {"value": {}}, "b": {"value": {"y": 1}}}},
        "gone": {"value": {"a": 1}, "enabled": False},
    }
    staged = Staged(read_flags({"application": "shop", "flags": flags}))
    names = [*flags, "flags", "", "\ud800", "x" * 1000]
    assert [name for name in names if is_free_form(staged, name, {})] == ["features", "by-plan", "mixed", "gone"]


def test_each_side_says_for_itself_whether_a_profile_is_free_form() -> None:
    baseline = read_flags({"application": "shop", "flags": {"features": "on"}})
    candidate = read_flags({"application": "shop", "flags": {"features": {"value": {"a": 1}}}})
    staged = Staged(baseline, candidate, "salt", Exposure(5000))
    for user in (f"user-{number}" for number in range(100)):
        assert is_free_form(staged, "features", {"targetingKey": user}) is (bucket(user, "salt") < 5000)
