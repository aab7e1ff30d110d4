"""The key of a browser that is signed in: who it is, signed with the token, good for half a day."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer

LASTS = timedelta(hours=12)


def write_key(token: str, user: str) -> str:
    return str(_signer(token).dumps(user))


def read_key(token: str, key: str) -> str | None:
    """Whose key it is; None for one that is no key of ours, or too old."""
    try:
        user = _signer(token).loads(key, max_age=int(LASTS.total_seconds()))
    except BadData:
        return None
    return user if isinstance(user, str) else None


def _signer(token: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(token, salt="tidegate.session", signer_kwargs={"digest_method": hashlib.sha256})
