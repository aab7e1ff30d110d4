"""What is told while a rollout goes on, whatever comes."""

from __future__ import annotations

import io
import socketserver
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from tests.cli.pictures import EVENTS, GUARDS, rollout
from tidegate.cli.answers import Rollout
from tidegate.cli.ending import Exit
from tidegate.cli.follow import Message, read_messages
from tidegate.cli.screen import Screen
from tidegate.cli.watching import GIVE_UP, Json, Lines, Painting, Teller, follow


def _screen(*, terminal: bool = False, as_json: bool = False, width: int = 80) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, height=40, markup=False, emoji=False, highlight=False)
    return Screen(console, console, as_json), out


def _go(messages: list[Message], *, wait: bool = False, teller: Teller | None = None) -> Exit:
    shown, _ = _screen()
    _, how = follow(messages, teller or Lines(shown), wait=wait)
    return how


def test_a_minute_without_an_answer_is_lost() -> None:
    assert _go([Message(status=rollout()), Message(silent=GIVE_UP + 1)]) is Exit.LOST


def test_a_short_silence_is_not() -> None:
    ended = Message(status=rollout(phase="completed", in_flight=False))
    assert _go([Message(silent=30), Message(silent=GIVE_UP - 1), ended]) is Exit.COMPLETED


def test_a_pause_is_not_waited_for_but_a_gate_is() -> None:
    ended = Message(status=rollout(phase="rolled_back", in_flight=False, reason="x"))
    assert _go([Message(status=rollout(paused=True)), ended]) is Exit.ROLLED_BACK
    assert _go([Message(status=rollout(waiting="look")), ended]) is Exit.WAITING
    assert _go([Message(status=rollout(waiting="look")), ended], wait=True) is Exit.ROLLED_BACK


def test_lines_tell_a_silence_and_its_end_once() -> None:
    shown, out = _screen()
    teller = Lines(shown)
    for silent in (3.0, 4.0, 5.0):
        teller.tell(Message(silent=silent))
    teller.tell(Message(status=rollout()))
    teller.tell(Message(status=rollout()))
    assert out.getvalue().count("does not answer") == 1
    assert out.getvalue().count("answers again") == 1


def test_lines_tell_a_guard_when_it_changes_and_never_its_figures() -> None:
    shown, out = _screen()
    teller = Lines(shown)
    for state, figure in (("ok", "0.1%"), ("ok", "0.2%"), ("firing", "3%"), ("firing", "4%"), ("ok", "0.1%")):
        teller.tell(Message(status=rollout(guards=(("errors", state, figure),))))
    assert [line.split()[1:3] for line in out.getvalue().splitlines()] == [["errors:", "firing"], ["errors:", "ok"]]


def test_json_tells_how_it_stands_only_when_more_than_figures_changed() -> None:
    shown, out = _screen(as_json=True)
    teller = Json(shown)
    for served in (0.1, 0.2, 0.3):
        teller.tell(Message(status=rollout(served=served), raw={"served": served}))
    teller.tell(Message(status=rollout(applied="10%"), raw={"applied": "10%"}))
    assert out.getvalue().splitlines() == ['{"status": {"served": 0.1}}', '{"status": {"applied": "10%"}}']


def test_a_picture_is_painted_over_and_its_last_state_stays() -> None:
    shown, out = _screen(terminal=True)
    teller = Painting(shown)
    teller.tell(Message(status=rollout()))
    for event in EVENTS:
        teller.tell(Message(event=event))
    teller.tell(Message(silent=4))
    teller.tell(Message(status=rollout(applied="30%")))
    teller.close()
    said = out.getvalue()
    assert "\x1b[" in said
    assert "not answered for 4 s" in said
    assert said.rstrip().endswith("10% was watched for 1m: good")


def test_nothing_is_painted_before_anything_is_known() -> None:
    shown, out = _screen(terminal=True)
    teller = Painting(shown)
    teller.tell(Message(event=EVENTS[0]))
    teller.close()
    assert out.getvalue() == ""


def test_decisions_about_tidying_up_are_not_told() -> None:
    shown, out = _screen()
    tidy = EVENTS[0].__class__(9, datetime.now(UTC), "tidy", "web", "web-2", "tidegate", "the slot is empty", {})
    Lines(shown).tell(Message(event=tidy))
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_no_colours_means_no_painting(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown, _ = _screen(terminal=terminal)
    assert not shown.live


def test_server_sent_events_are_read_over_comments_and_broken_lines() -> None:
    text = 'retry: 1000\n\n: here\n\nid: 7\nevent: event\ndata: {"a":\ndata: 1}\n\nevent: status\ndata: null\n\nevent: lost'
    assert list(read_messages(iter(text.split("\n")))) == [("event", "7", {"a": 1}), ("status", "7", None)]


def test_a_hold_is_shown_to_the_second() -> None:
    shown, out = _screen(terminal=True)
    teller = Painting(shown)
    teller.tell(Message(status=rollout(watched=timedelta(seconds=26.4), left=timedelta(seconds=753.6))))
    teller.close()
    assert "held 26s of 1m" in out.getvalue()
    assert "12m34s left" in out.getvalue()


def test_what_troubles_the_controller_is_told_once() -> None:
    for as_json in (False, True):
        shown, out = _screen(as_json=as_json)
        teller: Teller = Json(shown) if as_json else Lines(shown)
        for _ in range(3):
            teller.tell(Message(problem="The disk is full.", raw={"detail": "The disk is full."}))
        assert out.getvalue().count("The disk is full.") == 1
    shown, out = _screen(terminal=True)
    painting = Painting(shown)
    painting.tell(Message(status=rollout()))
    painting.tell(Message(problem="The disk is full."))
    assert "Tidegate is in trouble: The disk is full." in out.getvalue()
    painting.close()


def test_a_guard_without_data_is_not_worth_a_line() -> None:
    shown, out = _screen()
    teller = Lines(shown)
    for state in ("no_data", "ok", "no_data", "ok"):
        teller.tell(Message(status=rollout(guards=(("errors", state, ""),))))
    assert out.getvalue() == ""


class Flood(socketserver.StreamRequestHandler):
    """A controller that tells how it stands without a pause."""

    def handle(self) -> None:
        long = rollout(guards=GUARDS * 2000)  # so that it is being read when its reader leaves
        message = b"event: status\ndata: " + TypeAdapter(Rollout).dump_json(long) + b"\n\n"
        with suppress(OSError):
            self.request.recv(4096)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            for _ in range(1_000):
                self.wfile.write(message)


WHO_LEAVES = """
import sys
import time
from pathlib import Path
from tidegate.cli.follow import Follower
from tidegate.settings import Settings

for message in Follower(Settings(home=Path(sys.argv[1]), database=""), rollout="web-12"):
    if message.status is not None:
        time.sleep(float(sys.argv[2]))
        break
"""


@pytest.mark.real
def test_whoever_leaves_while_messages_come_leaves_with_his_own_exit_code(tmp_path: Path) -> None:
    """A thread that Python ends inside compiled code may take the whole process with it."""

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(tmp_path / "api.sock"), Flood) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            for number in range(8):
                command = [sys.executable, "-c", WHO_LEAVES, str(tmp_path), str(0.1 + number / 100)]
                done = subprocess.run(command, capture_output=True, check=False, timeout=60)
                assert (done.returncode, done.stderr) == (0, b"")
        finally:
            server.shutdown()
            thread.join()
