"""Every way of telling somebody, by the kind of the target. Apprise is imported when the first message goes by it."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.core.service import On
from tidegate.drivers.notify import CommandNotifier, WebhookNotifier
from tidegate.ports import Notifier


def notifiers() -> Mapping[str, Notifier]:
    return {"webhook": WebhookNotifier(), "command": CommandNotifier(), "apprise": _ByApprise()}


class _ByApprise:
    """A `Notifier`."""

    def __init__(self) -> None:
        self._made: Notifier | None = None

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        if self._made is None:
            from tidegate.drivers.notify_apprise import AppriseNotifier  # noqa: PLC0415 - it takes longer than all the rest

            self._made = AppriseNotifier()
        self._made.tell(target, message)
