"""Pilots beside the loop: each in a thread of its own. The pilots here ask nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.support.walk import until
from tidegate.core.errors import Refused, Unreachable
from tidegate.drivers.aws.flights import Flights

LIMIT = 60


class Counted:
    """Counts its turns."""

    def __init__(self, does: Callable[[], bool] = lambda: True) -> None:
        self.turns = 0
        self.thread = ""
        self._does = does

    def turn(self) -> bool:
        self.turns += 1
        self.thread = threading.current_thread().name
        return self._does()


@pytest.fixture
def flights() -> Iterator[Flights[Counted]]:
    flights = Flights[Counted](soon=timedelta(milliseconds=1))
    keeper = threading.Thread(target=flights.run, daemon=True)
    keeper.start()
    yield flights
    flights.stop()
    keeper.join(LIMIT)
    assert not keeper.is_alive()


def flies(pilot: Counted) -> None:
    before = pilot.turns
    until(lambda: pilot.turns > before + 1, LIMIT, "it flies")


def threads_of(subject: str) -> int:
    return sum(thread.name.endswith(f"-{subject}") for thread in threading.enumerate())


def test_who_waits_for_aws_keeps_up_nobody_else(flights: Flights[Counted]) -> None:
    answered = threading.Event()
    stuck = flights.begin("stuck", Counted(lambda: answered.wait(LIMIT)))
    flies(flights.begin("web", Counted()))
    assert stuck.turns <= 1
    answered.set()
    flies(stuck)


def test_a_poke_is_no_matter_how_long_the_next_turn_could_wait(flights: Flights[Counted]) -> None:
    pilot = flights.begin("web", Counted(lambda: False))
    until(lambda: pilot.turns == 1, LIMIT, "it looked")
    flights.poke("web")
    until(lambda: pilot.turns >= 2, LIMIT, "it looked again")


def test_who_is_gone_ends_and_who_comes_again_under_his_name_flies(flights: Flights[Counted]) -> None:
    first = flights.begin("web", Counted())
    flies(first)
    flights.keep([])
    second = flights.begin("web", Counted())
    flies(second)
    until(lambda: threads_of("web") == 1, LIMIT, "one thread")
    flights.keep([])
    until(lambda: threads_of("web") == 0, LIMIT, "no thread")


def test_another_pilot_of_the_same_subject_flies_in_the_place_of_the_first(flights: Flights[Counted]) -> None:
    flies(flights.begin("web", Counted()))
    second = flights.begin("web", Counted())
    flies(second)
    assert threads_of("web") == 1


def test_a_turn_that_fails_unforeseen_is_not_the_last_one(flights: Flights[Counted]) -> None:
    def fails() -> bool:
        raise ValueError("unforeseen")

    pilot = flights.begin("web", Counted(fails))
    until(lambda: pilot.turns == 1, LIMIT, "it failed")
    flights.poke("web")
    until(lambda: pilot.turns >= 2, LIMIT, "it flies on")


def test_stopping_ends_every_thread_whatever_it_waits_for() -> None:
    flights = Flights[Counted](soon=timedelta(hours=1), beside=lambda _: timedelta(hours=1))
    keeper = threading.Thread(target=flights.run, daemon=True)
    keeper.start()
    pilot = flights.begin("stops", Counted())
    until(lambda: pilot.turns == 1 and threads_of("stops") == 2, LIMIT, "both wait")
    flights.stop()
    until(lambda: threads_of("stops") == 0 and not keeper.is_alive(), LIMIT, "all have ended")


def test_what_is_refused_is_a_problem_until_it_goes_and_silence_is_none() -> None:
    flights = Flights[Counted](soon=timedelta(seconds=1))
    said: list[Exception] = [Refused("It may not.", "Let it."), Unreachable("Nobody answers.")]

    def turn() -> bool:
        if said:
            raise said.pop(0)
        return False

    flights.begin("web", Counted(turn))
    assert (flights.turn("web"), flights.problems) == (False, {"web": "It may not. Let it."})
    assert (flights.turn("web"), flights.problems) == (True, {"web": "It may not. Let it."})
    assert (flights.turn("web"), flights.problems) == (False, {})
    assert not flights.turn("nobody")
