from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.alarm_state import AlarmState
from tidegate.core.composite import ANY, parse_rule
from tidegate.core.errors import Invalid

OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA


def holds(rule: str, **states: AlarmState) -> bool:
    answer = parse_rule(rule).answer({name: frozenset({state}) for name, state in states.items()})
    assert answer.true is not answer.false, "with every state known there is one answer"
    return answer.true


@pytest.mark.parametrize(
    ("rule", "a", "b", "c", "true"),
    [
        ("ALARM(a)", ALARM, OK, OK, True),
        ("ok(a)", ALARM, OK, OK, False),
        ("INSUFFICIENT_DATA(a)", NO_DATA, OK, OK, True),
        ("NOT OK(a)", NO_DATA, OK, OK, True),
        ("NOT NOT OK(a)", NO_DATA, OK, OK, False),
        ("ALARM(a) AND ALARM(b)", ALARM, OK, OK, False),
        ("ALARM(a) OR ALARM(b)", ALARM, OK, OK, True),
        # AND binds closer than OR, NOT closer than AND
        ("ALARM(a) OR ALARM(b) AND ALARM(c)", ALARM, OK, OK, True),
        ("(ALARM(a) OR ALARM(b)) AND ALARM(c)", ALARM, OK, OK, False),
        ("NOT ALARM(a) AND ALARM(b)", ALARM, OK, OK, False),
        ("NOT (ALARM(a) AND ALARM(b))", ALARM, OK, OK, True),
        ("TRUE", OK, OK, OK, True),
        ("FALSE OR ALARM(a)", OK, OK, OK, False),
        ("AT_LEAST(2, ALARM, (a, b, c))", ALARM, OK, ALARM, True),
        ("AT_LEAST(2, ALARM, (a, b, c))", ALARM, OK, OK, False),
        ("AT_LEAST(50%, NOT OK, (a, b, c))", ALARM, OK, NO_DATA, True),
        ("AT_LEAST(50%, NOT OK, (a, b, c))", ALARM, OK, OK, False),
        ("AT_LEAST(1, OK, (a)) AND ALARM(b)", OK, ALARM, OK, True),
    ],
)
def test_a_rule_is_true_of_these_states(rule: str, a: AlarmState, b: AlarmState, c: AlarmState, true: bool) -> None:
    assert holds(rule, a=a, b=b, c=c) is true


def test_names_may_stand_in_quotes_and_then_look_like_words_of_the_rule() -> None:
    assert parse_rule('ALARM("AND") AND ALARM("a.b-c")').names == ("AND", "a.b-c")


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("", "ends where"),
        ("ALARM(a", "ends where ')'"),
        ("ALARM(a) AND", "ends where"),
        ("ALARM(a) ALARM(b)", "'ALARM' at character 10"),
        ("ALARM()", "the name of an alarm"),
        ("ALARM a", "expected '('"),
        ("BROKEN(a)", "'BROKEN' at character 1"),
        ("(ALARM(a)", "ends where ')'"),
        ("ALARM(a))", "')' at character 9"),
        ('ALARM("a)', "quote"),
        ('"ALARM"(a)', "expected ALARM"),
        ("AT_LEAST(4, ALARM, (a, b, c))", "not between 1 and 3"),
        ("AT_LEAST(0%, ALARM, (a, b, c))", "not between 1 and 3"),
        ("AT_LEAST(two, ALARM, (a, b, c))", "not between 1 and 3"),
        ("NOT " * 60 + "TRUE", "too deeply"),
        ("(" * 60 + "TRUE" + ")" * 60, "too deeply"),
        ("TRUE OR " * 2000 + "TRUE", "too long"),
    ],
)
def test_a_broken_rule_is_refused_with_its_place_and_an_example(rule: str, what: str) -> None:
    with pytest.raises(Invalid) as wrong:
        parse_rule(rule)
    assert what in wrong.value.what
    assert wrong.value.mend


LEAVES = st.sampled_from(["TRUE", "FALSE", *(f"{state}({name})" for state in AlarmState for name in "ab")])
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map("NOT {}".format),
        inner.map("({})".format),
        st.tuples(inner, inner).map("({0[0]} AND {0[1]})".format),
        st.tuples(inner, inner).map("({0[0]} OR {0[1]})".format),
    ),
    max_leaves=8,
)


def python_of(rule: str) -> str:
    """The same rule as a Python expression, by replacing words."""
    for state in AlarmState:
        for name in "ab":
            rule = rule.replace(f"{state}({name})", f"({name} == '{state}')")
    for word, python in (("NOT ", "not "), ("AND ", "and "), ("OR ", "or "), ("TRUE", "True"), ("FALSE", "False")):
        rule = rule.replace(word, python)
    return rule


@given(RULES, st.sampled_from(AlarmState), st.sampled_from(AlarmState))
def test_rules_answer_as_the_same_expression_in_python(rule: str, a: AlarmState, b: AlarmState) -> None:
    assert holds(rule, a=a, b=b) is bool(eval(python_of(rule), {}, {"a": a.value, "b": b.value}))


@given(RULES, st.sampled_from(AlarmState))
def test_what_was_not_seen_leaves_open_every_answer_that_it_could_give(rule: str, a: AlarmState) -> None:
    answer = parse_rule(rule).answer({"a": frozenset({a}), "b": ANY})
    for b in AlarmState:
        assert answer.true if holds(rule, a=a, b=b) else answer.false


@given(st.text(alphabet='ABLMROKNTDFUSE_()", \n01%', max_size=40))
def test_any_text_is_read_or_refused_and_never_more(text: str) -> None:
    with suppress(Invalid):
        parse_rule(text)


def test_every_state_of_two_alarms_has_one_answer() -> None:
    for a, b in itertools.product(AlarmState, repeat=2):
        assert holds("ALARM(a) AND NOT OK(b)", a=a, b=b) is (a is ALARM and b is not OK)
