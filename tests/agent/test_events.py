"""Server-sent events: whatever pieces they come in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.agent.events import Message, Parser
from tidegate.agent.stream import LONGEST_PAUSE, pause
from tidegate.core.errors import Invalid

TEXT = (
    "retry: 1000\n\n: hello\n"
    "event: snapshot\nid: 7\ndata: {}\n\n"
    "data: one\ndata: two\n\n"
    "event: nothing\n\n"
    "event:exposure\r\ndata:x\r\n\r\n"
)
MESSAGES = [Message(""), Message("snapshot", "{}"), Message("message", "one\ntwo"), Message("exposure", "x")]


def parsed(pieces: list[str]) -> list[Message]:
    return feed(Parser(), pieces)


@given(st.lists(st.integers(0, len(TEXT))))
def test_messages_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    assert parsed([TEXT[begin:end] for begin, end in pairwise(places)]) == MESSAGES


@given(st.lists(st.text()))
def test_no_text_breaks_the_parser(pieces: list[str]) -> None:
    parsed(pieces)


def test_a_message_that_did_not_end_is_none() -> None:
    assert parsed(["event: snapshot\ndata: {}\n"]) == []


@pytest.mark.parametrize("piece", ["data: xxxx", "data: xxxx\n"])
def test_an_event_that_never_ends_is_given_up(piece: str) -> None:
    with pytest.raises(Invalid, match="more than 1,000 letters"):
        feed(Parser(longest=1000), [piece] * 300)


def test_comments_and_events_for_days_are_no_long_event() -> None:
    assert len(feed(Parser(longest=100), [": still here\n\n" * 100, "data: x\n\n" * 100] * 3)) == 600


def feed(parser: Parser, pieces: list[str]) -> list[Message]:
    return [message for piece in pieces for message in parser.feed(piece)]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_and_end_at_a_few_seconds(failures: int, drawn: float) -> None:
    assert 0.05 <= pause(failures, drawn) <= LONGEST_PAUSE
    assert pause(failures + 1, drawn) >= pause(failures, drawn)
