"""The service file: what a service is, how its tasks run, how users reach it, and how it is released.

A *version* is this file's task specification under a name; once deployed it is immutable. The rest of the file (plan, alarms,
listener, stickiness) belongs to the service and may change with every `apply`.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from tidegate.core.access import HERE, Access
from tidegate.core.alarm import AlarmFile
from tidegate.core.alarm_set import check_alarms
from tidegate.core.codedeploy import LEADER, shift_of
from tidegate.core.compare_file import CompareFile
from tidegate.core.document import Document
from tidegate.core.duration import Duration
from tidegate.core.errors import Invalid, quote
from tidegate.core.plan import PlanFile
from tidegate.core.platform import Ecs, EcsTasks, Platform
from tidegate.core.service_texts import RESERVED_HEADERS as RESERVED_HEADERS
from tidegate.core.service_texts import (
    Address,
    CookieName,
    HeaderName,
    Host,
    Prefix,
    Secret,
    SecretPlace,
    Size,
    Target,
    UrlPath,
    Webhook,
)
from tidegate.core.service_texts import Name as Name
from tidegate.core.service_texts import VersionName as VersionName


def _count(least: int, most: int) -> Any:
    """A whole number as such: no text, and no `yes` that YAML once took for 1."""
    return Field(strict=True, ge=least, le=most)


class Tls(Document):
    certificate: str
    """File with the certificate chain (PEM). Reloaded by itself when it is replaced."""
    key: str
    """File with the private key (PEM)."""


class Listener(Document):
    """Where users reach the service. Services on one port share it by host and path; the longest path wins."""

    port: Annotated[int, _count(1, 65535)]
    address: Address = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface. One address for a port."""
    host: Host = "*"
    """Host name of the requests, `*` for any, `*.example.org` for a suffix."""
    path: Prefix = "/"
    """Path prefix. `/api` matches `/api` and `/api/x`, and not `/apix`."""
    tls: Tls | None = None
    trusted_hops: Annotated[int, _count(0, 10)] = 0
    """Proxies in front whose X-Forwarded-For entries are believed."""
    timeout: Duration = timedelta(seconds=30)
    """A request that takes longer is ended with 504. 0 for never. Upgraded connections and gRPC streams are not cut."""


class Force(Document):
    """Lets testers choose a side by a header, also before any user sees the candidate."""

    header: HeaderName = "x-tidegate-force"
    secret: Secret
    """The header's value must be `candidate SECRET` or `baseline SECRET`."""


