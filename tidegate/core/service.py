"""The service file: what a service is, how its tasks run, how users reach it, and how it is released.

A *version* is this file's task specification under a name; once deployed it is immutable. The rest of the file (plan, alarms,
listener, stickiness) belongs to the service and may change with every `apply`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from tidegate.core.alarm import AlarmFile, check_alarms
from tidegate.core.document import Document
from tidegate.core.duration import Duration
from tidegate.core.errors import Invalid
from tidegate.core.plan import PlanFile

Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
VersionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", to_lower=True)]
CookieName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,62}$")]
Target = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$")]

RESERVED_HEADERS = ("x-tidegate-id", "x-tidegate-side")
"""Set by the router for the tasks; what clients send under these names is stripped."""


def _bytes(text: str) -> str:
    if not re.fullmatch(r"\d{1,9}(KB|MB|GB)", text):
        raise ValueError(f"{text!r} is not a size.\nWrite a number with a unit, as 512MB.")
    return text


Size = Annotated[str, AfterValidator(_bytes)]


class Tls(Document):
    certificate: str
    """File with the certificate chain (PEM). Reloaded by itself when it is replaced."""
    key: str
    """File with the private key (PEM)."""


class Listener(Document):
    """Where users reach the service. Services on one port share it by host and path; the longest path wins."""

    port: Annotated[int, Field(ge=1, le=65535)]
    address: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface. One address for a port."""
    host: str = "*"
    """Host name of the requests, `*` for any, `*.example.org` for a suffix."""
    path: Annotated[str, StringConstraints(pattern=r"^/[^?#\s]*$")] = "/"
    """Path prefix. `/api` matches `/api` and `/api/x`, and not `/apix`."""
    tls: Tls | None = None
    trusted_hops: Annotated[int, Field(ge=0, le=10)] = 0
    """Proxies in front whose X-Forwarded-For entries are believed."""
    timeout: Duration = timedelta(seconds=30)
    """A request that takes longer is ended with 504. 0 for never. Upgraded connections and gRPC streams are not cut."""


class Force(Document):
    """Lets testers choose a side by a header, also before any user sees the candidate."""

    header: HeaderName = "x-tidegate-force"
    secret: Annotated[str, StringConstraints(min_length=8, max_length=200, pattern=r"^[\x21-\x7e]+$")]
    """The header's value must be `candidate SECRET` or `baseline SECRET`."""


class Stickiness(Document):
    """By what a user is known, in this order: the header, the cookie, else a cookie is set."""

    header: HeaderName | None = "x-user-id"
    cookie: CookieName | None = "tidegate"
    cookie_secure: bool = False
    """Marks the cookie Secure. Set it where users come over TLS, also when TLS ends before Tidegate."""
    to_task: bool = False
    """Keeps a user on the same task of his side as well."""

    @field_validator("header")
    @classmethod
    def _not_reserved(cls, header: str | None) -> str | None:
        if header in RESERVED_HEADERS or (header or "").startswith("x-envoy-"):
            raise ValueError(f"header {header!r} is reserved for the router.\nChoose another header name.")
        return header


class Health(Document):
    """`path` asks by HTTP for a status 200 to 399; without it a TCP connection is enough."""

    path: Annotated[str, StringConstraints(pattern=r"^/\S*$")] | None = None
    interval: Duration = timedelta(seconds=1)
    timeout: Duration = timedelta(seconds=1)
    healthy_after: Annotated[int, Field(ge=1, le=100)] = 2
    unhealthy_after: Annotated[int, Field(ge=1, le=100)] = 3
    start_within: Duration = timedelta(seconds=30)
    """A task that is not healthy by then is given up, and a rollout that needs it rolls back."""

    @field_validator("interval", "timeout", "start_within")
    @classmethod
    def _positive(cls, span: timedelta) -> timedelta:
        if span < timedelta(milliseconds=50):
            raise ValueError("a duration of less than 50ms is too short here.\nGive at least 50ms.")
        return span


class Limits(Document):
    """Limits of each task's processes, set before the command starts."""

    memory: Size | None = None
    """Address space, as 512MB."""
    open_files: Annotated[int, Field(ge=16, le=10_000_000)] | None = None
    processes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    core: Size | None = None
    """Size of core dumps."""


