"""Sessions of clients that poll: each token counts once, in bounded memory, and who is there is known."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.engine.sessions import Poll, Sessions, SessionsSeen

MINUTE = timedelta(minutes=1)


class Client:
    """Polls as one should. `token` is what it holds."""

    def __init__(self, sessions: Sessions, name: str, subject: str = "shop/prod", interval: timedelta = MINUTE) -> None:
        self.sessions = sessions
        self.token = Poll(name, subject, 0, sessions.take_number(), sessions.life, interval)

    def poll(self, token: Poll | None = None, call: str = "") -> bool:
        used = token or self.token
        number = self.sessions.take(Poll(used.session, used.subject, used.turn, used.number, used.life, used.interval, call))
        if number is not None:
            self.token = Poll(used.session, used.subject, used.turn + 1, number, self.sessions.life, used.interval)
        return number is not None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_counts_once_and_the_next_one_goes_on() -> None:
    client = Client(Sessions(life="a"), "s1")
    first = client.token
    assert client.poll()
    assert not client.poll(first)
    second = client.token
    assert client.poll()
    assert not client.poll(first)
    assert not client.poll(second)
    assert client.poll()


def test_a_call_that_is_tried_again_is_the_same_use() -> None:
    client = Client(Sessions(life="a"), "s1")
    first = client.token
    assert client.poll(first, call="x")
    assert client.poll(first, call="x")  # its answer was lost
    assert not client.poll(first, call="y")
    assert client.poll(call="z")
    assert not client.poll(first, call="x")


def test_a_call_without_a_name_is_never_the_same() -> None:
    client = Client(Sessions(life="a"), "s1")
    first = client.token
    assert client.poll(first, call="")
    assert not client.poll(first, call="")


def test_a_new_controller_goes_on_with_the_tokens_of_the_one_before() -> None:
    client = Client(Sessions(life="a"), "s1")
    assert client.poll()
    client.sessions = Sessions(life="b")
    held = client.token
    assert client.poll()
    assert not client.poll(held)
    assert client.poll()


def test_of_a_session_that_was_forgotten_no_token_counts_any_more() -> None:
    sessions = Sessions(life="b", most=3)
    old = Client(Sessions(life="a"), "old")
    old.sessions = sessions
    held, unused = old.token, Client(sessions, "started before")
    assert old.poll()
    for number in range(4):
        assert Client(sessions, f"s{number}").poll()
    assert sessions.of("shop/prod").count == 3
    assert not old.poll(held)
    assert not old.poll()
    assert not unused.poll()  # nobody could say any more whether it was used
    assert Client(sessions, "begun anew").poll()


def test_who_has_polled_last_is_forgotten_last() -> None:
    sessions = Sessions(life="a", most=3)
    busy = Client(sessions, "busy")
    for number in range(20):
        assert busy.poll()
        assert Client(sessions, f"s{number}").poll()


def test_memory_is_bounded_however_many_come() -> None:
    sessions = Sessions(life="a", most=100)
    for number in range(1000):
        assert Client(sessions, f"s{number}").poll()
    assert sessions.of("shop/prod").count == 100


def test_those_are_there_that_have_polled_lately() -> None:
    clock = Clock()
    sessions = Sessions(life="a", monotonic=clock)
    assert sessions.of("shop/prod") == SessionsSeen()
    assert Client(sessions, "s1").poll()
    assert Client(sessions, "s2", interval=timedelta(hours=1)).poll()
    assert Client(sessions, "s3", "shop/stage").poll()
    Client(sessions, "started, and never polled")
    assert sessions.of("shop/prod") == SessionsSeen(2, timedelta(hours=1))
    clock.now += 16 * 60
    assert sessions.of("shop/prod") == SessionsSeen(1, timedelta(hours=1))
    clock.now += 2 * 60 * 60
    assert sessions.of("shop/prod") == SessionsSeen()


def test_after_a_day_of_silence_a_session_is_forgotten() -> None:
    clock = Clock()
    sessions = Sessions(life="a", monotonic=clock)
    silent = Client(sessions, "s1")
    assert silent.poll()
    clock.now += 24 * 3600 + 1
    assert Client(sessions, "s2").poll()
    assert not silent.poll()


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=80), st.integers(1, 5))
def test_no_token_is_ever_used_twice(steps: list[tuple[int, bool]], most: int) -> None:
    sessions = Sessions(life="a", most=most)
    clients = [Client(sessions, f"s{number}") for number in range(7)]
    used: list[tuple[Client, Poll]] = []
    for who, replays in steps:
        if replays and used:
            client, token = used[who % len(used)]
            assert not client.poll(token)
            continue
        client = clients[who]
        token = client.token
        if client.poll():
            used.append((client, token))
        else:  # it was forgotten: begin a new session
            clients[who] = Client(sessions, f"s{who}-{len(used)}-{token.number}")
