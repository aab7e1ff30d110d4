"""Telling people and programs: by a webhook, or by a command. One attempt a call; that it arrives at least once is the work of
the outbox, which calls again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta

import httpx2

from tidegate.core.duration import say_duration
from tidegate.core.errors import Unreachable
from tidegate.core.service import On
from tidegate.drivers.command import run_command

WEBHOOK_TIMEOUT = timedelta(seconds=5)
COMMAND_TIMEOUT = timedelta(seconds=30)


class WebhookNotifier:
    """A `Notifier`: posts the message as JSON. Anything but a status of 200 to 299 is a failure; redirects are not followed."""

    def __init__(self, timeout: timedelta = WEBHOOK_TIMEOUT) -> None:
        self._timeout = timeout

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        url = target.webhook or ""
        try:
            with (
                httpx2.Client(timeout=self._timeout.total_seconds()) as client,
                client.stream("POST", url, content=_json(message), headers=_HEADERS) as answer,
            ):
                status = answer.status_code
        except httpx2.TimeoutException as late:
            raise Unreachable(f"The webhook at {_place(url)} did not answer within {say_duration(self._timeout)}.") from late
        except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
            raise Unreachable(f"The webhook at {_place(url)} cannot be reached: {str(wrong)[:200]}.") from wrong
        if not 200 <= status < 300:
            raise Unreachable(f"The webhook at {_place(url)} answered {status}.")


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


def _place(url: str) -> str:
    """Only where it is: a webhook's path, query and user are secrets."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"
