"""Patterns: the same answers as `re`, and never a hang."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.flags.automaton import Automaton, parse
from tidegate.core.flags.pattern import Pattern, pattern_fault

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", "^", "$", r"\b", "1", " ", "[a-c1]", r"\s"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])).map("(?:{0[0]}){0[1]}".format),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, st.text("ab1 \n_", max_size=10))
def test_the_automaton_finds_what_re_finds(expression: str, text: str) -> None:
    assert Automaton(parse(expression)).found_in(text) == (re.search(expression, text) is not None)


@given(EXPRESSIONS, st.text("abAB", max_size=8))
def test_case_is_ignored_where_it_is_asked_for(expression: str, text: str) -> None:
    expression = "(?i)" + expression
    assert Automaton(parse(expression)).found_in(text) == (re.search(expression, text) is not None)


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        (r"^\w$", "1", True),
        (r"^\w$", "é", True),
        (r"(?a)^\w$", "é", False),
        (r"^\W$", "-", True),
        (r"^\d+$", "٣", True),
        (r"(?a)^\d+$", "٣", False),
        (r"\b7\b", "a 7 b", True),
        (r"\b7\b", "a17b", False),
        (r"^.$", "\n", False),
        (r"(?s)^.$", "\n", True),
        (r"a$", "a\n", True),
        (r"a\Z", "a\n", False),
        (r"\Aa", "ba", False),
        (r"^[^a-c]$", "b", False),
        (r"(?i)^[^a-c]$", "B", False),
        (r"(?i:A)b", "ab", True),
        (r"(?i:A)b", "aB", False),
        (r"^a{2,3}$", "a", False),
        (r"^a{2,3}$", "aaa", True),
        (r"^a{2,3}$", "aaaa", False),
        (r"^(|a)b$", "b", True),
        ("", "", True),
    ],
)
def test_each_part_of_an_expression_means_what_it_means_to_re(expression: str, text: str, found: bool) -> None:
    assert (re.search(expression, text) is not None) is found
    assert Automaton(parse(expression)).found_in(text) is found


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(a+)+$", "a" * 4000 + "!"),
        ("^(a|a)*$", "a" * 4000 + "!"),
        ("(a|aa)+$", "a" * 4000 + "!"),
        (".*.*.*=.*", "x" * 4000),
        (r"^(\w+\s?)*$", "word " * 800 + "!"),
        ("(.*a){20}", "a" * 19 + "b" * 4000),
        ("a*a*a*a*a*a*b", "a" * 4000),
        ("a*a*a*b", "a" * 1000),
        ("(a+)+$", "a" * 40 + "!"),
        ("^(a|a)*$", "a" * 200 + "!"),
    ],
)
def test_nothing_hangs(expression: str, text: str) -> None:
    begun = time.process_time()
    assert not Pattern(expression).found_in(text)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        (r"(a)\1", "Write it without \\1 and (?P=name)."),
        ("(?=a)b", "Use two rules joined with `and` instead."),
        ("(?<!a)b", "Use a second rule with `not` instead."),
        ("(?>a+)b", "Write (?:...) instead: nothing backtracks here."),
        ("a++b", "Write * or + alone: nothing backtracks here."),
        (r"a\B", "Write it without."),
        ("(?m)^a", "Remove it; ^ and $ are the ends of the whole text."),
        ("(a{100}){100}", "Use smaller repeats."),
        ("(a", "Correct it; \\ makes a special character plain."),
        ("a" * 1025, "At most 1,024 are taken."),
        ("a{99999999999}", "Correct it; \\ makes a special character plain."),
    ],
)
def test_what_is_refused_says_its_mend(expression: str, mend: str) -> None:
    assert (pattern_fault(expression) or "").split("\n")[1] == mend


def test_a_text_is_found_anywhere_and_a_very_long_one_never() -> None:
    assert Pattern("h.*y").found_in("oh, happy day")
    assert not Pattern("h.*y").found_in("x" * 5000 + "hy")
    assert Pattern("é$").found_in("café\n")


@pytest.mark.parametrize("expression", [r"^[a-z0-9._-]+@example\.org$", r"^\d+\.\d+\.\d+$", "^(a|b)*c", r"\bdog\b"])
def test_short_and_long_texts_are_matched_alike(expression: str) -> None:
    for text in ("ann@example.org", "1.22.333", "ababc", "hot dog", "hotdog", "1.2", ""):
        for padded in (text, text + "\n", text + " " * 2000):
            assert Pattern(expression).found_in(padded) == (re.search(expression, padded) is not None)


def test_threads_may_share_a_pattern() -> None:
    automaton = Automaton(parse("(a|b)*c[0-9]+$"))
    texts = [f"{'ab' * (number % 7)}c{number}" for number in range(3000)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(automaton.found_in, texts))
