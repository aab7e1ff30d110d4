"""Telling people and programs: by a webhook, or by a command. One attempt a call; that it arrives at least once is the work of
the outbox, which calls again.

Signed webhooks are those of standardwebhooks.com: whoever has the secret knows who wrote them, and that they are new.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import timedelta

import httpx2

from tidegate.core.duration import say_duration
from tidegate.core.errors import Unreachable
from tidegate.core.service import On
from tidegate.core.service_texts import place_of
from tidegate.drivers.command import run_command
from tidegate.drivers.notify_secret import read_secret

WEBHOOK_TIMEOUT = timedelta(seconds=5)
COMMAND_TIMEOUT = timedelta(seconds=30)


class WebhookNotifier:
    """A `Notifier`: posts the message as JSON. Anything but a status of 200 to 299 is a failure; redirects are not followed."""

    def __init__(self, timeout: timedelta = WEBHOOK_TIMEOUT) -> None:
        self._timeout = timeout

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        url, body = target.webhook or "", _json(message)
        headers = _HEADERS | (_signature(read_secret(target.secret), message, body) if target.secret else {})
        try:
            with (
                httpx2.Client(timeout=self._timeout.total_seconds()) as client,
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except httpx2.TimeoutException as late:
            raise Unreachable(f"The webhook at {place_of(url)} did not answer within {say_duration(self._timeout)}.") from late
        except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
            raise Unreachable(f"The webhook at {place_of(url)} cannot be reached: {str(wrong)[:200]}.") from wrong
        if not 200 <= status < 300:
            raise Unreachable(f"The webhook at {place_of(url)} answered {status}.")


class CommandNotifier:
    """A `Notifier`: runs the command with the message as JSON on its standard input. Exit code 0 means that it arrived."""

    def __init__(self, timeout: timedelta = COMMAND_TIMEOUT) -> None:
        self._timeout = timeout

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        command = target.command or ()
        names = ("event", "rollout", "service", "reason")
        environment = {f"TIDEGATE_{name.upper()}": str(message.get(name, "")) for name in names}
        ended = run_command(command, environment=environment, given=_json(message), timeout=self._timeout)
        if not ended.passed:
            raise Unreachable(f"The command {' '.join(command)[:80]!r} was not told: {ended.said}.")


_HEADERS = {"content-type": "application/json", "user-agent": "tidegate"}


def _json(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, default=str).encode()


def _signature(secret: str, message: Mapping[str, object], body: bytes) -> dict[str, str]:
    """A secret that begins with whsec_ is Base64, as there; any other is taken as it is."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as wrong:
            raise Unreachable("The secret of the webhook begins with whsec_ and is no Base64.", "Correct it.") from wrong
    id_, at = str(message.get("id", "")), str(int(time.time()))
    signed = hmac.new(key, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": id_, "webhook-timestamp": at, "webhook-signature": f"v1,{base64.b64encode(signed).decode()}"}
