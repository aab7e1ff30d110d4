"""No document and no context crashes the evaluation, and compiled rules answer as a plain interpreter of them does."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.flags.made import CONTEXTS, LOGIC, ODD, documents, rules
from tests.core.flags.naive import Naive
from tidegate.core.flags.codec import decode, digest, encode
from tidegate.core.flags.compile_rule import Scope, compile_rule
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flagd_operations import GivenUp
from tidegate.core.flags.logic import LogicError, compile_logic
from tidegate.core.flags.logic_value import to_text
from tidegate.core.flags.result import Reason
from tidegate.core.flags.rule import Node
from tidegate.core.flags.rule_text import parse_rule
from tidegate.core.flags.rule_words import say_rule


def _held(test: Any) -> Any:
    try:
        return test()
    except GivenUp:
        return "given up"
    except (LogicError, RecursionError) as wrong:
        return type(wrong).__name__


@given(rules(), CONTEXTS)
def test_a_compiled_rule_holds_exactly_when_the_interpreted_one_does(rule: Node, context: dict[str, Any]) -> None:
    naive = Naive(FlagDocument("shop"))
    test = compile_rule(rule, Scope("flag", lambda _: lambda _: False))
    assert _held(lambda: bool(test(context))) == _held(lambda: naive.holds(rule, context, "flag"))


@given(LOGIC, ODD)
def test_compiled_logic_works_out_what_the_interpreter_works_out(logic: Any, data: Any) -> None:
    from tidegate.core.flags.jsonlogic import read_logic

    node = read_logic(logic)
    naive = Naive(FlagDocument("shop"))
    compiled = _held(lambda: repr(compile_logic(node, "flag")(data)))
    assert compiled == _held(lambda: repr(naive.logic(node, data, "flag")))


@given(documents(), CONTEXTS)
@settings(max_examples=50)
def test_a_document_is_evaluated_as_the_oracle_says(document: FlagDocument, context: dict[str, Any]) -> None:
    evaluator, naive = Evaluator(document), Naive(document)
    for name in document.flags:
        result = evaluator.evaluate(name, context)
        if result.reason is Reason.ERROR:
            assert result.value is None
            assert result.error in ("GENERAL", "PARSE_ERROR")
            assert result.message
            continue
        variant, reason = naive.answer(name, context)
        assert result.variant == variant
        matched = result.reason in (Reason.SPLIT, Reason.TARGETING_MATCH)
        assert ("MATCH" if matched else result.reason.value) == reason
        chosen = document.flags[name].variant(variant) if variant is not None else None
        off = document.flags[name].off if reason == "DISABLED" else None
        assert repr(result.value) == repr(chosen.value if chosen else off)


@given(documents(), st.one_of(CONTEXTS, ODD), st.one_of(st.sampled_from(["first", "second", "none"]), ODD))
@settings(max_examples=50)
def test_nothing_is_ever_raised(document: FlagDocument, context: Any, name: Any) -> None:
    evaluator = Evaluator(document)
    assert isinstance(evaluator.evaluate(name, context).reason, Reason)
    evaluator.evaluate_all(context)
    for flag in document.flags:
        assert str(evaluator.explain(flag, context))


@given(documents(), CONTEXTS)
@settings(max_examples=50)
def test_a_document_survives_its_canonical_text(document: FlagDocument, context: dict[str, Any]) -> None:
    text = encode(document)
    again = decode(text, digest(document))
    assert encode(again.numbered(again.number)) == text
    one, other = Evaluator(document), Evaluator(again)
    for name in document.flags:
        assert one.evaluate(name, context).value == other.evaluate(name, context).value


@given(rules(("staff", "big ones")))
@example(parse_rule("true"))
def test_every_rule_is_said_in_words_that_read_back_as_the_same_rule(rule: Node) -> None:
    assert repr(parse_rule(say_rule(rule))) == repr(rule)


@given(st.floats() | st.integers(-(10**30), 10**30))
def test_a_number_is_written_as_javascript_writes_it(number: float) -> None:
    said = to_text(number)
    if said not in ("NaN", "Infinity", "-Infinity"):
        assert float(said) == float(number)
