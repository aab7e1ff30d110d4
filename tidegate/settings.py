"""Settings: read once from the environment by the entry points, and handed on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.core.duration import parse_duration
from tidegate.core.errors import Invalid

LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel takes 107; the longest name that we append must fit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`home` holds everything of one Tidegate: database, sockets, Envoy's files, tasks and logs."""

    home: Path
    database: str
    port: int = 7400
    tick: timedelta = timedelta(seconds=1)
    cloudwatch: str = ""
    """The namespace under which figures are published to CloudWatch; "" for not."""
    prometheus: str = ""
    """The URL of a Prometheus server that alarms and comparisons may ask; "" for none."""
    prometheus_token_file: Path | None = None
    traces: bool = False
    """Whether the OTEL_* variables name somebody who collects traces."""

    @property
    def socket(self) -> Path:
        """The CLI's door."""
        return self.home / "api.sock"

    @property
    def token_file(self) -> Path:
        """The token for changes over TCP."""
        return self.home / "token"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """TIDEGATE_HOME, TIDEGATE_DATABASE, TIDEGATE_PORT, TIDEGATE_TICK, TIDEGATE_CLOUDWATCH, TIDEGATE_PROMETHEUS and
    TIDEGATE_PROMETHEUS_TOKEN_FILE; of OpenTelemetry's only whether they ask for traces. Raises Invalid with the mend."""
    env = os.environ if environ is None else environ
    home = Path(env.get("TIDEGATE_HOME") or _default_home(env)).expanduser().absolute()
    if len(os.fsencode(home)) > LONGEST_SOCKET_PATH - len("/envoy/admin.sock"):
        raise Invalid(f"TIDEGATE_HOME is too long for unix sockets: {home}.", "Choose a shorter directory.", "TIDEGATE_HOME")
    return Settings(
        home=home,
        database=env.get("TIDEGATE_DATABASE") or f"sqlite:///{home / 'tidegate.db'}",
        port=_port(env.get("TIDEGATE_PORT") or "7400"),
        tick=_tick(env.get("TIDEGATE_TICK") or "1s"),
        cloudwatch=_namespace(env.get("TIDEGATE_CLOUDWATCH") or ""),
        prometheus=_url(env.get("TIDEGATE_PROMETHEUS") or "", "TIDEGATE_PROMETHEUS"),
        traces=_traces(env),
        prometheus_token_file=Path(token).absolute() if (token := env.get("TIDEGATE_PROMETHEUS_TOKEN_FILE")) else None,
    )


def _default_home(env: Mapping[str, str]) -> str:
    return str(Path(env.get("XDG_STATE_HOME") or "~/.local/state") / "tidegate")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise Invalid(f"TIDEGATE_PORT is {text!r}.", "Give a port from 1 to 65535, or 0 for none.", "TIDEGATE_PORT")
    return int(text)


def _namespace(text: str) -> str:
    if text and (not re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", text) or text.startswith("AWS/")):
        raise Invalid(
            f"TIDEGATE_CLOUDWATCH is {text!r}.", "Give a namespace of CloudWatch, as Tidegate.", "TIDEGATE_CLOUDWATCH"
        )
    return text


def _url(text: str, name: str) -> str:
    """Not shown when it is wrong: it may carry a password."""
    try:
        parts = urlsplit(text)
        is_one = not text or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        is_one = False
    if not is_one:
        raise Invalid(f"{name} is no URL of a server.", "Give its address, as http://prometheus.example.org:9090.", name)
    return text


def _traces(env: Mapping[str, str]) -> bool:
    """As their specification says. Where, with which headers and how is read by the exporter itself."""
    is_off = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_other = env.get("OTEL_TRACES_EXPORTER", "").strip() not in ("", "otlp")
    named = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return bool(named) and not is_off and not is_other


def _tick(text: str) -> timedelta:
    tick = parse_duration(text)
    if not timedelta(milliseconds=100) <= tick <= timedelta(seconds=10):
        raise Invalid(f"TIDEGATE_TICK is {text!r}.", "Give a duration from 100ms to 10s.", "TIDEGATE_TICK")
    return tick
