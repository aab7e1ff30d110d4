"""Following to the end, as a live picture, as lines, or as JSON lines. Three ways to tell one story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from rich.live import Live

from tidegate.cli.answers import Event, Rollout, read_as
from tidegate.cli.board import LAST, TIDY, Picture, board, say_event, say_guard, say_phase
from tidegate.cli.client import Client
from tidegate.cli.ending import Exit, ended, say_ending, say_waiting
from tidegate.cli.figures import clock
from tidegate.cli.follow import Follower, Message
from tidegate.cli.screen import Screen
from tidegate.core.errors import TidegateError
from tidegate.settings import Settings, read_settings

GIVE_UP = 60
"""Seconds without an answer after which nobody waits any longer."""


NOTABLE = ("firing", "blind", "held")
"""States of a guard that are worth a line, when they begin and when they end."""


class Teller(Protocol):
    """Tells what comes, while it is open."""

    def tell(self, message: Message) -> None: ...

    def close(self) -> None: ...


def follow_to_the_end(shown: Screen, rollout: str, *, wait: bool, plain: bool, after: int | None) -> Exit:
    """The exit code says how it ended. `after` is the event from which on it is told."""
    settings = read_settings()
    teller: Teller = Lines(shown)
    if shown.json:
        teller = Json(shown)
    elif shown.live and not plain:
        teller = Painting(shown)
    follower = Follower(settings, rollout=rollout, after=after)
    last: Rollout | None = None
    try:
        with _closing(teller):
            last, how = follow(follower, teller, wait=wait)
            if how in (Exit.COMPLETED, Exit.ROLLED_BACK):
                _tell_the_rest(settings, follower, teller, rollout)
    except KeyboardInterrupt:
        how = Exit.DETACHED
    finally:
        follower.close()
    _tell_end(shown, rollout, last, how)
    return how


def follow(messages: Iterable[Message], teller: Teller, *, wait: bool) -> tuple[Rollout | None, Exit]:
    """Until it ends, waits for a person, or nothing was heard for too long."""
    last: Rollout | None = None
    for message in messages:
        teller.tell(message)
        last = message.status or last
        if message.silent > GIVE_UP:
            return last, Exit.LOST
        if message.status is None:
            continue
        how = ended(message.status)
        if how is not None:
            return last, how
        if message.status.waiting and not wait:
            return last, Exit.WAITING
    raise AssertionError("a follower does not end by itself")


def _tell_the_rest(settings: Settings, follower: Follower, teller: Teller, rollout: str) -> None:
    """What was decided between the last events and the end."""
    try:
        with Client(settings) as client:
            for content in client.get("/events", rollout=rollout, after=follower.told or 0):
                teller.tell(Message(event=read_as(Event, content), raw=content))
    except TidegateError:
        return  # the end is known; its last lines are in `tidegate explain`


@contextmanager
def _closing(teller: Teller) -> Iterator[None]:
    try:
        yield
    finally:
        teller.close()


def _tell_end(shown: Screen, rollout: str, last: Rollout | None, how: Exit) -> None:
    if shown.json:
        shown.json_line({"end": how.name.lower(), "rollout": rollout, "exit": int(how)})
        return
    style = {Exit.COMPLETED: "bold green", Exit.ROLLED_BACK: "bold red"}.get(how, "bold yellow")
    for number, line in enumerate(_say_end(rollout, last, how)):
        shown.line(line, style if number == 0 else None)


def _say_end(rollout: str, last: Rollout | None, how: Exit) -> list[str]:
    service = last.service if last else rollout.rpartition("-")[0]
    match how:
        case Exit.LOST:
            return [
                f"Tidegate has not answered for {GIVE_UP} s. Its tasks and the router go on as they are.",
                f"Look what is wrong: tidegate doctor.  Come back: tidegate watch {service}.",
            ]
        case Exit.DETACHED:
            return [f"{rollout} goes on.", f"Come back: tidegate watch {service}.  Stop it: tidegate abort {service}."]
        case Exit.WAITING if last:
            return say_waiting(last)
        case _ if last:
            return say_ending(last)
    return []


class Painting:
    """A live picture."""

    def __init__(self, shown: Screen) -> None:
        self._shown = shown
        self._picture: Picture | None = None
        self._live = Live(console=shown.out, auto_refresh=False, transient=True)

    def tell(self, message: Message) -> None:
        before = self._picture
        if message.status is not None:
            before = replace(before, rollout=message.status, problem="") if before else Picture(message.status)
        if before is None:
            return
        if message.problem:
            before = replace(before, problem=message.problem)
        told = message.event is not None and message.event.kind != TIDY
        last = [*before.last, message.event][-LAST:] if message.event and told else before.last
        self._picture = replace(before, last=last, lost=message.silent)
        if not self._live.is_started:
            self._live.start()
        self._live.update(self._board(), refresh=True)

    def close(self) -> None:
        """The last picture stays on the screen."""
        if self._live.is_started:
            self._live.stop()
        if self._picture is not None:
            self._shown.say(self._board(foot=False))

    def _board(self, *, foot: bool = True) -> Any:
        picture = self._picture
        return board(picture, self._shown.glyphs, self._shown.out.width, foot=foot) if picture else ""


class Lines:
    """A line for each change: for files, pipes, and terminals that cannot paint."""

    def __init__(self, shown: Screen) -> None:
        self._shown = shown
        self._guards: dict[str, str] = {}
        self._waiting = ""
        self._problem = ""
        self._lost = False

    def tell(self, message: Message) -> None:
        if message.event is not None and message.event.kind != TIDY:
            self._shown.line(f"{clock(message.event.at)}  {say_event(message.event)}")
        if message.status is not None:
            self._tell_status(message.status)
        if message.problem and message.problem != self._problem:
            self._problem = message.problem
            self._shown.line(f"Tidegate is in trouble: {message.problem}")
        if bool(message.silent) != self._lost and (message.silent or message.status):
            self._lost = bool(message.silent)
            self._shown.line("Tidegate does not answer; trying again." if self._lost else "Tidegate answers again.")

    def _tell_status(self, rollout: Rollout) -> None:
        for guard in rollout.guards:
            before = self._guards.get(guard.name, "")
            if guard.state != before and (guard.state in NOTABLE or before in NOTABLE):
                self._shown.line(f"          guard {guard.name}: {guard.state.replace('_', ' ')} ({say_guard(guard)})")
            self._guards[guard.name] = guard.state
        if rollout.waiting and rollout.waiting != self._waiting:
            self._shown.line(f"          {say_phase(rollout)}: {rollout.waiting}")
        self._waiting = rollout.waiting

    def close(self) -> None:
        pass


class Json:
    """A JSON document a line: every event, and how it stands whenever that changes in more than its figures."""

    def __init__(self, shown: Screen) -> None:
        self._shown = shown
        self._before: tuple[object, ...] = ()
        self._problem = ""

    def tell(self, message: Message) -> None:
        if message.event is not None:
            self._shown.json_line({"event": message.raw})
        if message.status is not None:
            now = message.status
            key = (
                now.phase,
                now.step,
                now.wanted,
                now.applied,
                now.paused,
                now.waiting,
                *(guard.state for guard in now.guards),
            )
            if key != self._before:
                self._before = key
                self._shown.json_line({"status": message.raw})
        if message.problem and message.problem != self._problem:
            self._problem = message.problem
            self._shown.json_line({"problem": message.raw})

    def close(self) -> None:
        pass
