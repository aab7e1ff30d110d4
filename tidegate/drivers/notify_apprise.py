"""Telling people by what they read: Slack, Teams, mail and a hundred others, through Apprise.

Its URLs hold secrets: neither they nor what a service answered is shown or logged, only which service it was and its status.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import timedelta

from apprise import Apprise, AppriseAsset, LogCapture, NotifyType, PersistentStoreMode

from tidegate.core.errors import Unreachable
from tidegate.core.service import On
from tidegate.drivers.notify_secret import read_secret

TIMEOUT = timedelta(seconds=20)
_STATUS = re.compile(r"error=(\d{3})\b")
_KINDS = {
    "rolled_back": NotifyType.FAILURE,
    "held": NotifyType.WARNING,
    "waiting": NotifyType.WARNING,
    "completed": NotifyType.SUCCESS,
}


class AppriseNotifier:
    """A `Notifier`."""

    def __init__(self, timeout: timedelta = TIMEOUT) -> None:
        self._asset = AppriseAsset(
            app_id="Tidegate", app_desc="Tidegate", app_url="", storage_mode=PersistentStoreMode.MEMORY, async_mode=False
        )
        self._timeout = timeout.total_seconds()
        # What it would log may hold secrets, and nobody configures its log: it would go to the controller's.
        logging.getLogger("apprise").addHandler(logging.NullHandler())
        logging.getLogger("apprise").propagate = False

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        place = target.apprise or ""
        url = read_secret(place)
        service = _service(url)
        apprise = Apprise(asset=self._asset)
        with LogCapture(level=logging.WARNING) as said:  # type: ignore[no-untyped-call]  # theirs has no annotations
            if "\n" in url or not apprise.add(url):
                raise Unreachable(
                    f"What {place} holds is no URL of Apprise.", "See github.com/caronc/apprise for how to write it."
                )
            done = apprise.notify(
                title=_title(message),
                body=str(message.get("sentence", "")),
                notify_type=_KINDS.get(str(message.get("event")), NotifyType.INFO),
                timeout=self._timeout,
            )
            statuses = _STATUS.findall(said.getvalue())
        if not done:
            status = f" (status {statuses[-1]})" if statuses else ""
            raise Unreachable(f"{service} of {place} did not take it{status}.", "See its URL, and whether it can be reached.")


def _title(message: Mapping[str, object]) -> str:
    event = str(message.get("event", "")).replace("_", " ")
    return f"{message.get('service', '')} {message.get('candidate', '')}: {event}".strip()


def _service(url: str) -> str:
    """`slack` of `slack://...`: the only part of it that is no secret."""
    found = re.match(r"[a-zA-Z][a-zA-Z0-9]{0,30}(?=s?://)", url)
    return found[0] if found else "The service"
