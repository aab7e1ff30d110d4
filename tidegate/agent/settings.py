"""The agent's settings: read once, from options and from the environment. Amazon's names are understood where they fit.

HTTP_PORT, POLL_INTERVAL (seconds), BACKUP_DIRECTORY, ACCESS_TOKEN, LOG_LEVEL, PREFETCH_LIST
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tidegate.core.errors import Invalid, quote
from tidegate.core.flag_platform import parse_place

PORT = 2772
POLL = 45.0
LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50, "none": 60}


@dataclass(frozen=True, slots=True)
class AgentSettings:
    application: str
    environment: str
    control: str
    """Empty where it reads from AppConfig."""
    appconfig: str = ""
    """APPLICATION/ENVIRONMENT/PROFILE, as AppConfig calls them."""
    token: str = ""
    """Shown to the control plane."""
    host: str = "127.0.0.1"
    port: int = PORT
    cache: Path | None = None
    poll: float = POLL
    access_token: str = ""
    """Wanted from whoever asks the agent."""
    log_level: int = LEVELS["info"]

    @property
    def local(self) -> bool:
        return ip_address(self.host).is_loopback


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; None is the environment's turn."""

    application: str | None = None
    environment: str | None = None
    control: str | None = None
    appconfig: str | None = None
    listen: str | None = None
    port: int | None = None
    cache: Path | None = None


def read_agent_settings(options: Options, env: Mapping[str, str], home_socket: Path) -> AgentSettings:
    """Raises Invalid with the mend. `home_socket` is where the control plane of this machine listens."""
    appconfig = options.appconfig or ("" if options.control else env.get("TIDEGATE_APPCONFIG", ""))
    if options.appconfig and options.control:
        raise Invalid("It follows a control plane or AppConfig.", "Give one of --control and --appconfig.")
    application, environment = _subject(options, env, parse_place(appconfig)[:2] if appconfig else None)
    return AgentSettings(
        application=application,
        environment=environment,
        appconfig=appconfig,
        control="" if appconfig else options.control or env.get("TIDEGATE_CONTROL") or str(home_socket),
        token=env.get("TIDEGATE_TOKEN", ""),
        host=_host(options.listen or "127.0.0.1"),
        port=options.port if options.port is not None else _port(env.get("HTTP_PORT") or str(PORT)),
        cache=options.cache or _cache(env),
        poll=_poll(env.get("POLL_INTERVAL") or ""),
        access_token=env.get("ACCESS_TOKEN", ""),
        log_level=_level(env.get("LOG_LEVEL") or "info"),
    )


def _subject(options: Options, env: Mapping[str, str], place: tuple[str, str] | None) -> tuple[str, str]:
    listed = place or _prefetched(env.get("PREFETCH_LIST") or "")
    application = options.application or (listed[0] if listed else "")
    environment = options.environment or (listed[1] if listed else "")
    if not application or not environment:
        raise Invalid(
            "It was not said whose flags to serve.",
            "Give --application and --environment, or PREFETCH_LIST=/applications/A/environments/E/configurations/P.",
        )
    return application, environment


def _prefetched(text: str) -> tuple[str, str] | None:
    """`/applications/A/environments/E/configurations/P` or `A:E:P`; several by commas, if all are of one A and E."""
    found: set[tuple[str, str]] = set()
    for item in filter(None, (part.strip() for part in text.split(","))):
        parts = item.strip("/").split("/")
        if len(parts) == 6 and parts[0::2] == ["applications", "environments", "configurations"]:
            found.add((parts[1], parts[3]))
        elif len(item.split(":")) == 3:
            application, environment, _ = item.split(":")
            found.add((application, environment))
        else:
            raise Invalid(
                f"PREFETCH_LIST has {quote(item)}.", "Write /applications/A/environments/E/configurations/P.", "PREFETCH_LIST"
            )
    if len(found) > 1:
        raise Invalid(
            "PREFETCH_LIST names several applications or environments.",
            "An agent serves one: start one for each, each with its own HTTP_PORT.",
            "PREFETCH_LIST",
        )
    return next(iter(found), None)


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise Invalid(f"{quote(text)} is no address to listen on.", "Give an IP address, as 127.0.0.1 or 0.0.0.0.") from error


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 65535:
        raise Invalid(f"HTTP_PORT is {quote(text)}.", "Give a port from 1 to 65535.", "HTTP_PORT")
    return int(text)


def _poll(text: str) -> float:
    """Seconds, as Amazon's agent wants them; `s` or `m` may follow."""
    number, factor = (text[:-1], {"s": 1, "m": 60}[text[-1]]) if text[-1:] in ("s", "m") else (text, 1)
    if not text:
        return POLL
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) * factor <= 86_400:
        raise Invalid(f"POLL_INTERVAL is {quote(text)}.", "Give whole seconds from 1 to 86400, as 45.", "POLL_INTERVAL")
    return float(int(number) * factor)


def _cache(env: Mapping[str, str]) -> Path:
    given = env.get("BACKUP_DIRECTORY")
    if given:
        return Path(given).expanduser().absolute()
    return (Path(env.get("XDG_CACHE_HOME") or "~/.cache") / "tidegate" / "agent").expanduser().absolute()


def _level(text: str) -> int:
    level = LEVELS.get(text.lower())
    if level is None:
        raise Invalid(f"LOG_LEVEL is {quote(text)}.", "Give trace, debug, info, warn, error, fatal or none.", "LOG_LEVEL")
    return level
