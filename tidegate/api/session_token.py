"""The token of a session: says all that the next poll must know, signed, so that it outlives the controller that gave it.

A new controller of the same home knows nothing of a session, and goes on with it. Whether a token is spent is not its affair.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import astuple, dataclass
from datetime import datetime

LONGEST = 8192
"""AppConfig's own limit."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    session: str
    application: str
    environment: str
    profile: str
    required: int
    """Seconds that the client itself wants to have between two polls; 0 when it said none."""
    turn: int
    number: int
    life: str
    given: int
    """Milliseconds since 1970."""
    digest: str
    """Of the configuration that the client has; empty before the first."""

    def age(self, now: datetime) -> float:
        """Seconds. Negative when the clock was put back meanwhile."""
        return now.timestamp() - self.given / 1000


class TokenSeal:
    """Writes and reads tokens with a key that only who has the API's token can know."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"tidegate: tokens of configuration sessions", "sha256")

    def write(self, token: SessionToken) -> str:
        content = json.dumps(astuple(token), separators=(",", ":")).encode()
        return f"{_text(content)}.{_text(self._sign(content))}"

    def read(self, text: str) -> SessionToken | None:
        """None when it was not written here, to the letter."""
        content, dot, signature = text.partition(".")
        if not dot or len(text) > LONGEST or not text.isascii():
            return None
        try:
            said, signed = _bytes(content), _bytes(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(signed, self._sign(said)) or f"{_text(said)}.{_text(signed)}" != text:
            return None
        return SessionToken(*json.loads(said))

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
