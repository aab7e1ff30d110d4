"""What an evaluation answers, and why."""

from __future__ import annotations

import types
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tidegate.core.exposure import bucket
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.result import Reason, Result, Side


def document(**flags: Any) -> FlagDocument:
    segments = {
        "staff": ["ann", "17"],
        "berlin": {"by": "company.id", "members": ["c1"]},
        "dach": {"when": 'country in ["DE", "AT"]'},
    }
    return read_flags({"application": "shop", "segments": segments, "flags": flags}).numbered(3)


def ask(flag: Any, context: Any = None) -> Result:
    return Evaluator(document(f=flag)).evaluate("f", context)


def holds(rule: str, **context: Any) -> bool:
    return bool(ask({"when": rule}, context).value)


MATCH = Reason.TARGETING_MATCH
MATCH_OF_B = (2, "b", MATCH, 1)


@pytest.mark.parametrize(
    ("flag", "context", "answer"),
    [
        ("on", {}, (True, "on", Reason.STATIC, None)),
        ({"value": 5}, {}, (5, "default", Reason.STATIC, None)),
        ({"when": "x == 1"}, {"x": 1}, (True, "on", Reason.TARGETING_MATCH, 0)),
        ({"when": "x == 1"}, {"x": 2}, (False, "off", Reason.DEFAULT, None)),
        ({"when": "100% by x"}, {"x": "a"}, (True, "on", Reason.SPLIT, 0)),
        ({"when": "x == 1 and 100%"}, {"x": 1, "targetingKey": "a"}, (True, "on", Reason.SPLIT, 0)),
        ({"when": "x == 1 or 100%"}, {"x": 1}, (True, "on", Reason.TARGETING_MATCH, 0)),
        ({"value": 5, "enabled": False}, {}, (None, None, Reason.DISABLED, None)),
        ({"value": 5, "enabled": False, "off": 0}, {}, (0, None, Reason.DISABLED, None)),
        ({"value": True, "enabled": False}, {}, (False, None, Reason.DISABLED, None)),
        ({"variants": {"a": {"value": 1, "when": "x == 1"}, "b": {"value": 2, "when": "x < 5"}, "c": 3}}, {"x": 3}, MATCH_OF_B),
        ({"targeting": {"var": "v"}, "default": "b", "variants": {"b": 2, "a": 1}}, {"v": "a"}, (1, "a", MATCH, None)),
        ({"targeting": {"var": "v"}, "default": "b", "variants": {"a": 1, "b": 2}}, {}, (2, "b", Reason.DEFAULT, None)),
        ({"targeting": {"var": "v"}, "variants": {"a": 1, "b": 2}}, {}, (None, None, Reason.DEFAULT, None)),
        ({"targeting": {"var": "v"}, "variants": {"true": 1, "1": 2}}, {"v": True}, (1, "true", Reason.TARGETING_MATCH, None)),
        ({"targeting": {"var": "v"}, "variants": {"true": 1, "1": 2}}, {"v": 1.0}, (2, "1", Reason.TARGETING_MATCH, None)),
        ({"default": "b", "variants": {"a": 1, "b": 2}}, {}, (2, "b", Reason.STATIC, None)),
    ],
)  # fmt: skip
def test_a_flag_answers_with_value_variant_reason_and_rule(flag: Any, context: Any, answer: Any) -> None:
    result = ask(flag, context)
    assert (result.value, result.variant, result.reason, result.rule) == answer
    assert (result.number, result.side, result.error) == (3, Side.BASELINE, "")


def test_the_rule_that_held_is_told_in_words() -> None:
    assert ask({"when": 'not ( x  ==  "1" ) and 10% to 100%'}, {"targetingKey": "b"}).rule_text == 'x != "1" and 10% to 100%'
    assert ask("on").rule_text is None


def test_a_flag_that_needs_another_is_off_without_it() -> None:
    flags = document(
        a={"when": "x == 1"},
        b={"value": True, "needs": "a"},
        c={"value": 9, "needs": {"flag": "d", "variants": ["big"]}},
        d={"variants": {"big": {"value": 2, "when": "x == 1"}, "small": 1}},
        e={"value": 1, "needs": ["b", "c"]},
    )
    on, off = ({"x": x} for x in (1, 2))
    answer = Evaluator(flags).evaluate
    assert answer("b", on).value is True
    assert (answer("b", off).value, answer("b", off).reason) == (False, Reason.DISABLED)
    assert answer("b", off).message == "It needs a to be on."
    assert answer("c", on).value == 9
    assert answer("c", off).value is None
    assert answer("c", off).message == "It needs d to be big."
    assert answer("e", on).value == 1
    assert answer("e", off).reason is Reason.DISABLED


