"""The certificate of a TLS port. Envoy watches the directory of the user's own files and reads them again when replaced."""

from __future__ import annotations

from tidegate.core.service import Tls
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json


def certificate(port: int, tls: Tls) -> list[Json]:
    pair = {"certificate_chain": {"filename": tls.certificate}, "private_key": {"filename": tls.key}}
    secret = TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
    return [{"@type": secret, "name": names.port_name(port), "tls_certificate": pair}]
