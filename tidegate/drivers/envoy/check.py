"""Says before anything is written whether a service can be routed at all."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from tidegate.core.errors import Refused
from tidegate.core.service import Listener, Service, Tls, same_listener


def check(service: Service, others: Sequence[Service], *, listening: bool) -> None:
    """Raises Refused with the reason. `listening`: our own Envoy has this very address and port already."""
    for other in others:
        same_listener(service, other)
    listener = service.listener
    _check_address(listener)
    shared = any(other.listener.port == listener.port for other in others if other.service != service.service)
    if not shared and not listening:
        _check_port(listener)
    if listener.tls is not None:
        _check_certificate(listener.tls)


def _check_address(listener: Listener) -> None:
    try:
        ipaddress.ip_address(listener.address)
    except ValueError as error:
        raise Refused(
            f"{listener.address!r} is not an IP address to listen on.",
            "Write 127.0.0.1 for this machine alone, or 0.0.0.0 for every interface.",
        ) from error


def _check_port(listener: Listener) -> None:
    """Takes the port for a moment, as nobody who shares it could."""
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((listener.address, listener.port))
            trial.listen(1)
        except OSError as error:
            raise Refused(*_why_not(listener, error)) from error


def _why_not(listener: Listener, error: OSError) -> tuple[str, str]:
    where = f"{listener.address} port {listener.port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"Somebody else listens on {where} already.", "End that program, or choose another listener.port."
        case errno.EACCES:
            return f"Listening on {where} is not permitted.", "Choose a port from 1024, or run as a user who may."
        case errno.EADDRNOTAVAIL:
            return f"This machine does not have the address {listener.address}.", "Choose one that it has, or 0.0.0.0."
        case _:
            return f"Listening on {where} fails: {error.strerror}.", "Choose another listener.address or listener.port."


def _check_certificate(tls: Tls) -> None:
    for path, what in ((tls.certificate, "certificate"), (tls.key, "key")):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise Refused(
                f"The {what} {path} cannot be read: {error.strerror}.",
                f"Correct listener.tls.{what}, or make it readable for the user that Tidegate runs as.",
            ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ssl.SSLError as error:
        why = "they do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else f"{error.reason or error}"
        raise Refused(
            f"The certificate {tls.certificate} and the key {tls.key} cannot be used: {why}.",
            "Give a certificate chain and its own private key, both PEM, the key without a password.",
        ) from error
    except ValueError as error:
        raise Refused(
            f"The key {tls.key} has a password.", f"Remove it: openssl pkey -in {tls.key} -out {tls.key}.open"
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")
