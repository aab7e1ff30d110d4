"""The certificate of a TLS port, by the names of the user's own files.

Envoy watches their directory and reads them again when they are replaced by rename. What it cannot notice (a link that is
pointed elsewhere, a file written in place) we notice at our next turn.
"""

from __future__ import annotations

from pathlib import Path

import xxhash

from tidegate.core.service import Tls
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json


def certificate(port: int, tls: Tls, mark: str) -> list[Json]:
    """`mark`: changes with the files. It stands where Envoy looks for the password of a key that has none, because a
    secret that is word for word the same is not read again."""
    pair = {"certificate_chain": {"filename": tls.certificate}, "private_key": {"filename": tls.key}}
    secret = TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
    named = {"@type": secret, "name": names.port_name(port)}
    return [named | {"tls_certificate": pair | {"password": {"inline_string": mark}}}]


def mark_of(tls: Tls) -> str:
    """Looks at the files themselves, behind every link."""
    return xxhash.xxh3_64_hexdigest(" ".join(_state(Path(path)) for path in (tls.certificate, tls.key)).encode())


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"
