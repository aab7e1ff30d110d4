"""flagd's documents: variants, targeting, fractional, versions, shared evaluators, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.core.errors import Invalid
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flag import Kind
from tidegate.core.flags.flagd import read_flagd
from tidegate.core.flags.fractional import murmur3, place_of
from tidegate.core.flags.result import Reason, Result
from tidegate.core.flags.semver import version_holds

ABC = {"a": "A", "b": "B", "c": "C"}


def ask(targeting: Any, context: Any = None, *, default: Any = "c", strict: bool = True, **more: Any) -> Result:
    flag = {"state": "ENABLED", "variants": ABC, "defaultVariant": default, "targeting": targeting}
    document = read_flagd({"flags": {"f": flag}, **more}, "shop", strict=strict)
    return Evaluator(document, clock=lambda: 1_800_000_000).evaluate("f", context)


@pytest.mark.parametrize(
    ("flag", "value", "variant", "reason"),
    [
        ({"variants": {"on": True, "off": False}, "defaultVariant": "off"}, False, "off", Reason.STATIC),
        ({"variants": {"one": 1.0}, "defaultVariant": "one"}, 1.0, "one", Reason.STATIC),
        ({"variants": {"o": {"x": [1]}}, "defaultVariant": "o", "targeting": {}}, {"x": [1]}, "o", Reason.STATIC),
        ({"variants": {"empty": ""}, "defaultVariant": "empty"}, "", "empty", Reason.STATIC),
        ({"variants": {"a": 1}}, None, None, Reason.DEFAULT),
        ({"variants": {"a": 1}, "defaultVariant": None}, None, None, Reason.DEFAULT),
        ({"variants": {"a": 1}, "defaultVariant": ""}, None, None, Reason.DEFAULT),
        ({"variants": {"true": 1, "false": 2}, "defaultVariant": False}, 2, "false", Reason.STATIC),
        ({"variants": {"a": 1}, "defaultVariant": "a", "state": "DISABLED"}, None, None, Reason.DISABLED),
        ({"variants": {"a": True}, "defaultVariant": "a", "state": "DISABLED"}, None, None, Reason.DISABLED),
        ({"variants": {"a": 1}, "defaultVariant": "a", "targeting": {"if": [True, None, "a"]}}, 1, "a", Reason.DEFAULT),
        ({"variants": {"a": 1}, "targeting": {"if": [False, "a"]}}, None, None, Reason.DEFAULT),
        ({"variants": {"true": 1, "b": 2}, "targeting": {"==": [1, 1]}}, 1, "true", Reason.TARGETING_MATCH),
        ({"variants": {"big": 2**53 - 1}, "defaultVariant": "big"}, 2**53 - 1, "big", Reason.STATIC),
    ],
)
def test_a_flag_answers(flag: Any, value: Any, variant: str | None, reason: Reason) -> None:
    result = Evaluator(read_flagd({"flags": {"f": {"state": "ENABLED"} | flag}}, "shop")).evaluate("f")
    assert (result.value, result.variant, result.reason, result.error) == (value, variant, reason, "")
    assert isinstance(result.value, float) == isinstance(value, float)


def test_the_context_knows_the_flag_and_the_time() -> None:
    assert ask({"if": [{"==": [{"var": "$flagd.flagKey"}, "f"]}, "a", "b"]}).variant == "a"
    assert ask({"if": [{"<": [{"var": "$flagd.timestamp"}, 1_800_000_001]}, "a", "b"]}).variant == "a"
    assert ask({"if": [{"==": [{"var": "targetingKey"}, "ann"]}, "a", "b"]}, {"targetingKey": "ann"}).variant == "a"


@pytest.mark.parametrize(
    ("test", "context", "held"),
    [
        ({"starts_with": [{"var": "x"}, "ab"]}, {"x": "abc"}, "a"),
        ({"starts_with": [{"var": "x"}, "bc"]}, {"x": "abc"}, "b"),
        ({"ends_with": [{"var": "x"}, "bc"]}, {"x": "abc"}, "a"),
        ({"ends_with": [{"var": "x"}, ""]}, {"x": "abc"}, "a"),
        ({"sem_ver": [{"var": "x"}, ">", "2.0.0"]}, {"x": "2.1.0"}, "a"),
        ({"sem_ver": [{"var": "x"}, "<", "2.0.0"]}, {"x": "2.0.0-rc.1"}, "a"),
        # Wrongly used, the default variant: never by chance the second branch
        ({"starts_with": [{"var": "x"}, "ab"]}, {"x": 5}, "c"),
        ({"starts_with": [{"var": "x"}, "ab"]}, {}, "c"),
        ({"ends_with": ["ab"]}, {}, "c"),
        ({"sem_ver": [{"var": "x"}, "=", "1.0.0"]}, {"x": "one"}, "c"),
        ({"sem_ver": [{"var": "x"}, "=>", "1.0.0"]}, {"x": "1.0.0"}, "c"),
        ({"sem_ver": [{"var": "x"}, "="]}, {"x": "1.0.0"}, "c"),
        ({"fractional": [{"var": "nobody"}, ["x", 1], ["y", 1]]}, {}, "c"),
        ({"fractional": [{"var": "x"}, ["p", 0], ["q", 0]]}, {"x": "k"}, "c"),
        ({"fractional": [{"var": "x"}, ["p", "1"]]}, {"x": "k"}, "c"),
        ({"fractional": [{"var": "x"}, ["p", True]]}, {"x": "k"}, "c"),
        ({"fractional": [{"var": "x"}, ["p", 2**31]]}, {"x": "k"}, "c"),
        ({"fractional": [{"var": "x"}, "p"]}, {"x": "k"}, "c"),
        ({"fractional": []}, {"targetingKey": "k"}, "c"),
        ({"fractional": [["p"]]}, {}, "c"),
        ({"fractional": [["p"]]}, {"targetingKey": 5}, "c"),
        ({"fractional": [["p"]]}, {"targetingKey": ""}, "c"),
        ({"fractional": [{"var": "x"}, ["p", 1]]}, {"x": object()}, "c"),
    ],
)  # fmt: skip
def test_flagd_s_operations(test: Any, context: Any, held: str) -> None:
    assert ask({"if": [test, "a", "b"]}, context).variant == held


def test_fractional_gives_each_its_share_and_everybody_his_own() -> None:
    targeting = {"fractional": [{"var": "id"}, ["a", 10], ["b", 30], ["c", 60]]}
    variants = [ask(targeting, {"id": f"user-{number}"}).variant for number in range(1000)]
    assert abs(variants.count("a") - 100) < 40
    assert abs(variants.count("b") - 300) < 60
    assert variants == [ask(targeting, {"id": f"user-{number}"}).variant for number in range(1000)]


def test_fractional_goes_by_the_flag_and_the_targeting_key_when_it_is_told_nothing() -> None:
    parts: list[Any] = [["a", 1], ["b"]]
    for number in range(50):
        key = f"user-{number}"
        shorthand = ask({"fractional": parts}, {"targetingKey": key}).variant
        assert shorthand == ("a" if place_of(["f", key], 2) == 0 else "b")


def test_weights_and_results_of_fractional_may_be_worked_out() -> None:
    weight = {"if": [{"==": [{"var": "tier"}, "gold"]}, 100, 0]}
    targeting = {"fractional": [{"var": "id"}, [{"var": "wish"}, weight], ["b", -5], ["c", 1.0]]}
    assert {ask(targeting, {"id": i, "tier": "gold", "wish": "a"}).variant for i in range(30)} <= {"a", "c"}
    assert {ask(targeting, {"id": i, "tier": "tin"}).variant for i in range(30)} == {"c"}
    assert ask({"fractional": [{"var": "id"}, [{"var": "wish"}, 1]]}, {"id": 1}).reason is Reason.DEFAULT


PLACES = [
    ("ann", 424),
    ("bert", 722),
    ("", 154),
    (0, 317),
    (7, 408),
    (-7, 144),
    (1.0, 892),
    (2.75, 312),
    (1e300, 692),
    (-2.5e-08, 876),
    (1099511627776, 353),
    (18446744073709551615, 444),
    (1e19, 523),
    (True, 194),
    (False, 27),
    (["theme", "ann"], 901),
    ([], 62),
    ({"b": 1, "a": [None, 2.0]}, 535),
    ({"key": -0.0}, 369),
    ("žluťoučký kůň", 553),
    ("x" * 300, 97),
    (65519.0, 696),
    (100000.0, 462),
    (9.223372036854776e18, 601),
    (1180591620717411303424, 796),
    (-18446744073709551621, 881),
]


@pytest.mark.parametrize(("value", "place"), PLACES, ids=lambda value: repr(value)[:20])
def test_places_are_those_of_flagd(value: Any, place: int) -> None:
    assert place_of(value, 1000) == place


def test_the_hash_is_murmur3() -> None:
    assert murmur3(b"") == 0
    assert murmur3(b"a") == 1009084850
    assert murmur3(b"ab") == 2613040991
    assert murmur3(b"abc") == 3017643002
    assert murmur3(b"abcd") == 1139631978
    assert murmur3(b"hello world") == 1586663183


def test_the_order_of_keys_and_the_kind_of_number_move_nobody() -> None:
    assert place_of({"a": 1, "bb": 2.0}, 10**6) == place_of({"bb": 2, "a": 1.0}, 10**6)


@pytest.mark.parametrize(
    ("left", "operator", "right", "holds"),
    [
        ("1.2.3", "=", "1.2.3", True),
        ("1.2.3", "!=", "1.2.4", True),
        ("1.10.0", ">", "1.9.0", True),
        ("1.0.0-alpha", "<", "1.0.0", True),
        ("1.0.0-alpha.1", "<", "1.0.0-alpha.beta", True),
        ("1.0.0-alpha.2", "<", "1.0.0-alpha.10", True),
        ("1.0.0-alpha", "<", "1.0.0-alpha.1", True),
        ("1.0.0+one", "=", "1.0.0+two", True),
        ("v1.0.0", "=", "V1", True),
        ("1.4", ">=", "1.4.0", True),
        (1, "=", "1.0.0", True),
        (1.2, "=", "1.2.0", True),
        ("3.1.4", "^", "3.0.0", True),
        ("4.0.0", "^", "3.9.9", False),
        ("3.1.4", "~", "3.1.0", True),
        ("3.2.0", "~", "3.1.0", False),
        ("1.2.3.4", "=", "1.2.3", None),
        ("01.2.3", "=", "1.2.3", None),
        ("", "=", "1.2.3", None),
        (None, "=", "1.2.3", None),
        (True, "=", "1.0.0", None),
        (10**60, "=", "1.0.0", None),
        ("1.2.3", "==>", "1.2.3", None),
        ("1.2.3", 5, "1.2.3", None),
    ],
)
def test_versions_compare(left: Any, operator: Any, right: Any, holds: bool | None) -> None:
    assert version_holds(left, operator, right) is holds


def test_evaluators_are_written_in_where_they_are_referred_to() -> None:
    evaluators = {"staff": {"in": [{"var": "mail"}, ["ann@x"]]}, "both": {"and": [{"$ref": "staff"}, {"var": "on"}]}}
    targeting = {"if": [{"$ref": "both"}, "a", "b"]}
    assert ask(targeting, {"mail": "ann@x", "on": 1}, **{"$evaluators": evaluators}).variant == "a"
    assert ask(targeting, {"mail": "bob@x", "on": 1}, **{"$evaluators": evaluators}).variant == "b"


@pytest.mark.parametrize(
    ("targeting", "what", "mend"),
    [
        ({"nonsense": [1]}, "'nonsense' is no operation of JsonLogic.", ""),
        ({"iff": [1]}, "'iff' is no operation of JsonLogic.", "Did you mean 'if'?"),
        ({"if": [{"$ref": "stuff"}, "a"]}, "there is no evaluator 'stuff'.", "Did you mean 'staff'?"),
        ({"if": [{"$ref": "self"}, "a"]}, "an evaluator refers to itself.", "Write it flatter."),
        ("a", "'a' is no JsonLogic.", 'Write {"if": [condition, "variant"]}.'),
    ],
)  # fmt: skip
def test_a_wrong_targeting_is_refused_or_left_to_answer_an_error(targeting: Any, what: str, mend: str) -> None:
    more = {"$evaluators": {"staff": True, "self": {"!": {"$ref": "self"}}}}
    with pytest.raises(Invalid) as refused:
        ask(targeting, **more)
    assert what in refused.value.what
    assert refused.value.where == "flags.f.targeting"
    assert mend in refused.value.mend
    result = ask(targeting, strict=False, **more)
    assert (result.error, result.value) == ("PARSE_ERROR", None)


def test_a_wrong_flag_leaves_its_neighbours_alone() -> None:
    flags = {
        "bad": {"state": "ENABLED", "variants": ABC, "targeting": {"nonsense": 1}},
        "good": {"state": "ENABLED", "variants": ABC, "defaultVariant": "a"},
    }
    evaluator = Evaluator(read_flagd({"flags": flags}, "shop", strict=False))
    assert evaluator.evaluate("good").value == "A"
    assert evaluator.evaluate("bad").error == "PARSE_ERROR"


def test_a_variant_that_is_not_there_is_an_error() -> None:
    result = ask({"if": [True, "z"]})
    assert (result.error, result.value) == ("GENERAL", None)


def test_flags_may_be_a_list_and_metadata_is_merged() -> None:
    flags = [{"key": "f", "state": "ENABLED", "variants": {"x": True}, "defaultVariant": "x", "metadata": {"team": "a"}}]
    document = read_flagd({"flags": flags, "metadata": {"team": "b", "version": 2}, "$schema": "https://x"}, "shop")
    assert document.flags["f"].kind is Kind.BOOLEAN
    assert document.flags["f"].metadata == {"team": "a", "version": 2}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], "flags"),
        ({}, "flags"),
        ({"flags": [{"state": "ENABLED"}]}, "flags[0].key"),
        ({"flags": {"f": 5}}, "flags.f"),
        ({"flags": {"f": {"state": "ON", "variants": ABC}}}, "flags.f.state"),
        ({"flags": {"f": {"state": "ENABLED", "variants": {}}}}, "flags.f.variants"),
        ({"flags": {"f": {"state": "ENABLED", "variants": {"a": None}}}}, "flags.f.variants.a"),
        ({"flags": {"f": {"state": "ENABLED", "variants": ABC, "defaultVariant": "z"}}}, "flags.f.default"),
        ({"flags": {"f": {"state": "ENABLED", "variants": ABC, "defaultVariant": 5}}}, "flags.f.defaultVariant"),
        ({"flags": {"f": {"state": "ENABLED", "variants": ABC, "metadata": 5}}}, "flags.f.metadata"),
        ({"flags": {"f": {"state": "ENABLED", "variants": ABC, "varants": 5}}}, "flags.f.varants"),
        ({"flags": {}, "$evaluators": 5}, "$evaluators"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_with_its_place(content: Any, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_flagd(content, "shop", "flags.json")
    assert refused.value.where == where
    assert refused.value.what.startswith("flags.json: ")
    assert refused.value.mend