class Stickiness(Document):
    """By what a user is known, in this order: the header, the cookie, else a cookie is set."""

    header: HeaderName | None = "x-user-id"
    cookie: CookieName | None = "tidegate"
    cookie_secure: bool = False
    """Marks the cookie Secure. Set it where users come over TLS, also when TLS ends before Tidegate."""
    to_task: bool = False
    """Keeps a user on the same task of his side as well."""

    @model_validator(mode="after")
    def _somehow(self) -> Stickiness:
        if self.header is None and self.cookie is None:
            raise ValueError(
                "stickiness has neither a header nor a cookie: nobody would stay on his side.\nGive at least one of them."
            )
        return self

    @model_serializer(mode="wrap")
    def _with_nulls(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`null` means something here and is not the default: it is written down also by who leaves out nulls."""
        nulls = {name: None for name in ("header", "cookie") if getattr(self, name) is None}
        return {**write(self), **nulls}


class Health(Document):
    """`path` asks by HTTP for a status 200 to 399; without it a TCP connection is enough."""

    path: UrlPath | None = None
    interval: Duration = timedelta(seconds=1)
    timeout: Duration = timedelta(seconds=1)
    healthy_after: Annotated[int, _count(1, 100)] = 2
    unhealthy_after: Annotated[int, _count(1, 100)] = 3
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
    open_files: Annotated[int, _count(16, 10_000_000)] | None = None
    processes: Annotated[int, _count(1, 1_000_000)] | None = None
    core: Size | None = None
    """Size of core dumps; 0MB for none."""

    @field_validator("memory")
    @classmethod
    def _some_memory(cls, memory: str | None) -> str | None:
        if memory is not None and not memory[:-2].strip("0"):
            raise ValueError("no task starts without memory.\nGive it some, as 512MB.")
        return memory


class Tasks(Document):
    """`command` (Tidegate runs the tasks), `targets` (somebody else does), or `ecs` (Amazon ECS does; see `platform`)."""

    command: tuple[str, ...] | None = None
    """Program and arguments; no shell. `{port}`, `{version}`, `{service}` and `{task}` are filled in."""
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=1000)] | None = None
    """host:port of tasks that somebody else runs."""
    ecs: EcsTasks | None = None
    """What ECS runs as a version."""
    env: dict[str, str] = Field(default_factory=dict)
    """Added to a small environment (PATH, HOME, LANG, TZ of the controller). The same placeholders are filled in."""
    directory: str | None = None
    """Working directory; by default the directory of the service file."""
    user: str | None = None
    """Run as this user (the controller must be root)."""
    limits: Limits = Limits()
    count: Annotated[int, _count(1, 200)] = 1
    protocol: Literal["http1", "http2", "grpc"] = "http1"
    """What the tasks speak. `grpc` is http2 whose failures are told by grpc-status."""
    health: Health = Health()
    metrics: UrlPath | None = None
    """Path where tasks expose metrics in Prometheus' text format."""
    drain: Duration = timedelta(seconds=10)
    """Time for requests in flight, after the task got no new ones and before SIGTERM; and again before SIGKILL."""

    @field_validator("command")
    @classmethod
    def _placeholders(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command is not None and not "".join(command[:1]):
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
            if not isinstance(value, str) and (type(value) is not int or abs(value) >= 10**18):
                raise ValueError(f"env {key} is {quote(value)}: as text that could be several things.\nPut it in quotes.")
        return {key: str(value) for key, value in env.items()}

    @field_validator("env")
    @classmethod
    def _names(cls, env: dict[str, str]) -> dict[str, str]:
        for key, value in env.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
                raise ValueError(f"{quote(key)} is not a name of an environment variable.\nUse letters, digits and _.")
            if key.startswith("TIDEGATE_"):
                raise ValueError(f"{key[:60]} begins with TIDEGATE_, which is ours.\nChoose another name.")
            check_placeholders(value)
        return env

    @field_validator("targets")
    @classmethod
    def _each_once(cls, targets: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for target, count in Counter(targets or ()).items():
            if count > 1:
                raise ValueError(f"the target {target!r} is there twice.\nName each once.")
        return targets

    @model_validator(mode="after")
    def _one_of_them(self) -> Tasks:
        given = [kind for kind in ("command", "targets", "ecs") if getattr(self, kind) is not None]
        if len(given) != 1:
            both = f"both {' and '.join(given)}" if given else "neither command nor targets"
            raise ValueError(f"tasks has {both}.\nGive one: command to have tasks run, targets for tasks that run elsewhere.")
        return self


PLACEHOLDERS = ("port", "version", "service", "task")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def check_placeholders(text: str) -> None:
    """Raises ValueError for `{prot}`. Doubled braces stand for themselves, as in `{{json}}`."""
    for found in _PLACEHOLDER.finditer(text):
        if found[1] is not None and found[1] not in PLACEHOLDERS:
            raise ValueError(
                f"{{{found[1][:60]}}} in {quote(text)} is not a placeholder.\n"
                f"Known: {', '.join('{' + known + '}' for known in PLACEHOLDERS)}; write {{{{ and }}}} for braces themselves."
            )


def fill(text: str, *, port: int, version: str, service: str, task: str) -> str:
    """Puts the task's values into a command word or an environment value."""
    values = {"port": str(port), "version": version, "service": service, "task": task}
    return _PLACEHOLDER.sub(lambda found: values[found[1]] if found[1] is not None else found[0][0], text)


class On(Document):
    """Who is told when a rollout starts, is rolled back, completes, or waits for a person; and, when wanted, at each step and
    when the guards hold it."""

    events: Annotated[
        tuple[Literal["started", "step", "held", "rolled_back", "completed", "waiting"], ...],
        Field(min_length=1, max_length=100),
    ] = (
        "started",
        "rolled_back",
        "completed",
        "waiting",
    )
    webhook: Webhook | None = None
    secret: SecretPlace | None = None
    """Signs the webhook's messages, as Standard Webhooks do: env:NAME, or file:PATH."""
    apprise: SecretPlace | None = None
    """Slack, Teams, mail and a hundred others: where Apprise's URL is, for it holds secrets. env:NAME of the controller's
    environment, or file:PATH, which is read at each message."""
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Gets the event as JSON on its standard input, and TIDEGATE_EVENT, TIDEGATE_ROLLOUT, TIDEGATE_SERVICE, TIDEGATE_REASON."""

    @model_validator(mode="after")
    def _one_of_them(self) -> On:
        if sum(kind is not None for kind in (self.webhook, self.command, self.apprise)) != 1:
            raise ValueError("give one of webhook, command and apprise.\nWrite a list of two to have both.")
        if self.secret is not None and self.webhook is None:
            raise ValueError("secret signs the messages of a webhook, and there is none.\nRemove secret.")
        return self

    @property
    def kind(self) -> str:
        return "webhook" if self.webhook is not None else "apprise" if self.apprise is not None else "command"


NOWHERE = Listener(port=1)
"""In the place of a listener that is none of ours."""


class Service(Document):
    """One service file."""

    begin_with = "Start from the example: tidegate example service."

    service: Name
    listener: Listener
    stickiness: Stickiness = Stickiness()
    force: Force | None = None
    tasks: Tasks
    plan: PlanFile = PlanFile.default()
    alarms: tuple[AlarmFile, ...] = ()
    compare: CompareFile = CompareFile()
    on: tuple[On, ...] = ()
    platform: Platform | None = None
    """Where it runs, when that is not this machine."""

    @model_validator(mode="before")
    @classmethod
    def _listens_elsewhere(cls, content: Any) -> Any:
        """On a platform users come by its own load balancer: the service file has no listener."""
        platform = content.get("platform") if isinstance(content, dict) else None
        if platform is None:
            return content
        counted = not (isinstance(platform, dict) and platform.get("codedeploy") is not None)
        return {"listener": NOWHERE, "compare": {"latency": None} if counted else "off"} | content

    @model_validator(mode="after")
    def _fits_its_platform(self) -> Service:
        if (self.platform is None) != (self.tasks.ecs is None):
            has, lacks = ("platform", "tasks.ecs") if self.platform else ("tasks.ecs", "platform")
            raise ValueError(f"there is {has}, and no {lacks}.\nOn Amazon ECS both are needed.")
        if self.platform is None:
            return self
        if self.listener != NOWHERE:
            raise ValueError("users come by the rule of the load balancer, and there is a listener.\nRemove listener.")
        if self.platform.codedeploy is not None:
            self._fits_codedeploy()
        elif self.platform.ecs is not None and self.compare.is_on:
            compare_on_alb(self.platform.ecs, self.compare, self.plan)
        for alarm in self.alarms:
            if alarm.metric and not alarm.metric_name.source.is_told and alarm.metric != "tasks_healthy":
                raise ValueError(
                    f"alarm {alarm.name} looks at {alarm.metric}, which nobody counts on ECS.\nName an alarm or a metric of "
                    'CloudWatch: cloudwatch:AWS/ApplicationELB/HTTPCode_Target_5XX_Count{TargetGroup="{target_group}",...}, '
                    "or ask Prometheus: prometheus:QUERY."
                )
        return self

    def _fits_codedeploy(self) -> None:
        if self.compare.is_on:
            raise ValueError(
                "nobody counts requests of each side while CodeDeploy releases.\nSay compare: off, and give alarms."
            )
        for alarm in self.alarms:
            if alarm.metric and any(place in alarm.metric for place in ("{target_group}", "{load_balancer}")):
                raise ValueError(
                    f"alarm {alarm.name} asks for the target group of a side, and CodeDeploy chooses it.\nLet the tasks "
                    "publish their metrics with {version}, or name an alarm of CloudWatch."
                )
        try:
            shift_of(self.plan.resolve())
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong

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

    @model_validator(mode="after")
    def _compares_what_it_can(self) -> Service:
        for own in self.compare.metrics:
            if self.tasks.metrics is None and any(metric.startswith("tasks:") for metric in own.asked):
                raise ValueError(
                    f"compare asks for {own.asked[0]}, and the tasks do not say where they show metrics.\nAdd tasks.metrics, "
                    "as /metrics."
                )
        try:
            check_plan(self.plan, self.compare)
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong
        return self

    @model_validator(mode="after")
    def _force_is_apart(self) -> Service:
        if self.force is not None and self.force.header == self.stickiness.header:
            raise ValueError(f"{self.force.header!r} cannot both name users and force a side.\nGive force another header.")
        return self

    @property
    def subject(self) -> str:
        """The name under which its rollouts go."""
        return self.service

    @property
    def led(self) -> str:
        """Who moves the exposure, when that is not us."""
        return LEADER if self.platform is not None and self.platform.codedeploy is not None else ""

    @property
    def access(self) -> Access:
        """Where AWS is asked for what concerns it, and as whom."""
        return self.platform.access(self.service) if self.platform is not None else HERE

    def relative_to(self, directory: str) -> Service:
        """The same service with its working directory and certificate files made absolute."""
        tasks = self.tasks
        if tasks.command is not None:
            tasks = tasks.model_copy(update={"directory": _beside(directory, tasks.directory or ".")})
        if self.listener.tls is None:
            return self.model_copy(update={"tasks": tasks})
        tls = Tls(certificate=_beside(directory, self.listener.tls.certificate), key=_beside(directory, self.listener.tls.key))
        return self.model_copy(update={"tasks": tasks, "listener": self.listener.model_copy(update={"tls": tls})})


def _beside(directory: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(directory, path))


def check_plan(plan: PlanFile, compare: CompareFile) -> None:
    """Raises Invalid for a plan that goes by evidence where nothing is compared."""
    if plan.adaptive is not None and not (compare.is_on and compare.rollback):
        raise Invalid(
            "an adaptive plan goes by the evidence of a comparison, and none is made that may roll back.",
            "Take out `compare`, or choose another plan, as linear 10% every 1m.",
            "plan.adaptive",
        )


def compare_on_alb(ecs: Ecs, compare: CompareFile, plan: PlanFile) -> None:
    """Raises ValueError for what cannot be compared on counts of requests and failures that come late."""
    if ecs.counted_by is None:
        raise ValueError("nobody counts requests (platform.ecs.counts is off): nothing is compared.\nSay compare: off.")
    if compare.latency is not None:
        raise ValueError(
            "latency cannot be compared behind ALB: its counts do not tell it.\nSay compare: {latency: off}, and give an alarm "
            "on TargetResponseTime."
        )
    if plan.adaptive is not None:
        raise ValueError("an adaptive plan goes by the second, and ALB's counts come late.\nChoose another plan, as canary.")


def same_listener(one: Service, other: Service) -> None:
    """Raises Invalid when two services cannot share their port: one host and path, or unlike address, TLS or hops."""
    mine, theirs = one.listener, other.listener
    if one.service == other.service or mine.port != theirs.port or one.platform or other.platform:
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
