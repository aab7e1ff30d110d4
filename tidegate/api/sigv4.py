"""AWS's Signature Version 4, checked: clients that were written for AWS show Tidegate's token by signing with it.

The secret itself is never sent. A signature counts for one method, path, query, host and body, and for five minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from tidegate.api.problems import Unauthorized

ALGORITHM = "AWS4-HMAC-SHA256"
WINDOW = timedelta(minutes=5)
"""How far the client's clock may be from ours, as with AWS."""
_HEX = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,]{1,2000})")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Request:
    """What was signed. `path` and `query` as they were sent; names of headers in lower case."""

    method: str
    path: str
    query: bytes
    headers: Iterable[tuple[str, str]]
    body: bytes


class Unsigned(Unauthorized):
    """`code` is AWS's name for what is wrong."""

    def __init__(self, code: str, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Claim:
    key_id: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str


def verify(request: Request, secret: str, now: datetime) -> str:
    """The access key id of who signed with this secret. Raises Unsigned."""
    headers = _joined(request.headers)
    claim = _claim(headers.get("authorization", ""))
    stamp = headers.get("x-amz-date", "")
    _check_time(stamp, claim, now)
    if "host" not in claim.signed or "x-amz-date" not in claim.signed:
        raise _incomplete("It must sign the headers host and x-amz-date.")
    signature = _sign(secret, claim, _to_sign(request, headers, claim, stamp))
    if not secret or not hmac.compare_digest(signature, claim.signature):
        raise Unsigned(
            "InvalidSignatureException",
            "The request is not signed with Tidegate's token.",
            "Set AWS_SECRET_ACCESS_KEY to what is in the file `token` of Tidegate's home.",
        )
    return claim.key_id


def _claim(authorization: str) -> _Claim:
    kind, _, rest = authorization.partition(" ")
    parts = dict(_PART.findall(rest))
    scope = parts.get("Credential", "").rsplit("/", 4)
    if kind != ALGORITHM or len(parts) != 3 or len(scope) != 5 or scope[4] != "aws4_request" or not scope[0]:
        raise _incomplete(f"It is not {ALGORITHM} with Credential, SignedHeaders and Signature.")
    if not _HEX.fullmatch(parts["Signature"]):
        raise _incomplete("Its signature is not of 64 hexadecimal digits.")
    key_id, day, region, service, _ = scope
    return _Claim(key_id, day, region, service, tuple(parts["SignedHeaders"].split(";")), parts["Signature"])


def _check_time(stamp: str, claim: _Claim, now: datetime) -> None:
    try:
        signed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("It has no x-amz-date as 20260301T120000Z.") from None
    if stamp[:8] != claim.day:
        raise _incomplete("Its credential is of another day than its x-amz-date.")
    if abs(now - signed) > WINDOW:
        raise Unsigned(
            "InvalidSignatureException",
            f"The request was signed at {stamp}, and it is {now.astimezone(UTC).strftime(_STAMP)} here.",
            f"Put the clocks right: at most {WINDOW.seconds // 60} minutes may lie between them.",
        )


def _incomplete(why: str) -> Unsigned:
    return Unsigned(
        "IncompleteSignatureException", f"The request's signature cannot be read. {why}", "Sign it as AWS's clients do."
    )


# --- What is signed ---------------------------------------------------------------------------------------------------------


def _to_sign(request: Request, headers: Mapping[str, str], claim: _Claim, stamp: str) -> str:
    missing = [name for name in claim.signed if name not in headers]
    if missing:
        raise _incomplete(f"It signs the header {missing[0][:60]!r}, which did not come.")
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/~"),
            _query(request.query),
            *(f"{name}:{headers[name]}" for name in claim.signed),
            "",
            ";".join(claim.signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = f"{claim.day}/{claim.region}/{claim.service}/aws4_request"
    return "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What is sent several times is joined by commas; blanks are put together."""
    joined: dict[str, str] = {}
    for name, value in headers:
        plain = " ".join(value.split())
        joined[name] = f"{joined[name]},{plain}" if name in joined else plain
    return joined


def _query(query: bytes) -> str:
    pairs = (pair.partition(b"=") for pair in query.split(b"&") if pair)
    return "&".join("=".join(pair) for pair in sorted((_quoted(key), _quoted(value)) for key, _, value in pairs))


def _quoted(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _sign(secret: str, claim: _Claim, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in (claim.day, claim.region, claim.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
