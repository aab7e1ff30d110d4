"""The middleware: how each request ended, for the side that its flags came from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.control_plane import ControlPlane, moving, plain, until
from tidegate.agent import Agent
from tidegate.core.exposure import bucket
from tidegate.middleware import OutcomesMiddleware, WsgiOutcomes

ON = next(f"user-{number}" for number in range(1000) if bucket(f"user-{number}", "salt") < 1000)
OFF = next(f"user-{number}" for number in range(1000) if bucket(f"user-{number}", "salt") >= 1000)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.show(moving(2, 1000))
        yield plane


@pytest.fixture
def agent(plane: ControlPlane) -> Iterator[Agent]:
    with Agent("shop", "prod", control=plane.address) as agent:
        assert agent.wait(5)
        yield agent


def counts(agent: Agent) -> dict[str, tuple[int, int, int]]:
    sides = agent.counted["sides"]
    return {side: (count["begun"], count["finished"], count["failed"]) for side, count in sides.items() if side != "other"}


def others(agent: Agent) -> tuple[int, int, int]:
    """What is on neither side."""
    count = agent.counted["sides"]["other"]
    return count["begun"], count["finished"], count["failed"]


def ask(app: Any, path: str = "/", *, gone: bool = False) -> list[dict[str, Any]]:
    """One request to an ASGI app; `gone` is a client that leaves as soon as it has asked."""
    sent: list[dict[str, Any]] = []
    coming = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop()
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "http_version": "1.1"}
    asyncio.run(app(scope, receive, send))
    return sent


def starlette(agent: Agent, handle: Callable[[Request], Any]) -> Any:
    return Starlette(
        routes=[Route("/{user}", handle)],
        middleware=[Middleware(OutcomesMiddleware, agent=agent)],
    )


def test_a_request_counts_for_the_side_of_its_entity(agent: Agent) -> None:
    def handle(request: Request) -> Response:
        on = agent.evaluate("checkout", {"targetingKey": request.path_params["user"]}).value
        return PlainTextResponse("", 500 if on else 200)

    app = starlette(agent, handle)
    for _ in range(3):
        ask(app, f"/{ON}")
    for _ in range(5):
        ask(app, f"/{OFF}")
    assert counts(agent) == {"baseline": (5, 5, 0), "candidate": (3, 3, 3)}
    latency = agent.counted["sides"]["baseline"]["latency"]
    assert sum(latency.values()) == 5
    assert all(key.isdigit() for key in latency)


@pytest.mark.parametrize(
    ("flag", "context", "used"),
    [("banner", {"targetingKey": ON}, 1), ("checkout", {}, 1), ("checkout", None, 1), ("none", {"targetingKey": ON}, 0)],
)
def test_a_request_that_asked_for_nothing_that_differs_or_for_nobody_counts_for_neither(
    agent: Agent, flag: str, context: dict[str, str] | None, used: int
) -> None:
    def handle(request: Request) -> Response:
        agent.evaluate(flag, context)
        return PlainTextResponse("", 500)

    ask(starlette(agent, handle), "/x")
    assert counts(agent) == {"baseline": (0, 0, 0), "candidate": (0, 0, 0)}
    assert others(agent) == (used, used, used)


@pytest.mark.parametrize("flag", [[], {}, None, 3])
def test_what_is_no_name_of_a_flag_harms_nobody(agent: Agent, flag: Any) -> None:
    def handle(request: Request) -> Response:
        return PlainTextResponse(agent.evaluate(flag, {"targetingKey": ON}).error)

    assert ask(starlette(agent, handle), "/x")[0]["status"] == 200
    assert others(agent) == (0, 0, 0)


def test_the_first_entity_decides(agent: Agent) -> None:
    def handle(request: Request) -> Response:
        for user in (ON, OFF, ON):
            agent.evaluate("checkout", {"targetingKey": user})
        agent.evaluate_all({"targetingKey": OFF})
        return PlainTextResponse("")

    ask(starlette(agent, handle), "/x")
    assert counts(agent) == {"baseline": (0, 0, 0), "candidate": (1, 1, 0)}


def test_an_exception_is_a_failure(agent: Agent) -> None:
    def handle(request: Request) -> Response:
        agent.evaluate("checkout", {"targetingKey": ON})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(starlette(agent, handle), "/x")
    assert counts(agent)["candidate"] == (1, 1, 1)


def test_a_client_that_went_away_is_no_failure(agent: Agent) -> None:
    async def handle(request: Request) -> Response:
        agent.evaluate("checkout", {"targetingKey": ON})

        async def pieces() -> Any:
            yield b"one"
            await asyncio.Event().wait()

        return StreamingResponse(pieces())

    ask(starlette(agent, handle), "/x", gone=True)
    assert counts(agent)["candidate"] == (1, 1, 0)


def test_an_answer_that_breaks_off_is_a_failure(agent: Agent) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        agent.evaluate("checkout", {"targetingKey": ON})
        await send({"type": "http.response.start", "status": 200, "headers": []})

    ask(OutcomesMiddleware(app, agent))
    assert counts(agent)["candidate"] == (1, 1, 1)


def test_threads_and_tasks_of_a_request_belong_to_it_and_to_no_other(agent: Agent) -> None:
    async def handle(request: Request) -> Response:
        user = request.path_params["user"]
        if user == OFF:
            await asyncio.create_task(asyncio.to_thread(agent.evaluate, "checkout", {"targetingKey": user}))
        else:
            await run_in_threadpool(agent.evaluate, "checkout", {"targetingKey": user})
        return PlainTextResponse("", 500 if user == ON else 200)

    app = starlette(agent, handle)

    async def many() -> None:
        async def one(path: str) -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: dict[str, Any]) -> None:
                pass

            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "http_version": "1.1"}
            await app(scope, receive, send)

        await asyncio.gather(*(one(f"/{user}") for user in [ON, OFF] * 50))

    asyncio.run(many())
    assert counts(agent) == {"baseline": (50, 50, 0), "candidate": (50, 50, 50)}


def test_a_request_that_hangs_has_begun_and_not_finished(agent: Agent) -> None:
    let_go, begun = threading.Event(), threading.Event()

    def handle(request: Request) -> Response:
        agent.evaluate("checkout", {"targetingKey": ON})
        begun.set()
        let_go.wait(10)
        return PlainTextResponse("")

    thread = threading.Thread(target=ask, args=(starlette(agent, handle), "/x"))
    thread.start()
    assert begun.wait(5)
    assert counts(agent)["candidate"] == (1, 0, 0)
    let_go.set()
    thread.join()
    assert counts(agent)["candidate"] == (1, 1, 0)


def test_two_agents_in_one_application_each_count_their_own(agent: Agent, plane: ControlPlane) -> None:
    with Agent("shop", "prod", control=plane.address) as other:
        assert other.wait(5)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            agent.evaluate("checkout", {"targetingKey": ON})
            other.evaluate("checkout", {"targetingKey": OFF})
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        ask(OutcomesMiddleware(OutcomesMiddleware(app, agent), other))
        assert (counts(agent)["candidate"], counts(agent)["baseline"]) == ((1, 1, 1), (0, 0, 0))
        assert (counts(other)["candidate"], counts(other)["baseline"]) == ((0, 0, 0), (1, 1, 1))


def test_the_counts_of_a_rollout_end_with_it_and_the_next_begins_at_nothing() -> None:
    with ControlPlane() as plane:
        plane.show(moving(2, 1000))
        with Agent("shop", "prod", control=plane.address) as agent:
            until(lambda: agent.standing.connected)

            def handle(request: Request) -> Response:
                agent.evaluate("checkout", {"targetingKey": ON})
                if request.path_params["user"] == "slow":
                    plane.show(moving(4, 1000, "shop-prod-4"))
                    until(lambda: agent.standing.serial == 4 and agent.counted["sides"]["candidate"]["begun"] == 0)
                return PlainTextResponse("", 500)

            app = starlette(agent, handle)
            ask(app, "/quick")
            assert counts(agent)["candidate"] == (1, 1, 1)
            plane.move(2000)
            until(lambda: agent.standing.serial == 3)
            assert counts(agent)["candidate"] == (1, 1, 1)
            ask(app, "/slow")
            assert counts(agent)["candidate"] == (0, 0, 0)
            plane.show(plain(5, 4))
            until(lambda: counts(agent) == {})


def test_outside_of_rollouts_every_request_that_uses_flags_counts_for_the_document_in_force() -> None:
    with ControlPlane() as plane:
        plane.show(plain(1, 3))
        with Agent("shop", "prod", control=plane.address) as agent:
            until(lambda: agent.standing.connected)

            def handle(request: Request) -> Response:
                agent.evaluate("banner")
                agent.evaluate_all({"targetingKey": ON})
                return PlainTextResponse("", 500 if request.path_params["user"] == "bad" else 200)

            app = starlette(agent, handle)
            for path in ("/good", "/good", "/bad"):
                ask(app, path)
            ask(starlette(agent, lambda _: PlainTextResponse("")), "/uses-none")
            assert (counts(agent), others(agent)) == ({}, (3, 3, 1))
            assert agent.counted["sides"]["other"]["document"] == 3
            assert agent.counted["asked"] == dict.fromkeys(plane.snapshot.baseline.flags, 3)
            plane.show(plain(2, 4))
            until(lambda: agent.counted["sides"]["other"]["document"] == 4)
            assert others(agent) == (0, 0, 0)
            assert agent.counted["asked"]["banner"] == 3


def test_a_request_ends_with_its_last_byte_whatever_the_application_does_afterwards(agent: Agent) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        agent.evaluate("checkout", {"targetingKey": ON})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        assert counts(agent)["candidate"] == (1, 0, 0)
        await send({"type": "http.response.body", "body": b"b"})
        assert counts(agent)["candidate"] == (1, 1, 0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(OutcomesMiddleware(app, agent))
    assert counts(agent)["candidate"] == (1, 1, 0)


def test_a_file_that_the_server_sends_by_itself_ends_the_request(agent: Agent) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        agent.evaluate("checkout", {"targetingKey": ON})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/a"})

    ask(OutcomesMiddleware(app, agent))
    assert counts(agent)["candidate"] == (1, 1, 0)


def test_a_request_that_is_cancelled_was_nobody_s_fault_and_is_not_left_open(agent: Agent) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        agent.evaluate("checkout", {"targetingKey": ON})
        await asyncio.Event().wait()

    async def cancelled() -> None:
        async def nothing(*_: Any) -> dict[str, Any]:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        task = asyncio.create_task(OutcomesMiddleware(app, agent)(scope, nothing, nothing))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert counts(agent)["candidate"] == (1, 1, 0)


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes_through_and_counts_for_nobody(agent: Agent, kind: str) -> None:
    passed: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        agent.evaluate("checkout", {"targetingKey": ON})
        passed.append((scope["type"], await receive()))
        await send({"type": f"{kind}.done"})

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.begin"}

    async def send(message: dict[str, Any]) -> None:
        passed.append(message)

    asyncio.run(OutcomesMiddleware(app, agent)({"type": kind}, receive, send))  # type: ignore[arg-type]
    assert passed == [(kind, {"type": f"{kind}.begin"}), {"type": f"{kind}.done"}]
    assert (counts(agent)["candidate"], others(agent)) == ((0, 0, 0), (0, 0, 0))


def test_reports_carry_the_outcomes(agent: Agent, plane: ControlPlane) -> None:
    def handle(request: Request) -> Response:
        agent.evaluate("checkout", {"targetingKey": ON})
        return PlainTextResponse("", 500)

    ask(starlette(agent, handle), "/x")

    def reported() -> bool:
        return any(report["sides"]["candidate"]["failed"] == 1 for report in plane.reports)

    until(reported)


def wsgi(app: Any, *, pieces: int | None = None) -> None:
    """One request to a WSGI app, as a server makes it; of the answer only so many pieces are taken."""
    body = app({"PATH_INFO": "/"}, lambda *_: None)
    try:
        for number, _ in enumerate(body, 1):
            if number == pieces:
                break
    finally:
        body.close()


def test_wsgi_counts_in_the_same_way(agent: Agent) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        on = agent.evaluate("checkout", {"targetingKey": environ.get("user", ON)}).value
        start_response("500 Internal Server Error" if on else "200 OK", [])
        return [b"done"]

    def lazy(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        agent.evaluate("checkout", {"targetingKey": OFF})
        yield b"two"
        yield b"three"

    def breaking(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield from lazy(environ, start_response)
        raise ZeroDivisionError

    def raising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        agent.evaluate("checkout", {"targetingKey": OFF})
        raise ZeroDivisionError

    wsgi(WsgiOutcomes(app, agent))
    assert counts(agent) == {"baseline": (0, 0, 0), "candidate": (1, 1, 1)}
    wsgi(WsgiOutcomes(lazy, agent))
    wsgi(WsgiOutcomes(lazy, agent), pieces=2)
    assert counts(agent)["baseline"] == (2, 2, 0)
    for broken in (breaking, raising):
        with pytest.raises(ZeroDivisionError):
            wsgi(WsgiOutcomes(broken, agent))
    assert counts(agent)["baseline"] == (4, 4, 2)


def test_outside_of_a_request_nothing_is_attributed(agent: Agent) -> None:
    agent.evaluate("checkout", {"targetingKey": ON})
    assert counts(agent)["candidate"] == (0, 0, 0)