@pytest.mark.parametrize(
    ("rule", "context", "held"),
    [
        ('country == "DE"', {"country": "DE"}, True),
        ('country == "DE"', {"country": "de"}, False),
        ('country == "DE"', {}, False),
        ('country != "DE"', {}, True),
        ('id == "17"', {"id": 17}, True),
        ('id == "17"', {"id": "17"}, True),
        ('id == "17"', {"id": True}, False),
        ('id == "1"', {"id": True}, False),
        ("age >= 18", {"age": "20"}, True),
        ("age >= 18", {"age": 18.0}, True),
        ("age >= 18", {"age": "old"}, False),
        ("age >= 18", {"age": True}, False),
        ("age >= 18", {"age": float("nan")}, False),
        ("age >= 18", {"age": [20]}, False),
        ("18 <= age", {"age": 20}, True),
        ('age > "65"', {"age": 100}, True),
        ("beta == true", {"beta": "true"}, True),
        ("beta == true", {"beta": 1}, False),
        ("beta > false", {"beta": True}, False),
        ('state < "M"', {"state": "Alabama"}, True),
        ("since < 2026-01-01", {"since": "2025-12-31T23:59:59Z"}, True),
        ("since < 2026-01-01", {"since": "2025-12-31T23:59:59-02:00"}, False),
        ("since < 2026-01-01", {"since": datetime(2025, 5, 1)}, True),  # noqa: DTZ001
        ("since == 2026-01-01", {"since": date(2026, 1, 1)}, True),
        ("since == 2026-01-01", {"since": datetime(2026, 1, 1, tzinfo=UTC)}, True),
        ("since >= 2026-01", {"since": 2026}, False),
        ("a == b", {"a": "17", "b": 17}, True),
        ("a == b", {"a": None, "b": None}, False),
        ("a < b", {"a": 1, "b": 2}, True),
        ('id in ["17", "x"]', {"id": 17}, True),
        ("id in [17, 18]", {"id": "17"}, True),
        ("id in [1]", {"id": True}, False),
        ('id in ["a"]', {"id": ["a"]}, False),
        ('id in ["a"]', {"id": {}}, False),
        ('id not in ["a"]', {}, True),
        ("id in []", {"id": 1}, False),
        ("when in [2026-01-01]", {"when": "2026-01-01"}, True),
        ("x exists", {"x": 0}, True),
        ("x exists", {"x": None}, False),
        ("user.name exists", {"user": {"name": "a"}}, True),
        ("user.name exists", {"user.name": "a"}, True),
        ("user.name exists", {"user": "a"}, False),
        ('mail begins with "ann"', {"mail": "ann@x"}, True),
        ('mail ends with "@x"', {"mail": "ann@x"}, True),
        ('mail contains "n@"', {"mail": "ann@x"}, True),
        ('tags contains "beta"', {"tags": ["beta"]}, True),
        ('tags contains "bet"', {"tags": ["beta"]}, False),
        ('id begins with "1"', {"id": 17}, True),
        ('id begins with "T"', {"id": True}, False),
        ('mail matches "^a+@"', {"mail": "aa@x"}, True),
        ('mail matches "^a+@"', {"mail": None}, False),
        (r'mail matches "\bx\.org$"', {"mail": "a@x.org"}, True),
        (r'mail matches "\\bx\\.org$"', {"mail": "a@x.org"}, True),
        (r'mail matches "\d\"\w"', {"mail": '1"a'}, True),
        (r'mail == "a\tb"', {"mail": "a\tb"}, True),
        ('version(app) >= "2.1"', {"app": "v2.1.0"}, True),
        ('version(app) ~ "2.1"', {"app": "2.1.9"}, True),
        ('version(app) ^ "2"', {"app": "3.0"}, False),
        ('version(app) != "2"', {"app": "nonsense"}, False),
        ("in segment staff", {"targetingKey": "ann"}, True),
        ("in segment staff", {"targetingKey": 17}, True),
        ("in segment staff", {}, False),
        ("in segment berlin", {"company": {"id": "c1"}}, True),
        ("in segment dach", {"country": "AT"}, True),
        ('(a == 1 or b == 1) and not c == 1', {"b": 1, "c": 2}, True),
        ('logic {"==": [{"var": "a"}, "1"]} and a == 1', {"a": 1}, True),
        ('$"strange name" == "x"', {"strange name": "x"}, True),
        ("true", {}, True),
        ("false", {}, False),
        ('(a == 1) == false', {"a": 2}, True),
    ],
)  # fmt: skip
def test_a_rule_holds(rule: str, context: dict[str, Any], held: bool) -> None:
    assert holds(rule, **context) is held


def test_a_split_takes_the_entities_whose_bucket_is_in_it() -> None:
    ids = [f"user-{number}" for number in range(3000)]
    taken = {entity for entity in ids if holds("25% to 50% by id", id=entity)}
    assert taken == {entity for entity in ids if 2500 <= bucket(entity, "f") < 5000}
    seeded = {entity for entity in ids if holds('25% by id seed "abc"', id=entity)}
    assert seeded == {entity for entity in ids if bucket(entity, "abc") < 2500}


