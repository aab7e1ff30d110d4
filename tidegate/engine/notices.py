"""Tries whom a file would tell: one message to each target, at once, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.core.environment import is_environment
from tidegate.core.errors import NotFound, Refused, TidegateError
from tidegate.core.service import On
from tidegate.core.service_texts import place_of
from tidegate.ports import Notifier, Store


@dataclass(frozen=True, slots=True)
class Tried:
    """`target` is who, without any secret; `problem` why it did not arrive, "" when it did."""

    target: str
    problem: str = ""
    mend: str = ""


class Notices:
    def __init__(self, store: Store, notify: Mapping[str, Notifier]) -> None:
        self._store = store
        self._notify = notify

    def test(self, subject: str, by: str, now: datetime) -> Sequence[Tried]:
        """Raises NotFound, or Refused where nobody would be told."""
        record = self._store.environment(subject) if is_environment(subject) else self._store.service(subject)
        if record is None:
            raise NotFound(f"There is no {subject!r}.", "List what there is: tidegate status.")
        if not record.file.on:
            raise Refused(f"Nobody is told of {subject}.", "Say in its file whom to tell, under on.")
        return [self._try(target, _message(subject, by, now)) for target in record.file.on]

    def _try(self, target: On, message: Mapping[str, object]) -> Tried:
        try:
            self._notify[target.kind].tell(target, message)
        except TidegateError as error:
            return Tried(say_target(target), error.what, error.mend)
        return Tried(say_target(target))


def say_target(target: On) -> str:
    """`apprise env:TEAM_SLACK`; of a webhook only where it is, for its path may be a secret."""
    if target.webhook is not None:
        return f"webhook {place_of(target.webhook)}"
    if target.apprise is not None:
        return f"apprise {target.apprise}"
    return f"command {(target.command or ('',))[0]}"


def _message(subject: str, by: str, now: datetime) -> dict[str, object]:
    return {
        "id": f"{subject}-test-{int(now.timestamp() * 1000)}",
        "event": "test",
        "sentence": f"This is a test of {by}: whoever reads it is told of {subject}.",
        "service": subject,
        "rollout": "",
        "release": "",
        "baseline": "",
        "candidate": "",
        "by": by,
        "reason": "",
        "exposure": "0%",
        "harm": {},
    }
