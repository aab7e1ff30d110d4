"""The texts of a service file: which are taken, and what is said of the others. Each tells its pattern to editors, too."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from tidegate.core.errors import quote

RESERVED_HEADERS = ("x-tidegate-id", "x-tidegate-side", "x-request-id", "cookie", "host")
"""Set or read by the router itself; what clients send under the first two is stripped."""

_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
_VERSION = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$"
_HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$"
_COOKIE = r"^[A-Za-z0-9_-]{1,62}$"
_PREFIX = r"^/[^?#\s]{0,500}$"
_PATH = r"^/\S{0,500}$"
_SECRET = r"^[\x21-\x7e]{8,200}$"
_WEBHOOK = r"^https?://[^\s/]\S{0,2000}$"
_SECRET_PLACE = r"^(env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:/[^\x00-\x1f]{1,1000})$"
_SIZE = r"^[0-9]{1,9}(KB|MB|GB)$"
_HOST = r"^(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$"


def place_of(url: str) -> str:
    """Only where it is, as `https://hooks.example.com`: user, path, query and fragment of a webhook may be secrets."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"


def _secret_place(text: str) -> str:
    """Not quoted when it is wrong: it may be the secret itself."""
    if not re.fullmatch(_SECRET_PLACE.strip("^$"), text):
        raise ValueError(
            "this does not say where the secret is.\n"
            "Write env:NAME or file:/PATH: a secret itself would be shown to everybody who reads this file."
        )
    return text


def _like(pattern: str, what: str, mend: str) -> Callable[[str], str]:
    whole = re.compile(pattern.removesuffix("$") + r"\Z")

    def check(text: str) -> str:
        if not whole.match(text):
            raise ValueError(f"{quote(text)} is not {what}.\n{mend}")
        return text

    return check


def _secret(text: str) -> str:
    """A wrong secret may be nearly the right one: it is not quoted."""
    if not re.fullmatch(_SECRET.strip("^$"), text):
        raise ValueError("the secret has not 8 to 200 visible ASCII characters without spaces.\nChoose another.")
    return text


def _not_reserved(header: str) -> str:
    if header in RESERVED_HEADERS or header.startswith("x-envoy-"):
        raise ValueError(f"header {header!r} is reserved for the router.\nChoose another header name.")
    return header


def _host(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(_HOST.strip("^$"), text):
        raise ValueError(f"{quote(text)} is not a host name.\nWrite shop.example.org, *.example.org or *.")
    return text.lower()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as wrong:
        raise ValueError(f"{quote(text)} is not an IP address.\nWrite 127.0.0.1, 0.0.0.0 or ::1.") from wrong


def _target(text: str) -> str:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):([0-9]{1,5})", text)
    if not found or not 1 <= int(found[2]) <= 65535:
        raise ValueError(f"{quote(text)} is not a host and a port.\nWrite 10.0.0.7:8080 or [::1]:8080.")
    return text


def _without_end(path: str) -> str:
    """`/api/` is the same as `/api`: a prefix ends where a part of the path ends."""
    return path.rstrip("/") or "/"


Name = Annotated[
    str,
    AfterValidator(_like(_NAME, "a service name", "Use up to 40 lower case letters, digits and -, beginning with a letter.")),
    Field(json_schema_extra={"pattern": _NAME}),
]
VersionName = Annotated[
    str,
    AfterValidator(_like(_VERSION, "a version name", "Use up to 63 letters, digits and . _ + -, as v2 or 1.4.0.")),
    Field(json_schema_extra={"pattern": _VERSION}),
]
HeaderName = Annotated[
    str,
    AfterValidator(_like(_HEADER, "a header name", "Use letters, digits and -, as x-user-id.")),
    AfterValidator(str.lower),
    AfterValidator(_not_reserved),
    Field(json_schema_extra={"pattern": _HEADER}),
]
CookieName = Annotated[
    str,
    AfterValidator(_like(_COOKIE, "a cookie name", "Use letters, digits, _ and -.")),
    Field(json_schema_extra={"pattern": _COOKIE}),
]
Prefix = Annotated[
    str,
    AfterValidator(_like(_PREFIX, "a path prefix", "Begin it with /, without spaces, ? and #.")),
    AfterValidator(_without_end),
    Field(json_schema_extra={"pattern": _PREFIX}),
]
UrlPath = Annotated[
    str,
    AfterValidator(_like(_PATH, "a path", "Begin it with /, without spaces.")),
    Field(json_schema_extra={"pattern": _PATH}),
]
Webhook = Annotated[
    str,
    AfterValidator(_like(_WEBHOOK, "an address of a webhook", "Begin it with https:// or http://.")),
    Field(json_schema_extra={"pattern": _WEBHOOK}),
]
SecretPlace = Annotated[
    str,
    AfterValidator(_secret_place),
    Field(json_schema_extra={"pattern": _SECRET_PLACE}),
]
Size = Annotated[
    str,
    AfterValidator(_like(_SIZE, "a size", "Write a number with a unit, as 512MB.")),
    Field(json_schema_extra={"pattern": _SIZE}),
]
Secret = Annotated[str, AfterValidator(_secret), Field(json_schema_extra={"pattern": _SECRET})]
Host = Annotated[str, AfterValidator(_host), Field(json_schema_extra={"pattern": _HOST})]
Address = Annotated[str, AfterValidator(_address)]
Target = Annotated[str, AfterValidator(_target)]