class Tasks(Document):
    """Either `command` (Tidegate runs the tasks) or `targets` (somebody else does)."""

    command: tuple[str, ...] | None = None
    """Program and arguments; no shell. `{port}`, `{version}`, `{service}` and `{task}` are filled in."""
    targets: tuple[Target, ...] | None = None
    """host:port of tasks that somebody else runs."""
    env: dict[str, str] = Field(default_factory=dict)
    """Added to a small environment (PATH, HOME, LANG, TZ of the controller). The same placeholders are filled in."""
    directory: str | None = None
    """Working directory; by default the directory of the service file."""
    user: str | None = None
    """Run as this user (the controller must be root)."""
    limits: Limits = Limits()
    count: Annotated[int, Field(ge=1, le=200)] = 1
    protocol: Literal["http1", "http2", "grpc"] = "http1"
    """What the tasks speak. `grpc` is http2 whose failures are told by grpc-status."""
    health: Health = Health()
    metrics: Annotated[str, StringConstraints(pattern=r"^/\S*$")] | None = None
    """Path where tasks expose metrics in Prometheus' text format."""
    drain: Duration = timedelta(seconds=10)
    """Time for requests in flight, after the task got no new ones and before SIGTERM; and again before SIGKILL."""

    @field_validator("command")
    @classmethod
    def _placeholders(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command is not None and not command:
            raise ValueError("an empty command starts nothing.\nGive the program and its arguments, as [python, app.py].")
        for word in command or ():
            check_placeholders(word)
        return command

    @field_validator("env", mode="before")
    @classmethod
    def _texts(cls, env: Any) -> Any:
        """YAML reads `DEBUG: 1` as a number; an environment holds texts."""
        if not isinstance(env, dict):
            return env
        for key, value in env.items():
            if isinstance(value, bool) or value is None:
                raise ValueError(f"env {key} is {value!r}: as text that could be several things.\nPut it in quotes.")
        return {str(key): str(value) for key, value in env.items()}

    @field_validator("env")
    @classmethod
    def _names(cls, env: dict[str, str]) -> dict[str, str]:
        for key, value in env.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
                raise ValueError(f"{key!r} is not a name of an environment variable.\nUse letters, digits and _.")
            if key.startswith("TIDEGATE_"):
                raise ValueError(f"{key} begins with TIDEGATE_, which is ours.\nChoose another name.")
            check_placeholders(value)
        return env

    @model_validator(mode="after")
    def _one_of_them(self) -> Tasks:
        if (self.command is None) == (self.targets is None):
            both = "both command and targets" if self.command else "neither command nor targets"
            raise ValueError(f"tasks has {both}.\nGive one: command to have tasks run, targets for tasks that run elsewhere.")
        return self


PLACEHOLDERS = ("port", "version", "service", "task")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_placeholders(text: str) -> None:
    """Raises ValueError for `{prot}`. Doubled braces stand for themselves, as in `{{json}}`."""
    for name in _PLACEHOLDER.findall(text.replace("{{", "").replace("}}", "")):
        if name not in PLACEHOLDERS:
            raise ValueError(
                f"{{{name}}} in {text[:60]!r} is not a placeholder.\n"
                f"Known: {', '.join('{' + known + '}' for known in PLACEHOLDERS)}; write {{{{ and }}}} for braces themselves."
            )


def fill(text: str, *, port: int, version: str, service: str, task: str) -> str:
    """Puts the task's values into a command word or an environment value."""
    values = {"port": str(port), "version": version, "service": service, "task": task}
    parts = re.split(r"(\{\{|\}\}|\{[a-z]+\})", text)
    return "".join(
        {"{{": "{", "}}": "}"}.get(part) or values.get(part.strip("{}"), part) if part[:1] in "{}" and part else part
        for part in parts
    )


class On(Document):
    """Who is told when a rollout starts, is rolled back, completes, or waits for a person."""

    events: tuple[Literal["started", "rolled_back", "completed", "waiting"], ...] = (
        "started",
        "rolled_back",
        "completed",
        "waiting",
    )
    webhook: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    command: tuple[str, ...] | None = None
    """Gets the event as JSON on its standard input, and TIDEGATE_EVENT, TIDEGATE_ROLLOUT, TIDEGATE_SERVICE, TIDEGATE_REASON."""

    @model_validator(mode="after")
    def _one_of_them(self) -> On:
        if (self.webhook is None) == (self.command is None):
            raise ValueError("give one of webhook and command.\nWrite a list of two to have both.")
        return self


class Service(Document):
    """One service file."""

    service: Name
    listener: Listener
    stickiness: Stickiness = Stickiness()
    force: Force | None = None
    tasks: Tasks
    plan: PlanFile = PlanFile.default()
    alarms: tuple[AlarmFile, ...] = ()
    on: tuple[On, ...] = ()

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_many(cls, on: Any) -> Any:
        return (on,) if isinstance(on, dict) else on

    @field_validator("alarms")
    @classmethod
    def _fit_together(cls, alarms: tuple[AlarmFile, ...], info: ValidationInfo) -> tuple[AlarmFile, ...]:
        tasks = info.data.get("tasks")
        check_alarms(alarms, scraped=tasks is None or tasks.metrics is not None)
        return alarms

    def relative_to(self, directory: str) -> Service:
        """The same service with its working directory and certificate files made absolute."""
        base = PurePosixPath(directory)
        tasks = self.tasks.model_copy(update={"directory": str(base / (self.tasks.directory or "."))})
        if self.listener.tls is None:
            return self.model_copy(update={"tasks": tasks})
        tls = Tls(certificate=str(base / self.listener.tls.certificate), key=str(base / self.listener.tls.key))
        return self.model_copy(update={"tasks": tasks, "listener": self.listener.model_copy(update={"tls": tls})})


def same_listener(one: Service, other: Service) -> None:
    """Raises Invalid when two services cannot share their port: one host and path, or unlike address, TLS or hops."""
    mine, theirs = one.listener, other.listener
    if one.service == other.service or mine.port != theirs.port:
        return
    if (mine.host, mine.path) == (theirs.host, theirs.path):
        raise Invalid(
            f"{one.service} and {other.service} both want {mine.host}{mine.path} on port {mine.port}.",
            "Give one of them another host, path or port.",
            "listener",
        )
    for key in ("address", "tls", "trusted_hops"):
        if getattr(mine, key) != getattr(theirs, key):
            raise Invalid(
                f"{one.service} and {other.service} share port {mine.port} but differ in listener.{key}.",
                "Give both the same, or another port to one of them.",
                f"listener.{key}",
            )
