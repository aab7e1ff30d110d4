"""A connection of our HTTP servers, of the controller's and of the agent's."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 32 * 1024
"""Bytes of a request's line and headers, trailers among them."""


class Connection(HttpToolsProtocol):
    """Ends one whose headers have no end: the parser would collect them for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._unread = 0

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if max(self._head, self._unread) > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The headers have more than {LONGEST_HEAD:,} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._read_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._read_head(len(name) + len(value))

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._unread = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unread = 0

    def _read_head(self, size: int) -> None:
        self._head += size
        self._unread = 0
        if self._head > LONGEST_HEAD:
            raise ValueError("The head is too long.")  # the parser hands it on as a broken request
