from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.core.alarm import AlarmFile, Missing
from tidegate.core.alarm_evaluation import evaluate, evaluate_all
from tidegate.core.alarm_state import AlarmSeen, AlarmState, Datapoint

OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
PERIOD = timedelta(seconds=10)
START = datetime(2026, 1, 1, tzinfo=UTC)


def alarm(datapoints: str = "3 of 3", missing: str = "missing", **more: Any) -> AlarmFile:
    content = {"metric": "error_rate", "above": "1%", "datapoints": datapoints, "missing": missing, **more}
    return AlarmFile.model_validate({"name": "errors", **content})


def points(drawn: str) -> list[Datapoint]:
    """`0` fine, `X` breaching, `-` missing, `?` blind; the newest on the right."""
    values = {"0": 0.002, "X": 0.052}
    marks = drawn.replace(" ", "")
    return [Datapoint(START + PERIOD * i, values.get(mark), blind=mark == "?") for i, mark in enumerate(marks, 1)]


def state(drawn: str, previous: AlarmState | None = None, **more: Any) -> AlarmState:
    return evaluate(alarm(**more), points(drawn), previous).state


# The two tables of "Configuring how CloudWatch alarms treat missing data" (Amazon CloudWatch User Guide), in its columns
# missing, ignore, breaching, notBreaching. The evaluation range is 5; RETAIN keeps the current state.
RETAIN = None
TABLES = [
    ("3 of 3", "0 - X - X", OK, OK, OK, OK),
    ("3 of 3", "0 - - - -", OK, OK, OK, OK),
    ("3 of 3", "- - - - -", NO_DATA, RETAIN, ALARM, OK),
    ("3 of 3", "0 X X - X", ALARM, ALARM, ALARM, ALARM),
    ("3 of 3", "- - X - -", ALARM, RETAIN, ALARM, OK),
    ("2 of 3", "0 - X - X", ALARM, ALARM, ALARM, ALARM),
    ("2 of 3", "0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
    ("2 of 3", "0 - X - -", OK, OK, ALARM, OK),
    ("2 of 3", "- - - - 0", OK, OK, ALARM, OK),
    ("2 of 3", "- - - X -", ALARM, RETAIN, ALARM, OK),
]
CELLS = [
    (datapoints, drawn, treatment, wanted)
    for datapoints, drawn, *states in TABLES
    for treatment, wanted in zip(Missing, (states[0], states[1], states[2], states[3]), strict=True)
]


@pytest.mark.parametrize("previous", AlarmState)
@pytest.mark.parametrize(("datapoints", "drawn", "treatment", "wanted"), CELLS)
def test_every_cell_of_the_documented_tables(
    datapoints: str, drawn: str, treatment: Missing, wanted: AlarmState | None, previous: AlarmState
) -> None:
    assert state(drawn, previous, datapoints=datapoints, missing=treatment) is (wanted or previous)


@pytest.mark.parametrize("drawn", ["- - - - X", "- - - X -"])
def test_a_lone_breaching_figure_that_is_young_is_no_alarm_yet(drawn: str) -> None:
    assert state(drawn) is OK


def test_a_good_figure_that_leaves_the_range_leaves_the_missing_ones_to_decide() -> None:
    """As the documentation says of its second row: OK now, ALARM at the next evaluation."""
    assert state("0 - - - -", missing="breaching") is OK
    assert state("0 - - - - -", missing="breaching") is ALARM


def test_a_lone_breaching_figure_stays_an_alarm_until_it_leaves_the_range() -> None:
    drawn = "X"
    states = [state(drawn := f"{drawn} -", OK) for _ in range(6)]
    assert states == [OK, ALARM, ALARM, ALARM, NO_DATA, NO_DATA]


def test_before_the_first_period_has_ended_nothing_is_known() -> None:
    for treatment in (Missing.MISSING, Missing.BREACHING, Missing.NOT_BREACHING):
        seen = evaluate(alarm(missing=treatment), [])
        assert seen.state is NO_DATA
        assert seen.why == "error_rate: no period of 10s has ended yet"
    assert state("", ALARM, missing="ignore") is ALARM


def test_periods_before_the_alarm_began_do_not_count_as_breaching() -> None:
    assert state("-", missing="breaching") is OK
    assert state("- -", missing="breaching") is OK
    assert state("- - -", missing="breaching") is ALARM


@pytest.mark.parametrize("treatment", Missing)
@pytest.mark.parametrize("previous", AlarmState)
def test_blind_periods_are_neither_good_nor_bad(treatment: Missing, previous: AlarmState) -> None:
    seen = evaluate(alarm(missing=treatment), points("? ? ? ? ?"), previous)
    assert (seen.state, seen.blind) == (previous, True)


def test_the_newest_period_blind_is_told_although_older_figures_decide() -> None:
    seen = evaluate(alarm(datapoints="1 of 1"), points("0 0 ?"))
    assert (seen.state, seen.blind) == (OK, True)


def test_a_blind_period_that_nobody_needs_is_not_told() -> None:
    seen = evaluate(alarm(datapoints="2 of 3"), points("0 ? 0 0 0"))
    assert (seen.state, seen.blind) == (OK, False)


def test_enough_breaching_figures_are_an_alarm_although_some_periods_were_blind() -> None:
    assert state("X ? ? ? X", datapoints="2 of 3") is ALARM


@pytest.mark.parametrize(
    ("content", "drawn", "why"),
    [
        ({"datapoints": "2 of 3"}, "0 X X", "error_rate 5.2% above 1% in 2 of 3 periods of 10s"),
        ({"datapoints": "2 of 3"}, "X X 0", "error_rate 5.2% above 1% in 2 of 3 periods of 10s"),
        ({"datapoints": "2 of 3"}, "0 0 0", "error_rate 0.2% not above 1% in 3 of 3 periods of 10s"),
        ({"datapoints": "1 of 1"}, "X", "error_rate 5.2% above 1% in 1 of 1 period of 10s"),
        ({}, "- - - - -", "error_rate: no data in the last 5 periods of 10s"),
        ({"missing": "breaching"}, "- - - - -", "error_rate: no data in the last 5 periods of 10s, which counts as breaching"),
        ({}, "- - X - -", "error_rate 5.2% above 1% in 1 of 3 periods of 10s, 4 without data"),
        (
            {"datapoints": "2 of 3", "missing": "breaching"},
            "- - - - 0",
            "error_rate 0.2% not above 1% in 1 of 3 periods of 10s, 4 without data, which counts as breaching",
        ),
        (
            {},
            "? ? ? ? ?",
            "error_rate: nobody could look in 5 of the last 5 periods of 10s",
        ),
        ({"of": "service"}, "0 0 0", "error_rate of the service 0.2% not above 1% in 3 of 3 periods of 10s"),
    ],
)
def test_it_says_why_in_one_sentence_with_its_units(content: dict[str, Any], drawn: str, why: str) -> None:
    assert evaluate(alarm(**content), points(drawn)).why == why


def test_the_figure_that_is_shown_explains_the_state() -> None:
    seen = evaluate(alarm(datapoints="2 of 3"), points("X X 0"))
    assert (seen.state, seen.figure, seen.limit, seen.value) == (ALARM, "5.2%", "above 1%", 0.052)


def reread(drawn: str, m: int, n: int, treatment: Missing, previous: AlarmState) -> AlarmState:
    """The documented rules once more, in another way: by writing out what is filled in."""
    window = drawn[-(n + 2) :]
    real = window.replace("-", "")
    if len(real) >= n:
        return ALARM if real[-n:].count("X") >= m else OK
    gaps = "-" * min(n - len(real), window.count("-"))
    if not window:
        return previous if treatment is Missing.IGNORE else NO_DATA
    if treatment in (Missing.BREACHING, Missing.NOT_BREACHING):
        filled = real + gaps.replace("-", "X" if treatment is Missing.BREACHING else "0")
        return ALARM if filled.count("X") >= m else OK
    if real.count("X") >= m:
        return ALARM
    if "0" in real:
        return OK
    if treatment is Missing.IGNORE:
        return previous
    if not real:
        return NO_DATA
    return ALARM if len(window.lstrip("-")) >= m else OK


@given(
    drawn=st.text(alphabet="0X-", max_size=14),
    n=st.integers(1, 6),
    data=st.data(),
    treatment=st.sampled_from(Missing),
    previous=st.sampled_from(AlarmState),
)
def test_it_agrees_with_a_second_reading_of_the_rules(
    drawn: str, n: int, data: st.DataObject, treatment: Missing, previous: AlarmState
) -> None:
    m = data.draw(st.integers(1, n))
    assert state(drawn, previous, datapoints=f"{m} of {n}", missing=treatment) is reread(drawn, m, n, treatment, previous)


@given(drawn=st.text(alphabet="0X-?", max_size=12), treatment=st.sampled_from(Missing), previous=st.sampled_from(AlarmState))
@example(drawn="X-?", treatment=Missing.NOT_BREACHING, previous=ALARM)
def test_going_blind_never_makes_an_alarm_nor_ends_one_without_a_figure(
    drawn: str, treatment: Missing, previous: AlarmState
) -> None:
    seen = evaluate(alarm("2 of 3", treatment), points(f"{drawn}?"), previous)
    assert seen.blind
    real = f"{drawn}?"[-5:].replace("-", "").replace("?", "")[-3:]
    if seen.state is ALARM and previous is not ALARM:
        assert real.count("X") >= 2
    if seen.state is not ALARM and previous is ALARM:
        assert "0" in real


def test_older_figures_than_the_range_change_nothing() -> None:
    assert state("X X X X X X 0 0 0 0 0") is state("0 0 0 0 0") is OK


ERRORS = AlarmFile.model_validate({"name": "errors", "metric": "error_rate", "above": "1%", "rollback": False})
SLOW = AlarmFile.model_validate({"name": "slow", "metric": "p99", "above": "800ms", "rollback": False})


def composite(when: str, errors: str, slow: str) -> AlarmSeen:
    both = AlarmFile(name="both", when=when)
    figures = {"errors": points(errors), "slow": [Datapoint(p.at, p.value and p.value * 100, p.blind) for p in points(slow)]}
    return evaluate_all([both, ERRORS, SLOW], figures, {"slow": OK})["both"]


def test_a_composite_alarm_follows_its_rule() -> None:
    assert composite("ALARM(errors) AND ALARM(slow)", "X", "X").state is ALARM
    assert composite("ALARM(errors) AND ALARM(slow)", "X", "0").state is OK
    assert composite("ALARM(errors) AND INSUFFICIENT_DATA(slow)", "X", "-").state is ALARM


def test_a_composite_alarm_says_whose_states_made_it() -> None:
    seen = composite("ALARM(errors) AND ALARM(slow)", "X", "X")
    assert seen.why == "ALARM(errors) AND ALARM(slow): errors is ALARM, slow is ALARM"


def test_a_composite_alarm_that_hangs_on_missing_data_is_not_called_good() -> None:
    assert composite("ALARM(errors) AND ALARM(slow)", "X", "-").state is NO_DATA
    assert composite("ALARM(errors) AND ALARM(slow)", "0", "-").state is OK, "whatever slow is, the rule is false"


def test_a_composite_alarm_that_hangs_on_a_blind_one_is_blind() -> None:
    assert composite("ALARM(errors) OR ALARM(slow)", "0", "?").blind
    assert not composite("ALARM(errors) AND ALARM(slow)", "0", "?").blind
    assert composite("ALARM(errors) OR ALARM(slow)", "X", "?").state is ALARM


def test_all_alarms_are_answered_in_the_order_in_which_they_were_asked() -> None:
    both = AlarmFile(name="both", when="ALARM(errors)")
    assert list(evaluate_all([both, SLOW, ERRORS], {}, {})) == ["both", "slow", "errors"]
