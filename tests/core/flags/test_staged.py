"""A flag change on its way: who is evaluated against which document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.exposure import FULL, NONE, Exposure, bucket
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.result import Result, Side
from tidegate.core.flags.staged import Staged

OLD = read_flags({"application": "shop", "flags": {"new": "off", "same": 1, "gone": 2}}).numbered(7)
NEW = read_flags({"application": "shop", "flags": {"new": "on", "same": 1, "more": 3}}).numbered(8)


@given(st.text(min_size=1), st.text(max_size=5), st.integers(0, 10000))
def test_an_entity_is_on_the_candidate_s_side_exactly_while_its_bucket_is_below_the_exposure(
    key: str, salt: str, points: int
) -> None:
    staged = Staged(OLD, NEW, salt, Exposure(points))
    result = staged.evaluate("new", {"targetingKey": key})
    exposed = bucket(key, salt) < points
    assert (result.value, result.side, result.number) == ((True, "candidate", 8) if exposed else (False, "baseline", 7))
    assert staged.side({"targetingKey": key}) is result.side


def test_the_exposure_ends_exactly_before_its_bucket() -> None:
    for key in ("ann", "bob", "eve"):
        place = bucket(key, "salt")
        sides = [Staged(OLD, NEW, "salt", Exposure(points)).side({"targetingKey": key}) for points in (place, place + 1)]
        assert sides == [Side.BASELINE, Side.CANDIDATE]


@pytest.mark.parametrize(
    "context", [{}, None, {"targetingKey": None}, {"targetingKey": ""}, {"targetingKey": True}, {"targetingKey": 1.5}, [1]]
)
def test_who_has_no_targeting_key_sees_the_baseline_even_at_full_exposure(context: dict[str, object] | None) -> None:
    staged = Staged(OLD, NEW, "salt", FULL)
    assert staged.evaluate("new", context).side is Side.BASELINE
    assert staged.side(context) is Side.BASELINE


def test_a_whole_number_is_a_key_as_its_text() -> None:
    staged = Staged(OLD, NEW, "salt", Exposure(5000))
    for number in range(100):
        assert staged.side({"targetingKey": number}) is staged.side({"targetingKey": str(number)})


def test_without_a_candidate_everybody_sees_the_baseline() -> None:
    staged = Staged(OLD, salt="salt", exposure=FULL)
    assert staged.evaluate("new", {"targetingKey": "ann"}).number == 7
    assert staged.changed == frozenset()


def test_growing_exposure_moves_an_entity_once_and_never_back() -> None:
    steps = [Staged(OLD, NEW, "s", NONE).at(Exposure(points)) for points in range(0, 10001, 500)]
    for number in range(2000):
        sides = [staged.side({"targetingKey": f"user-{number}"}) is Side.CANDIDATE for staged in steps]
        assert sides == sorted(sides)
        assert sides[0] is False
        assert sides[-1] is True


def test_moving_the_exposure_compiles_nothing_anew() -> None:
    staged = Staged(OLD, NEW, "s", NONE)
    moved = staged.at(FULL)
    assert moved.baseline is staged.baseline
    assert moved.candidate is staged.candidate


def test_an_evaluator_is_taken_for_its_side_and_made_anew_for_the_other() -> None:
    evaluator = Evaluator(NEW, clock=lambda: 5)
    staged = Staged(OLD, evaluator, "s", FULL)
    assert staged.candidate is not evaluator
    assert staged.evaluate("new", {"targetingKey": "ann"}).side is Side.CANDIDATE
    assert staged.candidate is not None
    assert staged.candidate.clock is evaluator.clock
    assert Staged(evaluator).baseline is evaluator


def test_a_flag_of_one_side_alone_is_not_found_on_the_other() -> None:
    ann = {"targetingKey": "ann"}
    everybody = Staged(OLD, NEW, "s", FULL)
    assert everybody.evaluate("gone", ann).error == "FLAG_NOT_FOUND"
    assert everybody.evaluate("more", ann).value == 3
    assert set(everybody.evaluate_all(ann)) == {"new", "same", "more"}
    assert "more" in str(everybody.explain("more", ann))


def test_the_changed_flags_are_those_whose_answers_may_differ() -> None:
    base = {
        "application": "shop",
        "segments": {"staff": ["ann"], "testers": ["bob"]},
        "flags": {
            "a": {"when": "in segment staff"},
            "b": {"when": "in segment testers"},
            "c": {"value": True, "needs": "a"},
            "d": {"value": True, "needs": "c"},
            "e": 1,
        },
    }
    other = base | {"segments": {"staff": ["ann", "eve"], "testers": ["bob"]}}
    assert Staged(read_flags(base), read_flags(other), "s", FULL).changed == {"a", "c", "d"}
    assert Staged(OLD, NEW).changed == {"new", "gone", "more"}


def test_two_documents_alike_but_for_their_numbers_change_nothing() -> None:
    assert Staged(OLD, OLD.numbered(9)).changed == frozenset()


def test_results_are_shared_but_their_lists_are_not() -> None:
    document = read_flags({"application": "shop", "flags": {"list": {"value": {"a": [1, {"b": 2}]}}}})
    evaluator = Evaluator(document)
    result: Result = evaluator.evaluate("list")
    result.value["a"][1]["b"] = 3
    assert evaluator.evaluate("list") is result
    assert result.value == {"a": [1, {"b": 2}]}
