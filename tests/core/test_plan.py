"""What people write as a plan, and the plain steps that it becomes."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, Exposure
from tidegate.core.plan import Canary, IfFiring, Linear, OnConflict, Plan, PlanFile, Step, StepFile, Unsure, read_plan

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def steps_of(written: object) -> list[tuple[str, timedelta]]:
    return [(str(step.exposure), step.hold) for step in read_plan(written).resolve().steps]


# --- shapes --------------------------------------------------------------------------------------------------------------


def test_without_a_word_it_is_linear_ten_percent_a_minute_and_bakes_five() -> None:
    plan = PlanFile.default().resolve()
    assert [step.exposure for step in plan.steps] == list(range(1000, 10_001, 1000))
    assert plan.steps[0].hold == MINUTE
    assert plan.steps[-1].hold == 5 * MINUTE
    assert plan.duration == 14 * MINUTE


def test_linear_begins_at_once_and_ends_with_everybody_also_when_it_does_not_divide() -> None:
    assert [share for share, _ in steps_of("linear 30% every 1m")] == ["30%", "60%", "90%", "100%"]
    assert [share for share, _ in steps_of("linear 100% every 1m")] == ["100%"]


def test_a_canary_has_two_steps() -> None:
    assert steps_of("canary 5% hold 10m bake 2m") == [("5%", 10 * MINUTE), ("100%", 2 * MINUTE)]


def test_exponential_doubles() -> None:
    assert [share for share, _ in steps_of("exponential 3% every 1m")] == ["3%", "6%", "12%", "24%", "48%", "96%", "100%"]


def test_all_at_once_is_one_step_that_bakes() -> None:
    assert steps_of("all_at_once") == [("100%", 5 * MINUTE)]


def test_own_steps_are_taken_as_they_are_and_completed_to_everybody() -> None:
    written = {"steps": [{"exposure": "1%", "hold": "5m", "gate": "ask ann"}, {"exposure": "50%", "hook": {"command": ["x"]}}]}
    plan = read_plan(written).resolve()
    assert [(str(step.exposure), step.hold, step.gate) for step in plan.steps] == [
        ("1%", 5 * MINUTE, "ask ann"),
        ("50%", timedelta(0), ""),
        ("100%", 5 * MINUTE, ""),
    ]
    assert plan.steps[1].hook is not None


def test_the_bake_is_added_to_the_last_hold() -> None:
    assert steps_of({"steps": [{"exposure": "100%", "hold": "1m"}], "bake": "2m"}) == [("100%", 3 * MINUTE)]


# --- holdback ------------------------------------------------------------------------------------------------------------


def test_a_holdback_is_the_largest_exposure_and_adds_no_time() -> None:
    written = {"linear": {"step": "30%", "every": "1m"}, "bake": "5m", "holdback": "10%"}
    assert steps_of(written) == [("30%", MINUTE), ("60%", MINUTE), ("90%", 5 * MINUTE)]
    assert steps_of({**written, "holdback": "50%"}) == [("30%", MINUTE), ("50%", 5 * MINUTE)]


def test_a_canary_larger_than_the_holdback_leaves_is_one_step() -> None:
    assert steps_of({"canary": {"first": "60%", "hold": "1m"}, "bake": "5m", "holdback": "50%"}) == [("50%", 5 * MINUTE)]


def test_own_steps_beyond_the_holdback_keep_their_holds_gates_and_hooks() -> None:
    written = {"steps": [{"exposure": "80%", "hold": "1m", "gate": "a"}, {"exposure": "100%", "hold": "2m", "gate": "b"}]}
    plan = read_plan({**written, "holdback": "30%", "bake": "0s"}).resolve()
    assert [(str(step.exposure), step.gate) for step in plan.steps] == [("70%", "a"), ("70%", "b")]


# --- the rest of it ------------------------------------------------------------------------------------------------------


def test_the_deadline_is_three_times_the_plan_and_at_least_an_hour() -> None:
    assert read_plan("linear 10% every 1m").resolve().deadline == HOUR
    assert read_plan("linear 10% every 1h").resolve().deadline == 3 * (9 * HOUR + 5 * MINUTE)


def test_what_is_written_is_what_the_rollout_carries() -> None:
    plan = read_plan(
        {
            "all_at_once": True,
            "bake": "1m",
            "deadline": "2m",
            "patience": "30s",
            "unsure": {"blind": "hold", "no_data": "rollback"},
            "if_firing": "compare",
            "on_conflict": "supersede",
            "rollback_drain": "7s",
            "keep_baseline": "8m",
        }
    )
    assert plan.on_conflict is OnConflict.SUPERSEDE
    assert plan.resolve() == Plan(
        said="all_at_once",
        steps=(Step(FULL, MINUTE),),
        deadline=2 * MINUTE,
        patience=timedelta(seconds=30),
        unsure_blind=Unsure.HOLD,
        unsure_no_data=Unsure.ROLLBACK,
        if_firing=IfFiring.COMPARE,
        rollback_drain=timedelta(seconds=7),
        keep_baseline=8 * MINUTE,
    )


def test_a_plan_finer_than_the_grain_is_refused_with_the_grain() -> None:
    plan = read_plan("linear 2.5% every 1m").resolve()
    plan.check_grain(Exposure(50))
    with pytest.raises(Invalid) as wrong:
        plan.check_grain(Exposure(100))
    assert str(wrong.value) == "2.5% is finer than this router's grain of 1%.\nUse multiples of 1%."


# --- sentences -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "mapping"),
    [
        ("linear 10% every 1m", {"linear": {"step": "10%", "every": "1m"}}),
        ("linear 2.5% every 90s bake 0s", {"linear": {"step": "2.5%", "every": "90s"}, "bake": "0s"}),
        ("  linear   10%   every   1m   bake   5m  ", {"linear": {"step": "10%", "every": "1m"}, "bake": "5m"}),
        ("canary 10% hold 5m", {"canary": {"first": "10%", "hold": "5m"}}),
        ("canary 10% for 5m bake 1h30m", {"canary": {"first": "10%", "hold": "5m"}, "bake": "1h30m"}),
        ("exponential 10% every 1m", {"exponential": {"factor": "10%", "every": "1m"}}),
        ("all_at_once", {"all_at_once": True}),
        ("all_at_once bake 1m", {"all_at_once": True, "bake": "1m"}),
        ("AppConfig.AllAtOnce bake 1m", {"name": "AppConfig.AllAtOnce", "bake": "1m"}),
        ("codedeploydefault.ecsallatonce", {"name": "CodeDeployDefault.ECSAllAtOnce"}),
    ],
)
def test_a_sentence_is_the_same_as_its_mapping(sentence: str, mapping: dict[str, Any]) -> None:
    assert read_plan(sentence).resolve() == read_plan(mapping).resolve()


@pytest.mark.parametrize("said", ["linear 10% every 1m", "canary 2.5% hold 5m", "exponential 1% every 90s", "all_at_once"])
def test_what_a_plan_says_of_itself_is_a_sentence(said: str) -> None:
    plan = read_plan(said).resolve()
    assert read_plan(plan.said).resolve() == plan


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "sentence",
    [
        *("", " ", "linear", "linear 10%", "linear 10% every", "linear 10 every 1m", "linear 10% 1m", "every 1m linear 10%"),
        *(
            "canary 10%",
            "canary hold 5m",
            "all at once",
            "all_at_once 5m",
            "linear 10% every 1m bake",
            "linear ten% every 1m x",
        ),
        *("linear 10% every 1m bake 5m bake 5m", "linear 10% every 1", "linear 10% every 1m bake 5", "linear 10% every 1:30"),
        *("linear 0.001% every 1m", "linear 200% every 1m", "CodeDeployDefault.ECSLinear5PercentEvery1Minutes", "{linear: 1}"),
        *("linear " * 150_000, "linear " + "%" * 1_000_000 + " every 1m", "linear" + " " * 1_000_000, " bake " * 160_000),
        *("linear 10% every " + "9" * 1_000_000, "x" * 1_000_000, "\x00", "linear 10% every 1m\nlinear 10% every 1m"),
    ],
    ids=lambda sentence: repr(sentence[:30]),
)
def test_a_sentence_that_is_none_is_refused_shortly_and_soon(sentence: str) -> None:
    with pytest.raises(Invalid) as wrong:
        read_plan(sentence)
    assert wrong.value.what.startswith("the plan: ")
    assert len(str(wrong.value)) < 800
    assert wrong.value.mend


# --- what is refused -----------------------------------------------------------------------------------------------------

LINEAR = {"linear": {"step": "10%", "every": "1m"}}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "a plan has one of all_at_once, linear, canary, exponential, adaptive, steps, name; found none.", "Keep one of them."),
    ({"all_at_once": False}, "found none.", "Keep one of them."),
    ({**LINEAR, "all_at_once": True}, "found all_at_once and linear.", "Keep one of them."),
    ({**LINEAR, "holdback": "100%"}, "a holdback of 100% releases nothing.", "Hold back less."),
    ({"steps": [{"exposure": "50%"}, {"exposure": "10%"}]}, "the plan falls from 50% to 10%.", "Exposure only grows"),
    ({"steps": [{"exposure": "90%"}, {"exposure": "80%"}], "holdback": "50%"}, "the plan falls from 90% to 80%.", "Exposure"),
    ({"linear": {"step": "0%", "every": "1m"}}, "linear.step is 0%: the plan would never begin.", "Give at least 0.01%."),
    ({"linear": {"step": "0.01%", "every": "1m"}}, "steps of 0.01% make 10000 steps.", "Use at most 1000."),
    ({"canary": {"first": "0%", "hold": "1m"}}, "canary.first is 0%: the plan would never begin.", "Give at least 0.01%."),
    ({"exponential": {"factor": "0%", "every": "1m"}}, "exponential.factor is 0%: the plan would never begin.", "Give at"),
    (
        {"linear": {"step": "10%", "every": "0s"}},
        "linear.every is 0s: nobody would look.",
        "Give a longer one, or write all_at",
    ),
    ({"canary": {"hold": "0s"}}, "canary.hold is 0s: nobody would look.", "Give a longer one, or write all_at_once."),
    (
        {"exponential": {"every": "0s"}},
        "exponential.every is 0s: nobody would look.",
        "Give a longer one, or write all_at_once.",
    ),
    ({"name": "Linear"}, "'Linear' is no predefined plan.", "Known: CodeDeployDefault.ECSAllAtOnce, "),
    ({**LINEAR, "deadline": "14m"}, "the deadline of 14m is not longer than the plan, which takes 14m.", "Give a longer"),
    (
        {**LINEAR, "deadline": "0s"},
        "the deadline of 0s is not longer than the plan, which takes 14m.",
        "Give a longer deadline",
    ),
    ({**LINEAR, "patience": "4s"}, "a patience of 4s is less than a router may need to obey.", "Give at least 5s."),
    ({**LINEAR, "unsure": {"blind": "promote"}}, "blind cannot be 'promote': who cannot see must not go on.", "Write rollback"),
    ({**LINEAR, "unsure": {"blind": "extend"}}, "blind cannot be 'extend': who cannot see must not go on.", "Write rollback"),
    ({"steps": []}, "'steps': tuple should have at least 1 item after validation, not 0.", "Correct this value"),
    ({"steps": [{"exposure": "1%"}] * 1001}, "'steps': tuple should have at most 1000 items after validation", "Correct"),
    ({"steps": [{"hold": "1m"}]}, "'steps[0].exposure' is missing.", "Add 'exposure'."),
    ({"steps": [{"exposure": "1%", "gate": "x" * 201}]}, "'steps[0].gate': string should have at most 200 characters.", "Corr"),
    ({"steps": [{"exposure": "1%", "hook": {"command": []}}]}, "'steps[0].hook.command': tuple should have at least 1", "Corr"),
    ({"steps": [{"exposure": "1%", "hook": {"command": [""]}}]}, "'steps[0].hook.command[0]': string should have", "Correct"),
    (
        {"steps": [{"exposure": "1%", "hook": {"command": ["x"], "timeout": "0s"}}]},
        "a hook of 0s always fails.",
        "Give it time",
    ),
    ({**LINEAR, "bakes": "5m"}, "unknown key 'bakes'.", "Did you mean 'bake'?"),
    ({"linear": {"steps": "10%", "every": "1m"}}, "unknown key 'linear.steps'", "Did you mean 'step'?"),
    ({"linear": {"step": "10%"}}, "'linear.every' is missing.", "Add 'every'."),
    ({"linear": {"step": 10, "every": "1m"}}, "linear.step: 10 is not a share.", "Write a percentage, as 10%, 2.5% or 0.01%."),
    ({"linear": {"step": "10%", "every": 1}}, "linear.every: 1 is not a duration.", "Write a number with a unit"),
    ({"linear": {"step": "10%", "every": 90}}, "linear.every: 90 is not a duration.", "Write a number with a unit"),  # 1:30
    ({**LINEAR, "bake": True}, "bake: True is not a duration.", "Write a number with a unit"),
    ({**LINEAR, "bake": "-5m"}, "bake: '-5m' is not a duration.", "Write a number with a unit"),
    ({**LINEAR, "bake": "2y"}, "bake: '2y' is not a duration.", "Write a number with a unit"),
    ({**LINEAR, "if_firing": "maybe"}, "'if_firing': input should be 'refuse', 'ignore' or 'compare'.", "Correct this value"),
]


@pytest.mark.parametrize(("written", "what", "mend"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_wrong_plan_is_refused_with_its_sentence(written: dict[str, Any], what: str, mend: str) -> None:
    with pytest.raises(Invalid) as wrong:
        read_plan(written)
    assert wrong.value.what.startswith("the plan: ")
    assert what in wrong.value.what
    assert wrong.value.mend.startswith(mend)


def test_the_place_of_a_wrong_sentence_in_a_larger_document_is_told() -> None:
    class Order(Linear.__base__):  # type: ignore[name-defined,misc]  # any document that holds a plan
        plan: PlanFile

    with pytest.raises(Invalid) as wrong:
        read(Order, {"plan": "linear 10% every 1"}, "the order")
    assert wrong.value.what == "the order: plan: '1' is not a duration."
    assert wrong.value.where == "plan"


# --- hostile -------------------------------------------------------------------------------------------------------------

DEEP: Any = {}
for _ in range(3000):
    DEEP = {"steps": [DEEP]}
HOSTILE: list[Any] = [
    *(
        None,
        True,
        10,
        1.5,
        float("nan"),
        10**5000,
        b"linear",
        [],
        [[]],
        [LINEAR],
        (),
        object(),
        date(2026, 1, 1),
        {1: 2},
        {None: None},
    ),
    *(
        DEEP,
        {"linear": DEEP},
        {"name": DEEP},
        {"x" * 1_000_000: 1},
        {"name": "x" * 1_000_000},
        {(1, 2): 3},
        {"": ""},
        {"\ud800": 1},
    ),
    *(
        {"name": "\ud800"},
        {"linear": {"step": "9" * 1_000_000 + "%", "every": "1m"}},
        {"steps": [{}] * 100_000},
        {"bake": [["5m"]]},
    ),
    *(
        {"linear": {"step": float("inf"), "every": 10**5000}},
        {"steps": "10%"},
        {"steps": {"exposure": "10%"}},
        {"linear": "10%"},
    ),
    *({"all_at_once": "x" * 1_000_000}, {"all_at_once": 10**5000}, {"unsure": "hold"}, {"steps": [None]}, {"steps": [["10%"]]}),
    {"steps": [{"exposure": "1%", "gate": "x" * 1_000_000}]},
    {**LINEAR, **{f"key{number}": number for number in range(100_000)}},
]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("written", HOSTILE, ids=lambda value: type(value).__name__)
def test_whatever_is_given_is_refused_shortly_and_soon(written: object) -> None:
    with pytest.raises(Invalid) as wrong:
        read_plan(written)
    assert len(str(wrong.value)) < 1200
    assert "\n" not in wrong.value.what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["10%", "1m", "hold"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*PlanFile.model_fields, "step", "every", "exposure", "hold", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_whatever_is_written_is_a_plan_or_invalid(written: object) -> None:
    try:
        plan = read_plan(written).resolve()
    except Invalid:
        return
    assert plan.steps


# --- promises ------------------------------------------------------------------------------------------------------------

SHARES = st.integers(0, 10_000).map(Exposure)
SPANS = st.integers(0, 100_000).map(lambda count: count * timedelta(milliseconds=1))
LONGER = st.integers(1, 100_000).map(lambda count: count * timedelta(milliseconds=1))


@st.composite
def plan_files(draw: st.DrawFn) -> PlanFile:
    shape = draw(st.sampled_from(("linear", "canary", "steps", "all_at_once")))
    value: Any = {
        "linear": st.builds(Linear, step=st.integers(10, 10_000).map(Exposure), every=LONGER),
        "canary": st.builds(Canary, first=st.integers(1, 10_000).map(Exposure), hold=LONGER),
        "steps": st.lists(SHARES, min_size=1, max_size=5).map(lambda s: tuple(StepFile(exposure=x) for x in sorted(s))),
        "all_at_once": st.just(True),
    }[shape]
    return PlanFile.model_validate(
        {
            shape: draw(value),
            "bake": draw(st.none() | SPANS),
            "holdback": draw(st.integers(0, 9_999).map(Exposure)),
            "patience": timedelta(seconds=5) + draw(SPANS),
            "unsure": {"blind": draw(st.sampled_from(["hold", "rollback"])), "no_data": draw(st.sampled_from(Unsure))},
            "keep_baseline": draw(SPANS),
        }
    )


@given(plan_files())
def test_every_plan_grows_to_its_largest_exposure_and_bakes_there(file: PlanFile) -> None:
    plan = file.resolve()
    shares = [step.exposure for step in plan.steps]
    assert all(before <= after for before, after in pairwise(shares))
    assert shares[-1] == FULL - file.holdback
    assert len(shares) <= 1001
    assert plan.steps[-1].hold >= (file.bake if file.bake is not None else 5 * MINUTE)
    assert plan.deadline > plan.duration


@given(plan_files())
def test_a_plan_file_survives_being_written_down(file: PlanFile) -> None:
    for text in (file.model_dump_json(), file.model_dump_json(exclude_none=True), file.model_dump_json(exclude_defaults=True)):
        again = PlanFile.model_validate_json(text)
        assert again == file
        assert again.resolve() == file.resolve()


def test_a_plan_file_is_frozen() -> None:
    with pytest.raises(ValidationError):
        PlanFile.default().bake = MINUTE  # type: ignore[misc]


def test_editors_may_take_a_sentence_for_a_plan() -> None:
    kinds = PlanFile.model_json_schema()["anyOf"]
    assert {"type": "string"}.items() <= next(kind for kind in kinds if kind.get("type") == "string").items()
