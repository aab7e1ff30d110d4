"""Random rules, flags, documents and contexts."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from tidegate.core.flags.check import check
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.jsonlogic import EAGER, FLAGD, LAZY, read_logic
from tidegate.core.flags.rule import (
    COMPARISONS,
    TEXT_TESTS,
    VERSION_TESTS,
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
    Version,
)
from tidegate.core.flags.segment import Segment

NAMES = st.sampled_from(["country", "age", "userId", "targetingKey", "user.name", "in", "a b", "plan-x", "tags"])
TEXTS = st.one_of(
    st.sampled_from(["DE", "17", "017", "1.50", "true", "false", "2026-01-01", "2.1.0", "", "ann", "x" * 70, 'é"\\\n', "1e3"]),
    st.text(max_size=5),
)
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LITERALS = st.one_of(
    TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.sampled_from([17, 1.5, 0, 1000]), FLOATS, MOMENTS
)
VERSIONS = st.sampled_from(["2.1.0", "2", "1.0.0-alpha.1", "v3.2", "2.1.0+build"])
PATTERNS = st.sampled_from(["^a", "[0-9]+", "(a|b)*c", "x{3,}$", r"\w+@\w+", "é", "(a+)+$"])

NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.sampled_from([0, 1, 2, -1, 1.5]), FLOATS)
ATOMS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
JSON = st.one_of(
    ATOMS,
    ATOMS,
    st.lists(ATOMS, max_size=3),
    st.dictionaries(TEXTS, ATOMS, max_size=3),
    st.lists(st.lists(ATOMS, max_size=2) | st.dictionaries(TEXTS, ATOMS, max_size=2), max_size=2),
)
_STRANGE = [
    object(),
    print,
    float("nan"),
    float("inf"),
    10**5000,
    -(10**400),
    "\ud800",
    "9" * 5000,
    {"length": 3},
    [float("nan")],
]
ODD: st.SearchStrategy[Any] = st.one_of(
    JSON,
    JSON,
    MOMENTS,
    st.dates(),
    st.datetimes(),
    st.binary(max_size=3),
    st.tuples(JSON, JSON),
    st.frozensets(st.integers(), max_size=2),
    st.complex_numbers(),
    st.decimals(),
    st.sampled_from(_STRANGE),
)
CONTEXTS = st.dictionaries(st.one_of(NAMES, st.sampled_from(["user", "$flagd"])), ODD, max_size=6)

_OPERANDS = st.one_of(NAMES.map(Attribute), LITERALS.map(Constant))
_ITEMS = st.lists(LITERALS, max_size=5).map(tuple)
_PLACES = st.integers(0, 9999).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 10000)))
_TESTS: st.SearchStrategy[Node] = st.one_of(
    st.builds(Compare, st.sampled_from(COMPARISONS), _OPERANDS, _OPERANDS),
    st.builds(TextTest, st.sampled_from(TEXT_TESTS), _OPERANDS, _OPERANDS),
    st.builds(In, _OPERANDS, _ITEMS),
    st.builds(In, NAMES.map(Attribute), st.lists(st.sampled_from(["ann", "bert", "DE"])).map(tuple)),
    st.builds(Matches, _OPERANDS, PATTERNS),
    st.builds(Exists, NAMES),
    st.builds(lambda by, place, seed: Split(by, *place, seed), NAMES, _PLACES, st.none() | TEXTS),
    st.builds(Version, _OPERANDS, st.sampled_from(VERSION_TESTS), VERSIONS),
)

_PATHS = st.one_of(NAMES, st.sampled_from(["", "a.b", "0", "tags.0", "current", "accumulator", "$flagd.flagKey"]))
_VARS = _PATHS.map(lambda path: {"var": path})


def _operation(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operators = st.sampled_from(sorted(LAZY | EAGER | FLAGD))
    return st.one_of(
        st.builds(lambda operator, arguments: {operator: arguments}, operators, st.lists(inner, max_size=4)),
        st.builds(lambda operator, argument: {operator: argument}, operators, inner),
        st.lists(inner, max_size=3),
    )


LOGIC = st.recursive(st.one_of(ATOMS, st.just({"a": 1, "b": 2}), st.just({}), _VARS, _VARS), _operation, max_leaves=6)


def rules(segments: tuple[str, ...] = ()) -> st.SearchStrategy[Node]:
    tests = st.one_of(_TESTS, st.sampled_from(segments).map(InSegment)) if segments else _TESTS
    operators = st.sampled_from(["==", "in", "!", "and", "starts_with"])
    logical = st.builds(lambda operator, given: read_logic({operator: given}), operators, st.lists(LOGIC, max_size=3))
    return st.recursive(
        st.one_of(tests, tests, tests, logical),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: AnyOf(tuple(parts))),
            inner.map(Not),
            st.sampled_from([All(()), AnyOf(())]),
            st.builds(Compare, st.just("=="), inner, st.booleans().map(Constant)),
        ),
        max_leaves=4,
    )


@st.composite
def documents(draw: st.DrawFn) -> FlagDocument:
    ids = st.frozensets(st.sampled_from(["ann", "bert", "17", "DE", "c"]))
    segments = {
        "staff": Segment("staff", draw(ids), draw(st.sampled_from(["targetingKey", "userId", "user.name"]))),
        "ruled": Segment("ruled", rule=draw(rules())),
    }
    flags: dict[str, Flag] = {}
    for name in ("first", "second", "third"):
        flags[name] = draw(_flag(name, tuple(flags)))
    return check(FlagDocument("shop", draw(st.integers(0, 99)), flags, segments))


@st.composite
def _flag(draw: st.DrawFn, name: str, before: tuple[str, ...]) -> Flag:
    needs = tuple(map(Need, draw(st.lists(st.sampled_from(before), max_size=1)))) if before else ()
    enabled = draw(st.sampled_from([True, True, True, False]))
    if draw(st.integers(0, 3)) == 0:
        variants = (Variant("a", 1), Variant("b", "x"), Variant("true", 3))
        targeting = read_logic(draw(st.one_of(LOGIC, LOGIC.map(lambda logic: {"if": [logic, "a", "b"]}))))
        return Flag(name, Kind.VALUE, variants, enabled, None, {}, needs, targeting, draw(st.sampled_from([None, "b"])))
    tests = draw(st.lists(rules(("staff", "ruled")), max_size=3))
    boolean = draw(st.booleans())
    values = draw(st.lists(st.booleans() if boolean else JSON, min_size=len(tests) + 1, max_size=len(tests) + 1))
    ruled = [Variant(f"v{index}", value, rule) for index, (value, rule) in enumerate(zip(values, [*tests, None], strict=True))]
    return Flag(name, Kind.BOOLEAN if boolean else Kind.VALUE, tuple(ruled), enabled, False if boolean else None, {}, needs)
