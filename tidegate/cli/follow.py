"""Follows a rollout: one connection that carries its events and how it stands, taken up again by itself when it breaks."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.cli.answers import Event, Rollout, read_as
from tidegate.cli.client import Client
from tidegate.cli.screen import clean_line
from tidegate.core.errors import TidegateError, Unreachable
from tidegate.settings import Settings

AGAIN = 0.3
"""Seconds between two attempts to connect."""
LOOK = 0.25
"""Seconds after which the picture is painted again although nothing came."""


@dataclass(frozen=True, slots=True)
class Message:
    """What came, or nothing: then `silent` says for how many seconds there was no connection, 0 while there is one.

    `problem` is a sentence of what troubles the controller.
    """

    status: Rollout | None = None
    event: Event | None = None
    problem: str = ""
    raw: Any = None
    silent: float = 0


class Follower:
    """Reads in a thread of its own, so that a picture can be painted and Ctrl-C is heard at any time.

    `told` is the last event that was handed on. The thread is left behind when the command ends, and what it reads is made
    into answers by who asks: Python ends such a thread where it is, and inside pydantic's compiled code that ends the process.
    """

    def __init__(self, settings: Settings, *, rollout: str, after: int | None = None) -> None:
        self._settings = settings
        self._params = {"rollout": rollout}
        self.told = self._came = after
        self._messages: queue.SimpleQueue[tuple[str, Any] | TidegateError] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="follow", daemon=True).start()

    def __iter__(self) -> Iterator[Message]:
        """Ends never. Raises what the controller refused: that will not change."""
        while True:
            try:
                came = self._messages.get(timeout=LOOK)
            except queue.Empty:
                yield Message(silent=self._silent())
                continue
            if isinstance(came, TidegateError):
                raise came
            message = message_of(*came)
            if message.event is not None:
                self.told = message.event.id
            yield message

    def close(self) -> None:
        self._ended.set()

    def _silent(self) -> float:
        """A short gap is none: between two messages there is always one."""
        gap = time.monotonic() - self._heard
        return gap if gap >= 2 else 0

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except Unreachable:
                pass  # it is told by the silence
            except TidegateError as refused:
                self._messages.put(refused)
                return
            self._ended.wait(AGAIN)

    def _read(self) -> None:
        params: dict[str, Any] = {**self._params, "after": self._came}
        with Client(self._settings) as client, client.lines("/stream", params=params) as lines:
            for kind, id_, content in read_messages(lines):
                if self._ended.is_set():
                    return
                self._heard = time.monotonic()
                self._take(kind, id_, content)

    def _take(self, kind: str, id_: str, content: Any) -> None:
        if kind == "event":
            self._came = int(id_)
        if kind in ("event", "problem") or (kind == "status" and content is not None):
            self._messages.put((kind, content))


def message_of(kind: str, content: Any) -> Message:
    if kind == "event":
        return Message(event=read_as(Event, content), raw=content)
    if kind == "status":
        return Message(status=read_as(Rollout, content), raw=content)
    return Message(problem=clean_line(str(content["detail"])), raw=content)


def read_messages(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """Server-sent events: kind, id and content of each."""
    kind, id_, data = "message", "", list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if not line and data:
                yield kind, id_, json.loads("\n".join(data))
                kind, data = "message", []
            case "event":
                kind = value
            case "id":
                id_ = value
            case "data":
                data.append(value)
