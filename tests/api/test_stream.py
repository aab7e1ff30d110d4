"""Both doors and the stream, for real: a unix socket, a port, server-sent events."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.api.asking import sent
from tests.support.served import TOKEN, WEB, House, Line
from tidegate.api.serve import Serving
from tidegate.cli.follow import read_messages
from tidegate.core.errors import Refused, Unreachable


@pytest.fixture
def serving(house: House) -> Iterator[Serving]:
    serving = house.serve(_free_port())
    yield serving
    serving.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _client(serving: Serving) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(serving.socket))
    with httpx2.Client(transport=transport, base_url="http://tidegate/v1", timeout=10) as client:
        yield client


@contextlib.contextmanager
def _stream(serving: Serving, query: str, **headers: str) -> Iterator[Iterator[tuple[str, str, Any]]]:
    with _client(serving) as client, client.stream("GET", f"/stream?{query}", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield read_messages(answer.iter_lines())


def test_the_socket_is_its_users_alone_and_knows_who_asks(serving: Serving, house: House) -> None:
    assert stat.S_IMODE(serving.socket.stat().st_mode) == 0o600
    with _client(serving) as client:
        assert client.get("/services").json() == []
        client.post("/services/web/deploy", json={"file": sent(WEB), "version": "v1"}).raise_for_status()
    assert house.rollout().by == pwd.getpwuid(os.getuid()).pw_name


def test_the_port_answers_on_loopback_and_wants_the_token_for_changes(serving: Serving) -> None:
    base = f"http://127.0.0.1:{serving.port}/v1"
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{base}/services").json() == []
        assert client.post(f"{base}/abort").status_code == 401
        assert client.post(f"{base}/abort", headers={"Authorization": f"Bearer {TOKEN}"}).json() == []


def test_what_is_no_http_is_ended(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 this is no request\r\n\r\n")
        assert b"400" in raw.recv(1000)


def test_a_second_tidegate_of_one_home_is_refused_and_the_first_goes_on(serving: Serving, house: House) -> None:
    with pytest.raises(Refused, match="Another Tidegate already listens"):
        house.serve()
    with _client(serving) as client:
        assert client.get("/services").status_code == 200


def test_a_stale_socket_is_replaced(house: House) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(house.home / "api.sock"))
    left.close()
    serving = house.serve()
    with _client(serving) as client:
        assert client.get("/services").status_code == 200
    serving.stop()
    assert not serving.socket.exists()
    assert not serving.alive
    assert sorted(path.name for path in house.home.glob("api.sock*")) == []


def test_a_taken_port_is_refused_with_its_mend_and_leaves_nothing(house: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Refused, match="is taken") as refused:
            house.serve(other.getsockname()[1])
    assert "TIDEGATE_PORT" in refused.value.mend
    assert not (house.home / "api.sock").exists()


def test_who_stops_later_does_not_take_the_next_ones_socket(house: House) -> None:
    first = house.serve()
    first.socket.unlink()
    second = house.serve()
    first.stop()
    with _client(second) as client:
        assert client.get("/services").status_code == 200
    second.stop()


def test_the_stream_tells_every_new_event_and_goes_on_after_the_last_one_heard(serving: Serving, house: House) -> None:
    house.run("v1")
    with _stream(serving, "service=web&after=0") as messages:
        events = _events(messages, 3)
    ids = [int(id_) for _, id_, _ in events]
    assert ids == sorted(ids)
    assert events[0][2]["kind"] == "started"
    with _stream(serving, "service=web", **{"Last-Event-ID": str(ids[1])}) as messages:
        assert int(_events(messages, 1)[0][1]) == ids[2]


def test_the_stream_begins_now_unless_told_otherwise(serving: Serving, house: House) -> None:
    house.run("v1")
    with _stream(serving, "service=web") as messages:
        assert next(messages)[0] == "status"
        house.deploy("v2")
        (event,) = _events(messages, 1)
    assert (event[2]["kind"], event[2]["rollout"]) == ("started", "web-2")


def test_one_connection_carries_how_the_rollout_stands(serving: Serving, house: House) -> None:
    house.begun("v2")
    with _stream(serving, "rollout=web-2") as messages:
        seen = _statuses(messages, 1)[0]
        assert (seen["id"], seen["phase"], seen["applied"]) == ("web-2", "watching", "25%")
        house.orders.pause("web", "ann")
        assert _statuses(messages, 2)[-1]["paused"] is True


def test_a_service_without_a_rollout_has_no_status_and_an_unknown_rollout_is_a_problem(serving: Serving) -> None:
    with _stream(serving, "service=web") as messages:
        assert next(messages)[2] is None
    with _stream(serving, "rollout=web-7") as messages:
        kind, _, content = next(messages)
        assert (kind, content["detail"]) == ("problem", "There is no rollout 'web-7'.")


def test_a_stream_outlives_a_database_that_does_not_answer(serving: Serving, house: House) -> None:
    house.begun("v2")
    real = house.store.events
    with _stream(serving, "rollout=web-2&after=0") as messages:
        _events(messages, 1)
        broken = threading.Event()

        def fail(**_: Any) -> Any:
            broken.set()
            raise Unreachable("The database is locked.")

        house.store.events = fail  # type: ignore[method-assign]
        _, _, content = next(message for message in messages if message[0] == "problem")
        assert content["detail"] == "The database is locked."
        house.store.events = real  # type: ignore[method-assign]
        house.orders.pause("web", "ann")
        assert _events(messages, 1)[0][2]["kind"] == "paused"


def test_logs_are_followed(serving: Serving, house: House) -> None:
    house.run("v1")
    house.said.append(Line("web-v1-1", "before"))
    with _client(serving) as client, client.stream("GET", "/services/web/logs?follow=true") as answer:
        lines = (json.loads(line) for line in answer.iter_lines() if line)
        assert next(lines)["text"] == "before"
        house.said.append(Line("web-v1-1", "after"))
        assert next(lines)["text"] == "after"


def test_it_stops_soon_although_somebody_follows(house: House) -> None:
    house.run("v1")
    serving = house.serve()
    with _stream(serving, "service=web") as messages:
        next(messages)
        begun = time.monotonic()
        serving.stop()
        assert time.monotonic() - begun < 4
        assert list(messages) is not None, "the stream ended as streams end, and was not cut off"
    assert not serving.alive


def _events(messages: Iterator[tuple[str, str, Any]], number: int) -> list[tuple[str, str, Any]]:
    return _first(messages, "event", number)


def _statuses(messages: Iterator[tuple[str, str, Any]], number: int) -> list[Any]:
    return [content for _, _, content in _first(messages, "status", number)]


def _first(messages: Iterator[tuple[str, str, Any]], kind: str, number: int) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for message in messages:
        if message[0] == kind:
            found.append(message)
        if len(found) == number:
            break
    return found


def test_settings_without_a_port_open_the_socket_only(house: House) -> None:
    serving = house.serve(0)
    assert serving.port == 0
    serving.stop()


def test_what_troubles_the_controller_is_told_to_who_watches(serving: Serving, house: House) -> None:
    house.begun("v2")
    house.problems.append("The disk is full.")
    with _stream(serving, "rollout=web-2") as messages:
        assert _first(messages, "problem", 1)[0][2]["detail"] == "The disk is full."