def test_a_split_ends_exactly_before_its_bucket() -> None:
    place = bucket("ann", "f")
    for low, high, held in ((0, place, False), (0, place + 1, True), (place, place + 1, True), (place + 1, 10000, False)):
        assert holds(f"{low / 100}% to {high / 100}% by id" if low else f"{high / 100}% by id", id="ann") is held


def test_who_has_no_id_is_in_no_split() -> None:
    for value in (None, "", True, 1.5, ["a"]):
        assert not holds("100% by id", id=value)
    assert holds("100% by id", id=17)
    assert holds("100% by id", id="\ud800")


@pytest.mark.parametrize("context", [None, [], 5, "text", types.MappingProxyType({"x": 1}), object()])
def test_any_context_is_taken(context: Any) -> None:
    result = ask({"when": "x == 1"}, context)
    assert result.value is isinstance(context, types.MappingProxyType)
    assert result.reason in (Reason.DEFAULT, Reason.TARGETING_MATCH)


def test_an_unknown_flag_is_an_answer_and_not_kept() -> None:
    evaluator = Evaluator(document(f=1))
    for name in ("g", "h", [], None):
        result = evaluator.evaluate(name)  # type: ignore[arg-type]
        assert (result.value, result.reason) == (None, Reason.ERROR)
    assert evaluator.evaluate("g").error == "FLAG_NOT_FOUND"
    assert len(evaluator._answers) == 0


def test_a_targeting_that_names_no_variant_is_an_error() -> None:
    result = ask({"targeting": "nothing", "variants": {"a": 1}})
    assert (result.value, result.error) == (None, "GENERAL")
    assert "'nothing'" in result.message


def test_the_clock_is_asked_only_by_who_wants_to_know() -> None:
    asked: list[int] = []

    def clock() -> int:
        asked.append(1)
        return 1_800_000_000

    targeting = {"if": [{"<": [{"var": "$flagd.timestamp"}, 1_900_000_000]}, {"var": "$flagd.flagKey"}, None]}
    flags = document(
        soon={"targeting": targeting, "variants": {"soon": 1}}, f={"targeting": {"var": "x"}, "variants": {"a": 1}}
    )
    evaluator = Evaluator(flags, clock=clock)
    evaluator.evaluate("f", {"x": "a"})
    assert not asked
    assert evaluator.evaluate("soon").variant == "soon"
    assert len(asked) == 1


def test_enabled_is_what_appconfig_calls_so() -> None:
    assert ask("on").enabled
    assert not ask("off").enabled
    assert ask({"value": 5}).enabled
    assert not ask({"value": 5, "enabled": False}).enabled
    assert not ask({"variants": {"a": {"value": 1, "enabled": False}}}).enabled


def test_the_explanation_says_of_each_rule_and_test_whether_it_held_and_why() -> None:
    flag = {
        "variants": {
            "a": {"value": 1, "when": 'country == "DE" and (age > 20 or 5% by id)'},
            "b": {"value": 2, "when": "not in segment staff"},
            "c": {"value": 3, "when": "mail exists"},
            "d": 4,
        }
    }
    said = str(
        Evaluator(document(f=flag)).explain("f", {"country": "DE", "age": 20, "id": "x", "targetingKey": "ann", "mail": "m"})
    )
    assert said.split("\n") == [
        "f is 3, variant c: a rule held.",
        'no  a: country == "DE" and (age > 20 or 5% by id)',
        '  yes country == "DE"   (country is "DE")',
        '  no  age > 20 or 5% by id   (id "x" is at 6.62%)',
        "    no  age > 20   (age is 20)",
        '    no  5% by id   (id "x" is at 6.62%)',
        "no  b: not in segment staff",
        '  no  not in segment staff   (targetingKey is "ann")',
        "yes c: mail exists",
        '  yes mail exists   (mail is "m")',
        "yes d: for all others",
    ]


def test_a_targeting_is_explained_by_what_it_gives() -> None:
    flag = {"targeting": {"var": "x"}, "default": "b", "variants": {"a": 1, "b": 2}}
    evaluator = Evaluator(document(f=flag, g={"default": "b", "variants": {"a": 1, "b": 2}}))
    assert str(evaluator.explain("f", {"x": "a"})).split("\n") == [
        "f is 1, variant a: a rule held.",
        'yes targeting {"var": ["x"]}   (gives a)',
    ]
    assert str(evaluator.explain("f")).split("\n")[1] == 'no  targeting {"var": ["x"]}   (gives b)'
    assert str(evaluator.explain("g")).split("\n")[1] == "yes b: for everybody"


def test_a_flag_that_is_off_says_what_it_needs() -> None:
    flags = document(a="off", b={"value": True, "needs": "a"})
    assert str(Evaluator(flags).explain("b")).split("\n") == [
        "b is false: not enabled. It needs a to be on.",
        "no  needs a   (it is off)",
        "yes on: for all others",
    ]
    assert str(Evaluator(flags).explain("nothing")) == "nothing: No flag of this name."
