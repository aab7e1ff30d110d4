"""The snapshot: everything an agent needs to answer for one application in one environment, as one text.

The control plane writes it, agents read it, from the network or from their disk. It is one line of plain ASCII, and begins
with a digest over all that follows: a text that was cut, mixed or changed on its way is refused, never half believed.

Serials count the changes of one origin, the database that counts them. An agent never goes back to a smaller one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from tidegate.core.errors import Invalid
from tidegate.core.exposure import NONE, Exposure, parse_share, say_share
from tidegate.core.flags.codec import decode, encode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Clock
from tidegate.core.flags.staged import Staged

FORMAT = 1
_HEAD = '{"digest":"sha256:'
_FROM = len(_HEAD) + 64 + len('",')
"""Where that begins over which the digest is taken."""
_AGAIN = "Fetch it again from the control plane."


@dataclass(frozen=True, slots=True)
class Snapshot:
    application: str
    environment: str
    serial: int
    """Grows with every change of anything in it."""
    origin: str
    """Of the database that counts the serial; another origin begins anew."""
    baseline: FlagDocument
    candidate: FlagDocument | None = None
    salt: str = ""
    exposure: Exposure = NONE
    rollout: str = ""
    """The id of the rollout that moves the exposure; empty when there is none."""
    watched: tuple[str, ...] = ()
    """Flags whose requests are counted apart, by variant: alarms speak of them."""

    def __post_init__(self) -> None:
        documents = [self.baseline] if self.candidate is None else [self.baseline, self.candidate]
        if any(document.number < 1 for document in documents):
            raise _invalid("it has a flag document without a number")
        if any(document.application != self.application for document in documents):
            raise _invalid(f"it is of {self.application}, and a flag document in it is not")
        if self.candidate is None and self.exposure:
            raise _invalid(f"it exposes {say_share(self.exposure)} to a candidate, and has none")

    def staged(self, clock: Clock | None = None) -> Staged:
        """Both documents, ready to evaluate."""
        return Staged(self.baseline, self.candidate, self.salt, self.exposure, clock=clock)

    def moved(self, exposure: Exposure, serial: int) -> Snapshot:
        """The same documents at another exposure."""
        return replace(self, exposure=exposure, serial=serial)

    def follows(self, known: Snapshot | None) -> bool:
        """Whether it is newer than what is known. Another origin counts anew: nothing of it can be compared."""
        return known is None or self.origin != known.origin or self.serial > known.serial


def encode_snapshot(snapshot: Snapshot) -> str:
    content = {
        "tidegate": FORMAT,
        "application": snapshot.application,
        "environment": snapshot.environment,
        "serial": snapshot.serial,
        "origin": snapshot.origin,
        "baseline": encode(snapshot.baseline),
        "candidate": None if snapshot.candidate is None else encode(snapshot.candidate),
        "salt": snapshot.salt,
        "exposure": say_share(snapshot.exposure),
        "rollout": snapshot.rollout,
        "watched": snapshot.watched,
    }
    rest = json.dumps(content, separators=(",", ":"))[1:]
    return f'{_HEAD}{_digest(rest)}",{rest}'


def decode_snapshot(text: str) -> Snapshot:
    """Raises Invalid when it is not, to the letter, what was written."""
    rest = text[_FROM:]
    if text != f'{_HEAD}{_digest(rest)}",{rest}':
        raise _invalid("its digest is not that of its content")
    try:
        return _snapshot(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise _invalid(f"{type(wrong).__name__}: {str(wrong)[:100]}") from wrong


def _snapshot(content: dict[str, Any]) -> Snapshot:
    if content["tidegate"] != FORMAT:
        raise Invalid(f"The snapshot has format {content['tidegate']!r}, not {FORMAT}.", "Update Tidegate on this side.")
    candidate = content["candidate"]
    return Snapshot(
        application=_text(content["application"]),
        environment=_text(content["environment"]),
        serial=_serial(content["serial"]),
        origin=_text(content["origin"]),
        baseline=decode(_text(content["baseline"])),
        candidate=None if candidate is None else decode(_text(candidate)),
        salt=_text(content["salt"]),
        exposure=parse_share(content["exposure"]),
        rollout=_text(content["rollout"]),
        watched=tuple(_text(name) for name in content.get("watched", ())),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _serial(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r:.40} is not a serial")
    return value


def _digest(rest: str) -> str:
    return hashlib.sha256(rest.encode(errors="surrogatepass")).hexdigest()


def _invalid(why: str) -> Invalid:
    return Invalid(f"The snapshot is damaged: {why}.", _AGAIN)
