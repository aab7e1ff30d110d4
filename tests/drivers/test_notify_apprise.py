"""Apprise for real, on loopback: JSON to an HTTP server, mail to an SMTP server, and what is never said."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from email.message import EmailMessage, Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from tests.support.ports import free_port
from tests.support.serving import serving
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.errors import Invalid, Unreachable
from tidegate.core.service import On
from tidegate.drivers.notifiers import notifiers
from tidegate.drivers.notify_secret import read_secret

MESSAGE: dict[str, object] = {
    "event": "rolled_back",
    "service": "web",
    "candidate": "v3",
    "sentence": "web v3 was rolled back: errors 5%. 1,240 requests reached it, 31 attempts failed.",
}


class Receiver(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"json://ann:topsecret@127.0.0.1:{self.server_port}/hidden/path?cto=30&rto=30"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as server:
        yield server


def tell(place: str) -> None:
    notifiers()["apprise"].tell(On(apprise=place), MESSAGE)


def test_a_service_gets_the_sentence_with_its_kind(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", receiver.url)
    tell("env:TEAM")
    path, body = receiver.got[0]
    assert path == "/hidden/path"
    assert (body["title"], body["message"], body["type"]) == ("web v3: rolled back", MESSAGE["sentence"], "failure")


def test_a_file_is_read_at_each_message(receiver: Receiver, tmp_path: Path) -> None:
    place = tmp_path / "url"
    place.write_text(receiver.url + "\n")
    tell(f"file:{place}")
    place.write_text(receiver.url.replace("hidden", "renewed"))
    tell(f"file:{place}")
    assert [path for path, _ in receiver.got] == ["/hidden/path", "/renewed/path"]


@pytest.mark.parametrize("status", [404, 500, 0])
def test_what_goes_wrong_is_told_without_any_secret(
    receiver: Receiver,
    tmp_path: Path,
    status: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "url"
    receiver.status = status
    place.write_text(receiver.url if status else f"json://ann:topsecret@127.0.0.1:{free_port()}/hidden")
    with pytest.raises(Unreachable) as problem:
        tell(f"file:{place}")
    assert problem.value.what.startswith(f"json of file:{place} did not take it")
    assert (f"(status {status})" in problem.value.what) is bool(status)
    captured = capfd.readouterr()
    said = str(problem.value) + captured.out + captured.err
    assert not logging.getLogger("apprise").propagate, "what it logs goes nowhere"
    assert "topsecret" not in said
    assert "hidden" not in said


@pytest.mark.parametrize("text", ["nothing", "unknown://topsecret@host", "json://a\njson://topsecret"])
def test_what_is_no_url_is_not_shown(text: str, tmp_path: Path) -> None:
    place = tmp_path / "url"
    place.write_text(text)
    with pytest.raises(Unreachable, match="is no URL of Apprise") as problem:
        tell(f"file:{place}")
    assert text not in str(problem.value)


def test_a_secret_that_is_not_there_yet_is_tried_again_later(tmp_path: Path) -> None:
    for place in ("env:NOT_SET_ANYWHERE", f"file:{tmp_path / 'nothing'}"):
        with pytest.raises(Unreachable):
            read_secret(place)


def test_a_url_in_the_file_itself_is_refused_and_not_repeated() -> None:
    file = {"application": "shop", "environment": "prod", "on": [{"apprise": "slack://topsecret/token"}]}
    with pytest.raises(Invalid, match="env:NAME or file:/PATH") as refused:
        read(Environment, file, "the file")
    assert "topsecret" not in str(refused.value)


class Mailbox(MessageHandler):  # type: ignore[misc]  # theirs has no annotations
    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.got: list[EmailMessage] = []

    def handle_message(self, message: Message) -> None:
        assert isinstance(message, EmailMessage)
        self.got.append(message)


def test_mail_arrives_at_a_real_smtp_server(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox, port = Mailbox(), free_port()
    server = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=30)
    server.start()
    try:
        monkeypatch.setenv(
            "MAIL", f"mailto://127.0.0.1:{port}?from=tidegate@example.org&to=ann@example.org&mode=insecure&cto=30&rto=30"
        )
        tell("env:MAIL")
    finally:
        server.stop()
    (mail,) = mailbox.got
    assert (mail["To"], mail["Subject"]) == ("ann@example.org", "web v3: rolled back")
    body = mail.get_body(["plain"])
    assert body is not None
    assert str(MESSAGE["sentence"]).encode() in body.get_payload(decode=True)
