"""The course of a rollout: bounded, honest about what was not seen, and kept beyond a restart and the end."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.exposure import Exposure
from tidegate.engine.course import MOST, Course, Drawn, Point, point_of
from tidegate.engine.view import Figures

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def course_of(seconds: int) -> Course:
    course = Course()
    for second in range(seconds):
        drawn = Drawn(BEGIN, BEGIN + timedelta(seconds=second), Exposure(1000), Exposure(1000))
        if course.due(drawn):
            course = course.add(point_of(drawn))
    return course


@given(st.integers(1, 2000))
def test_a_course_is_bounded_and_keeps_its_beginning_and_spans_the_whole_time(seconds: int) -> None:
    course = course_of(seconds)
    assert len(course.points) <= MOST
    assert course.points[0].at == 0
    assert seconds - 1 - course.points[-1].at < course.every
    ats = [point.at for point in course.points]
    assert ats == sorted(set(ats))


@pytest.mark.parametrize("seconds", [3, 100, 300, 1000, 4000])
def test_a_course_that_was_kept_goes_on_as_often_as_before(seconds: int) -> None:
    course = course_of(seconds)
    assert Course.from_rows(course.to_rows()) == course


def test_points_after_a_moment_are_those_that_a_reader_does_not_have() -> None:
    assert [point.at for point in course_of(5).after(2.0)] == [3.0, 4.0]


def test_the_moment_that_decided_is_drawn_though_it_is_not_time_yet() -> None:
    course = course_of(3)
    soon = Drawn(BEGIN, BEGIN + timedelta(seconds=2.3), Exposure(1000), Exposure(1000))
    assert not course.due(soon)
    assert course.due(replace(soon, applied=Exposure(0)))
    assert course.due(replace(soon, log_evidence=math.log(1001), limit=1000))


def test_what_was_not_seen_is_none_and_never_zero() -> None:
    point = point_of(Drawn(BEGIN, BEGIN + timedelta(seconds=3), Exposure(2500), None))
    assert point == Point(3.0, 0.25)


def test_the_evidence_climbs_from_nothing_to_its_limit() -> None:
    def climbed(evidence: float) -> float | None:
        moment = Drawn(BEGIN, BEGIN, Exposure(0), None, log_evidence=math.log(evidence), limit=1000.0)
        return point_of(moment).evidence

    assert [climbed(one) for one in (0.001, 1.0, 1000**0.5, 1000.0, 1e30)] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_both_sides_are_drawn() -> None:
    sides = {"baseline": Figures(per_second=12.3456, error_rate=0.0), "candidate": Figures(p99=81.234, error_rate=0.12345)}
    point = point_of(Drawn(BEGIN, BEGIN, Exposure(0), Exposure(100), 0.0101, sides))
    assert (point.applied, point.served, point.baseline_rate, point.baseline_errors) == (0.01, 0.0101, 12.3, 0.0)
    assert (point.candidate_rate, point.candidate_errors, point.candidate_p99) == (None, 0.123, 81.2)


@pytest.mark.parametrize("rows", [[["x"]], [[1.0, "y"]], [[1.0] * 20], [[None, 1.0]]])
def test_what_is_no_course_is_refused(rows: list[list[float | None]]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Course.from_rows(rows)
