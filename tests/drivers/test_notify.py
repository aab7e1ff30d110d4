from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import serving
from tidegate.core.errors import Unreachable
from tidegate.core.service import On
from tidegate.drivers.notify import CommandNotifier, WebhookNotifier
from tidegate.ports import Notifier

MESSAGE: dict[str, object] = {
    "event": "rolled_back",
    "rollout": "web-7",
    "service": "web",
    "reason": "errors: error_rate 5.2% above 1% in 2 of 3 periods of 10s",
    "sentence": "web v3 was rolled back.",
    "at": datetime(2026, 1, 1, tzinfo=UTC),
}


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.signed.append((dict(self.headers), body))
        self.server.told.append((self.path, self.headers["content-type"], json.loads(body)))
        if self.server.wait:
            self.server.done.wait(5)
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Webhook(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[tuple[str, str, Any]] = []
        self.signed: list[tuple[dict[str, str], bytes]] = []
        self.status, self.wait = 204, False
        self.done = threading.Event()

    @property
    def on(self) -> On:
        return On(webhook=f"http://127.0.0.1:{self.server_port}/secret?token=1")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with serving(Webhook()) as server:
        yield server
        server.done.set()


def test_a_webhook_gets_the_message_as_json(webhook: Webhook) -> None:
    WebhookNotifier().tell(webhook.on, MESSAGE)
    path, kind, body = webhook.told[0]
    assert (path, kind) == ("/secret?token=1", "application/json")
    assert body == {**MESSAGE, "at": "2026-01-01 00:00:00+00:00"}


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_unreachable_and_not_asked_twice(webhook: Webhook, status: int) -> None:
    webhook.status = status
    with pytest.raises(Unreachable) as problem:
        WebhookNotifier().tell(webhook.on, MESSAGE)
    assert problem.value.what == f"The webhook at http://127.0.0.1:{webhook.server_port} answered {status}."
    assert "secret" not in str(problem.value)
    assert len(webhook.told) == 1


def test_a_webhook_that_does_not_answer_is_unreachable_after_a_short_time(webhook: Webhook) -> None:
    webhook.wait = True
    begin = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer within 200ms"):
        WebhookNotifier(timedelta(milliseconds=200)).tell(webhook.on, MESSAGE)
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[::1/x", "http://user:secret@127.0.0.1:1/x"])
def test_a_webhook_that_is_not_there_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        WebhookNotifier().tell(On(webhook=url), MESSAGE)


def test_a_problem_tells_no_secret_of_the_webhook() -> None:
    with pytest.raises(Unreachable) as problem:
        WebhookNotifier().tell(On(webhook="http://user:secret@127.0.0.1:1/secret?token=secret"), MESSAGE)
    assert "http://127.0.0.1:1 " in problem.value.what
    assert "secret" not in str(problem.value)


def test_a_command_gets_the_message_on_its_input_and_the_gist_in_its_environment(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f'cat > {told}; echo "$TIDEGATE_EVENT|$TIDEGATE_ROLLOUT|$TIDEGATE_SERVICE|$TIDEGATE_REASON" >> {told}'
    CommandNotifier().tell(On(command=("/bin/sh", "-c", script)), MESSAGE)
    body, _, gist = told.read_text().rpartition("}")
    assert json.loads(body + "}")["sentence"] == "web v3 was rolled back."
    assert gist.strip() == f"rolled_back|web-7|web|{MESSAGE['reason']}"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("/bin/sh", "-c", "echo 'no pager' >&2; exit 2"), "exit code 2: no pager"),
        (("/no/such/pager",), "cannot be run: No such file or directory"),
        (("/bin/sleep", "100"), "it did not end within 300ms"),
    ],
)
def test_a_command_that_fails_is_unreachable_with_its_last_words(command: tuple[str, ...], what: str) -> None:
    notifier: Notifier = CommandNotifier(timedelta(milliseconds=300) if "sleep" in command[0] else timedelta(seconds=30))
    with pytest.raises(Unreachable) as problem:
        notifier.tell(On(command=command), MESSAGE)
    assert what in problem.value.what


@pytest.mark.parametrize("secret", ["a plain one", "whsec_" + base64.b64encode(b"key").decode()])
def test_a_signed_webhook_can_be_checked_by_whoever_has_the_secret(webhook: Webhook, tmp_path: Path, secret: str) -> None:
    place = tmp_path / "secret"
    place.write_text(secret)
    on = On(webhook=webhook.on.webhook, secret=f"file:{place}")
    WebhookNotifier().tell(on, MESSAGE | {"id": "web-7-rolled_back"})
    headers, body = webhook.signed[0]
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "web-7-rolled_back"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300


def test_an_unsigned_webhook_has_no_signature(webhook: Webhook) -> None:
    WebhookNotifier().tell(webhook.on, MESSAGE)
    assert "webhook-signature" not in webhook.signed[0][0]
