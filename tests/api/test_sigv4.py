"""Signatures of AWS's clients, checked against what botocore signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.sigv4 import Request, Unsigned, verify

SECRET = "s3cr3t-of-the-house_x"
URL = "http://127.0.0.1:7400"


def signed(method: str = "GET", url: str = f"{URL}/configuration", body: bytes = b"", **more: Any) -> tuple[Request, datetime]:
    """What botocore sends, and the time that it signed at."""
    credentials = Credentials(more.get("key", "tidegate"), more.get("secret", SECRET), more.get("session"))
    asked = AWSRequest(method, url, more.get("headers", {}), data=body)
    SigV4Auth(credentials, more.get("service", "appconfig"), more.get("region", "eu-central-1")).add_auth(asked)
    headers = [(name.lower(), value) for name, value in asked.headers.items()]
    headers.append(("host", url.split("/")[2]))
    path, _, query = url.removeprefix(f"http://{url.split('/')[2]}").partition("?")
    at = datetime.strptime(dict(headers)["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return Request(method, path, query.encode(), headers, body), at


def code(request: Request, now: datetime, secret: str = SECRET) -> str:
    with pytest.raises(Unsigned) as wrong:
        verify(request, secret, now)
    assert wrong.value.what
    assert wrong.value.mend
    return wrong.value.code


def changed(request: Request, **changes: Any) -> Request:
    same = {name: getattr(request, name) for name in ("method", "path", "query", "headers", "body")}
    return Request(**same | changes)


def with_header(request: Request, name: str, value: str | None) -> Request:
    rest = [(key, old) for key, old in request.headers if key != name]
    return changed(request, headers=rest if value is None else [*rest, (name, value)])


@pytest.mark.parametrize(
    ("method", "url", "body", "more"),
    [
        ("GET", f"{URL}/configuration?configuration_token=abc_-.x", b"", {}),
        ("GET", f"{URL}/configuration?b=2&a=1&a=0&c=%C3%BC%20~&empty=", b"", {}),
        ("POST", f"{URL}/configurationsessions", b'{"ApplicationIdentifier": "shop"}', {"headers": {"Content-Type": "x  y"}}),
        ("POST", "http://localhost/configurationsessions", b"\x00\xff", {"session": "a/session+token=="}),
        ("GET", f"{URL}/a%20b/c", b"", {"key": "with/slashes", "region": "any", "service": "other"}),
    ],
)
def test_what_botocore_signs_is_good(method: str, url: str, body: bytes, more: dict[str, Any]) -> None:
    request, now = signed(method, url, body, **more)
    assert verify(request, SECRET, now) == more.get("key", "tidegate")


@given(st.dictionaries(st.text("abcdefgh~-_.", min_size=1), st.text("xyz0~-_.=+/ äß\u20ac", max_size=20), max_size=4))
def test_any_query_that_botocore_signs_is_good(query: dict[str, str]) -> None:
    from urllib.parse import quote

    said = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query.items())
    request, now = signed("GET", f"{URL}/configuration?{said}")
    assert verify(request, SECRET, now) == "tidegate"


def test_whatever_is_changed_on_the_way_is_noticed() -> None:
    request, now = signed("POST", f"{URL}/configurationsessions?x=1", b"{}")
    for other in (
        changed(request, method="GET"),
        changed(request, path="/configuration"),
        changed(request, query=b"x=2"),
        changed(request, query=b"x=1&y=1"),
        changed(request, body=b"{} "),
        with_header(request, "host", "localhost:7400"),
    ):
        assert code(other, now) == "InvalidSignatureException"


def test_another_secret_is_refused_and_none_trusts_nobody() -> None:
    request, now = signed(secret="other")
    assert code(request, now) == "InvalidSignatureException"
    request, now = signed(secret="")
    assert code(request, now, secret="") == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("minutes", "good"), [(0, True), (4.9, True), (-4.9, True), (5.1, False), (-5.1, False), (60 * 24, False)]
)
def test_five_minutes_may_lie_between_both_clocks(minutes: float, good: bool) -> None:
    request, now = signed()
    later = now + timedelta(minutes=minutes)
    if good:
        verify(request, SECRET, later)
    else:
        assert code(request, later) == "InvalidSignatureException"


HEX = "0" * 64
GOOD = f"AWS4-HMAC-SHA256 Credential=a/20260301/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature={HEX}"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        GOOD.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        GOOD.replace("Credential", "Credentials"),
        GOOD.replace("a/20260301/r/s/aws4_request", "a/20260301/r/aws4_request"),
        GOOD.replace("Credential=a/", "Credential=/"),
        GOOD.replace("aws4_request", "aws5_request"),
        GOOD.replace("20260301", "20260302"),
        GOOD.replace("host;", ""),
        GOOD.replace(";x-amz-date", ""),
        GOOD.replace("host;x-amz-date", "host;x-amz-date;x-absent"),
        GOOD.replace(HEX, HEX[1:]),
        GOOD.replace(HEX, HEX.replace("0", "G")),
        GOOD.replace("a/", f"{'a' * 3000}/"),
    ],
)
def test_what_is_no_signature_is_told_as_such(authorization: str) -> None:
    headers = [("authorization", authorization), ("x-amz-date", "20260301T120000Z"), ("host", "localhost")]
    request = Request("GET", "/configuration", b"", headers, b"")
    assert code(request, datetime(2026, 3, 1, 12, tzinfo=UTC)) == "IncompleteSignatureException"


@pytest.mark.parametrize(
    "stamp", ["", "now", "20260301", "20260301T250000Z", "99999999T999999Z", "2026-03-01T12:00:00Z", "\xff"]
)
def test_a_time_that_is_none_is_told(stamp: str) -> None:
    headers = [("authorization", GOOD), ("x-amz-date", stamp), ("host", "localhost")]
    request = Request("GET", "/configuration", b"", headers, b"")
    assert code(request, datetime(2026, 3, 1, 12, tzinfo=UTC)) == "IncompleteSignatureException"


@given(st.text(max_size=300), st.text(max_size=40), st.binary(max_size=50), st.text(max_size=30))
def test_nothing_that_is_sent_makes_it_stumble(authorization: str, stamp: str, query: bytes, path: str) -> None:
    for said in (authorization, f"AWS4-HMAC-SHA256 {authorization}", GOOD + authorization):
        headers = [("authorization", said), ("x-amz-date", stamp), ("x-amz-date", authorization), ("host", stamp)]
        code(Request("GET", path, query, headers, query), datetime(2026, 3, 1, 12, tzinfo=UTC))
