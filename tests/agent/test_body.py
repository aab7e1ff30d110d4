"""Bodies of requests: whole, not too large, and not waited for for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tidegate.agent.answer import Answer
from tidegate.agent.body import MOST_BODY, Bodies


def reading(*pieces: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), within: float = 10.0) -> bytes | Answer:
    """A body that comes in these pieces; without any it never comes."""
    coming = list(pieces)

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.Event().wait()
        piece = coming.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(coming) or piece == b"..."}

    return asyncio.run(Bodies(within).read(receive, headers))


def status(answer: bytes | Answer) -> int:
    assert isinstance(answer, Answer)
    return answer.status


def test_a_body_is_read_to_its_end_in_one_piece_or_many() -> None:
    assert reading(b"abc") == b"abc"
    assert reading(b"a", b"", b"bc") == b"abc"


def test_what_is_too_large_is_refused_before_it_was_read() -> None:
    assert status(reading(headers=((b"content-length", str(MOST_BODY + 1).encode()),))) == 413
    assert status(reading(b"x" * (MOST_BODY + 1))) == 413
    assert status(reading(b"x" * MOST_BODY, b"x")) == 413
    assert len(reading(b"x" * MOST_BODY)) == MOST_BODY  # type: ignore[arg-type]


@pytest.mark.parametrize("pieces", [(), (b"...",)])
def test_what_does_not_come_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    assert status(reading(*pieces, within=0.05)) == 408


def test_of_many_only_those_that_are_late_are_refused_and_a_cancelled_one_is_cancelled() -> None:
    async def run() -> None:
        bodies, asked = Bodies(0.2), asyncio.Event()

        async def never() -> dict[str, Any]:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def at_once() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x"}

        late, cancelled = (asyncio.create_task(bodies.read(never, ())) for _ in range(2))
        await asked.wait()
        cancelled.cancel()
        while not late.done():
            assert await bodies.read(at_once, ()) == b"x"
            await asyncio.sleep(0)
        assert status(late.result()) == 408
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    asyncio.run(run())
