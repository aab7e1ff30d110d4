"""The service file: what is taken, what is refused with which sentence."""

from __future__ import annotations

import contextlib
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.service import Service, Tasks, check_placeholders, fill, same_listener
from tidegate.core.service_schema import service_schema
from tidegate.core.text import read_yaml

EXAMPLE = """
service: web
listener: {port: 8080, host: "*", path: /}
stickiness: {header: x-user-id, cookie: tidegate}
tasks:
  command: [python, -m, shop, --port, "{port}"]
  env: {RELEASE: "{version}"}
  count: 2
  health: {path: /healthz, interval: 1s, healthy_after: 2, unhealthy_after: 3, start_within: 30s}
  drain: 10s
plan: {linear: {step: 10%, every: 1m}, bake: 5m}
alarms:
  - {name: errors, metric: error_rate, above: 1%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
  - {name: slow, metric: p99, above: 800ms, period: 10s, datapoints: 3 of 3}
"""
LEAST: dict[str, Any] = {"service": "web", "listener": {"port": 8080}, "tasks": {"command": ["python", "app.py"]}}


def with_(**changes: Any) -> dict[str, Any]:
    """The smallest service file with changes: with_(tasks__count=2)."""
    content = deepcopy(LEAST)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return content


def service(**changes: Any) -> Service:
    return read(Service, with_(**changes), "web.yaml")


def wrong(content: object) -> Invalid:
    with pytest.raises(Invalid) as refused:
        read(Service, content, "web.yaml")
    assert refused.value.what.startswith("web.yaml")
    assert refused.value.mend
    return refused.value


# --- what is taken -------------------------------------------------------------------------------------------------------


def test_the_example_of_the_readme_is_a_service() -> None:
    web = read(Service, read_yaml(EXAMPLE, "web.yaml"), "web.yaml")
    assert web.service == "web"
    assert web.tasks.command == ("python", "-m", "shop", "--port", "{port}")
    assert web.tasks.health.start_within == timedelta(seconds=30)
    assert web.plan.resolve().duration == timedelta(minutes=14)
    assert [alarm.name for alarm in web.alarms] == ["errors", "slow"]


def test_a_name_a_port_and_a_command_are_enough() -> None:
    web = service()
    assert (web.listener.host, web.listener.path, web.listener.address) == ("*", "/", "127.0.0.1")
    assert (web.stickiness.header, web.stickiness.cookie) == ("x-user-id", "tidegate")
    assert web.plan.resolve().said == "linear 10% every 1m"


def test_a_plan_may_be_a_sentence() -> None:
    assert service(plan="canary 5% hold 1m").plan == service(plan={"canary": {"first": "5%", "hold": "1m"}}).plan


def test_header_names_are_written_as_one_likes() -> None:
    assert service(stickiness__header="X-User-Id").stickiness.header == "x-user-id"
    assert service(force={"header": "X-Force", "secret": "a-long-secret"}).force.header == "x-force"  # type: ignore[union-attr]


def test_host_names_are_written_as_one_likes() -> None:
    assert service(listener__host="Shop.Example.ORG").listener.host == "shop.example.org"


def test_a_slash_at_the_end_of_a_path_is_the_same_path() -> None:
    assert [service(listener__path=path).listener.path for path in ("/", "/api", "/api/")] == ["/", "/api", "/api"]


def test_one_who_is_told_needs_no_list() -> None:
    assert service(on={"webhook": "https://example.org/hook"}).on == service(on=[{"webhook": "https://example.org/hook"}]).on


def test_whole_numbers_in_the_environment_are_texts() -> None:
    assert service(tasks__env={"WORKERS": 4, "NAME": "x"}).tasks.env == {"WORKERS": "4", "NAME": "x"}


# --- what is refused -----------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # places and names
    ({"listener": {"port": 80}, "tasks": {"command": ["x"]}}, "'service' is missing.", "Add 'service'."),
    (with_(listener={}), "'listener.port' is missing.", "Add 'port'."),
    (with_(lisener={}), "unknown key 'lisener'.", "Did you mean 'listener'?"),
    (with_(tasks__health__intervall="1s"), "unknown key 'tasks.health.intervall'.", "Did you mean 'interval'?"),
    (with_(tasks__comand=["x"]), "unknown key 'tasks.comand'.", "Did you mean 'command'?"),
    (with_(plan={"linear": {"step": "10%", "evry": "1m"}}), "unknown key 'plan.linear.evry'", "Did you mean 'every'?"),
    (with_(alarms=[{"nme": "x"}]), "unknown key 'alarms[0].nme'", "Did you mean 'name'?"),
    (with_(on=[{"webhok": "x"}]), "unknown key 'on[0].webhok'", "Did you mean 'webhook'?"),
    (
        with_(zzzzzz=1),
        "unknown key 'zzzzzz'.",
        "Known keys: alarms, compare, force, listener, on, plan, platform, service, stickiness, tasks.",
    ),
    (with_(service="Web"), "service: 'Web' is not a service name.", "Use up to 40 lower case letters, digits and -"),
    (with_(service="web_1"), "'web_1' is not a service name.", "Use up to 40 lower case letters, digits and -"),
    (with_(service="-web"), "'-web' is not a service name.", "Use up to 40 lower case letters, digits and -"),
    (with_(service="w" * 41), "is not a service name.", "Use up to 40 lower case letters, digits and -"),
    (with_(service="web\n"), "'web\\n' is not a service name.", "Use up to 40 lower case letters, digits and -"),
    (with_(service=12), "'service': input should be a valid string.", "Correct this value"),
    # listener
    (with_(listener__port=0), "'listener.port': input should be greater than or equal to 1.", "Correct"),
    (with_(listener__port=65536), "'listener.port': input should be less than or equal to 65535.", "Correct"),
    (with_(listener__port="8080"), "'listener.port': input should be a valid integer.", "Correct"),
    (with_(listener__port=True), "'listener.port': input should be a valid integer.", "Correct"),
    (with_(listener__port=8080.0), "'listener.port': input should be a valid integer.", "Correct"),
    (with_(listener__address="localhost"), "'localhost' is not an IP address.", "Write 127.0.0.1, 0.0.0.0 or ::1."),
    (with_(listener__address="127.1"), "'127.1' is not an IP address.", "Write 127.0.0.1, 0.0.0.0 or ::1."),
    (with_(listener__host=""), "'' is not a host name.", "Write shop.example.org, *.example.org or *."),
    (with_(listener__host="a b"), "'a b' is not a host name.", "Write shop.example.org"),
    (with_(listener__host="*.*"), "'*.*' is not a host name.", "Write shop.example.org"),
    (with_(listener__host="shop.*"), "'shop.*' is not a host name.", "Write shop.example.org"),
    (with_(listener__host="shop:8080"), "'shop:8080' is not a host name.", "Write shop.example.org"),
    (with_(listener__path="api"), "'api' is not a path prefix.", "Begin it with /, without spaces, ? and #."),
    (with_(listener__path="/a?b"), "'/a?b' is not a path prefix.", "Begin it with /, without spaces, ? and #."),
    (with_(listener__timeout=30), "listener.timeout: 30 is not a duration.", "Write a number with a unit"),
    (with_(listener__tls={"certificate": "a.pem"}), "'listener.tls.key' is missing.", "Add 'key'."),
    # stickiness and force
    (with_(stickiness__header="x-tidegate-id"), "header 'x-tidegate-id' is reserved for the router.", "Choose another"),
    (with_(stickiness__header="X-Tidegate-Side"), "header 'x-tidegate-side' is reserved for the router.", "Choose another"),
    (with_(stickiness__header="x-envoy-retry-on"), "header 'x-envoy-retry-on' is reserved for the router.", "Choose another"),
    (with_(stickiness__header="x-request-id"), "header 'x-request-id' is reserved for the router.", "Choose another"),
    (with_(stickiness__header="cookie"), "header 'cookie' is reserved for the router.", "Choose another"),
    (with_(stickiness__header="x user"), "'x user' is not a header name.", "Use letters, digits and -, as x-user-id."),
    (with_(stickiness__cookie="a;b"), "'a;b' is not a cookie name.", "Use letters, digits, _ and -."),
    (
        with_(stickiness={"header": None, "cookie": None}),
        "stickiness has neither a header nor a cookie: nobody would stay on his side.",
        "Give at least one of them.",
    ),
    (with_(force={"secret": "short"}), "the secret has not 8 to 200 visible ASCII characters", "Choose another."),
    (with_(force={"secret": "with a space"}), "the secret has not 8 to 200 visible ASCII characters", "Choose another."),
    (
        with_(force={"header": "x-tidegate-side", "secret": "a-long-secret"}),
        "header 'x-tidegate-side' is reserved for the router.",
        "Choose another",
    ),
    (
        with_(force={"header": "X-User-Id", "secret": "a-long-secret"}),
        "'x-user-id' cannot both name users and force a side.",
        "Give force another header.",
    ),
    # tasks
    (with_(tasks={}), "tasks has neither command nor targets.", "Give one"),
    (with_(tasks__targets=["a:1"]), "tasks has both command and targets.", "Give one"),
    (with_(tasks={"command": []}), "an empty command starts nothing.", "Give the program and its arguments"),
    (with_(tasks={"command": [""]}), "an empty command starts nothing.", "Give the program and its arguments"),
    (with_(tasks={"command": "python app.py"}), "'tasks.command': input should be a valid tuple.", "Correct"),
    (with_(tasks={"command": ["python", 8080]}), "'tasks.command[1]': input should be a valid string.", "Correct"),
    (with_(tasks={"command": ["x", "{prot}"]}), "{prot} in '{prot}' is not a placeholder.", "Known: {port}, {version}, "),
    (with_(tasks={"targets": []}), "'tasks.targets': tuple should have at least 1 item", "Correct"),
    (with_(tasks={"targets": ["host"]}), "'host' is not a host and a port.", "Write 10.0.0.7:8080 or [::1]:8080."),
    (with_(tasks={"targets": ["host:0"]}), "'host:0' is not a host and a port.", "Write"),
    (with_(tasks={"targets": ["host:65536"]}), "'host:65536' is not a host and a port.", "Write"),
    (with_(tasks={"targets": ["::1:80"]}), "'::1:80' is not a host and a port.", "Write"),
    (with_(tasks={"targets": ["a:1", "a:1"]}), "the target 'a:1' is there twice.", "Name each once."),
    (with_(tasks__env={"A": 1.10}), "env A is 1.1: as text that could be several things.", "Put it in quotes."),
    (with_(tasks__env={"A": True}), "env A is True: as text that could be several things.", "Put it in quotes."),
    (with_(tasks__env={"A": None}), "env A is None: as text that could be several things.", "Put it in quotes."),
    (with_(tasks__env={"A": ["x"]}), "env A is a list: as text that could be several things.", "Put it in quotes."),
    (with_(tasks__env={"A-B": "x"}), "'A-B' is not a name of an environment variable.", "Use letters, digits and _."),
    (with_(tasks__env={"": "x"}), "'' is not a name of an environment variable.", "Use letters, digits and _."),
    (with_(tasks__env={"A\n": "x"}), "'A\\n' is not a name of an environment variable.", "Use letters, digits and _."),
    (with_(tasks__env={"TIDEGATE_X": "x"}), "TIDEGATE_X begins with TIDEGATE_, which is ours.", "Choose another name."),
    (with_(tasks__env={"A": "{x}"}), "{x} in '{x}' is not a placeholder.", "Known: {port}"),
    (with_(tasks__env=["A=1"]), "'tasks.env': input should be a valid dictionary.", "Correct"),
    (with_(tasks__count=0), "'tasks.count': input should be greater than or equal to 1.", "Correct"),
    (with_(tasks__count=201), "'tasks.count': input should be less than or equal to 200.", "Correct"),
    (with_(tasks__count=True), "'tasks.count': input should be a valid integer.", "Correct"),
    (with_(tasks__count=10**5000), "'tasks.count': input should be", "Correct"),
    (with_(tasks__limits__memory="512"), "'512' is not a size.", "Write a number with a unit, as 512MB."),
    (with_(tasks__limits__memory="0MB"), "no task starts without memory.", "Give it some, as 512MB."),
    (with_(tasks__limits__memory="٣MB"), "'٣MB' is not a size.", "Write a number with a unit, as 512MB."),
    (with_(tasks__health__interval="10ms"), "a duration of less than 50ms is too short here.", "Give at least 50ms."),
    (with_(tasks__health__path="healthz"), "'healthz' is not a path.", "Begin it with /, without spaces."),
    (with_(tasks__protocol="http3"), "'tasks.protocol': input should be 'http1', 'http2' or 'grpc'.", "Correct"),
    # alarms and on
    (with_(alarms=[{"name": "a", "metric": "p99", "above": "1s"}] * 2), "two alarms are named 'a'", "Give"),
    (with_(alarms=[{"name": "comparison", "metric": "p99", "above": "1s"}]), "'comparison' is the name of a guard", "Give"),
    (with_(on={}), "give one of webhook, command and apprise.", "Write a list of two to have both."),
    (with_(on={"webhook": "https://a", "command": ["x"]}), "give one of webhook, command and apprise.", "Write a list of two"),
    (with_(on={"webhook": "ftp://a"}), "'ftp://a' is not an address of a webhook.", "Begin it with https"),
    (with_(on={"command": []}), "'on[0].command': tuple should have at least 1 item", "Correct"),
    (with_(on={"webhook": "https://a", "events": []}), "'on[0].events': tuple should have at least 1 item", "Correct"),
    (with_(on={"webhook": "https://a", "events": ["ended"]}), "'on[0].events[0]': input should be 'started'", "Correct"),
]


@pytest.mark.parametrize(
    ("content", "what", "mend"), REFUSED, ids=lambda value: str(value)[-40:] if isinstance(value, str) else ""
)
def test_a_wrong_service_file_is_refused_with_its_sentence(content: dict[str, Any], what: str, mend: str) -> None:
    refused = wrong(content)
    assert what in refused.what
    assert refused.mend.startswith(mend)


def test_the_place_is_told_apart_for_programs() -> None:
    assert wrong(with_(tasks__health__interval="10ms")).where == "tasks.health.interval"
    assert wrong(with_(tasks__limits__memory="x")).where == "tasks.limits.memory"


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "web.yaml is empty"), ([], "web.yaml is a list"), ("web", "web.yaml is a text"), (1, "web.yaml is a number")],
)
def test_what_is_no_mapping_is_named_for_what_it_is(content: object, what: str) -> None:
    assert wrong(content).what.startswith(what)


# --- hostile -------------------------------------------------------------------------------------------------------------

DEEP: Any = {}
for _ in range(3000):
    DEEP = {"tasks": [DEEP], "x": DEEP}


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "content",
    [
        *(DEEP, with_(tasks=DEEP), with_(plan=DEEP), with_(alarms=[DEEP]), with_(tasks__env=DEEP), {1: 2}, {None: 1}, {"": ""}),
        *({"x" * 1_000_000: 1}, with_(service="x" * 1_000_000), with_(tasks={"command": ["{}" * 500_000]}), {"\ud800": 1}),
        *(with_(tasks={"command": ["{" + "x" * 1_000_000 + "}"]}), with_(tasks__env={"A" * 1_000_000 + "-": "x"}), {(1,): 2}),
        *(with_(listener__path="x" * 1_000_000), with_(alarms=[{"name": f"a{n}"} for n in range(20_000)]), with_(on=[[]])),
        *(with_(tasks={"targets": ["[" * 1_000_000]}), with_(tasks__limits__memory="9" * 1_000_000), with_(service="\ud800")),
        *(
            with_(tasks__env={"A": 10**5000}),
            with_(tasks__env={"A": DEEP}),
            with_(listener__host="*" * 1_000_000),
            {10**5000: 1},
        ),
        *(
            with_(stickiness=float("nan")),
            with_(tasks__count=float("inf")),
            with_(listener__address=10**5000),
            with_(on=10**5000),
        ),
    ],
    ids=lambda value: "",
)
def test_whatever_is_given_is_refused_shortly_and_soon(content: object) -> None:
    refused = wrong(content)
    assert len(str(refused)) < 1200
    assert "\n" not in refused.what


NAMES = sorted({"service", "port", "command", "targets", "env", "x", *Service.model_fields, *Tasks.model_fields})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["10%", "1m", "web", "a:1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5))
def test_whatever_is_written_is_a_service_or_invalid(change: dict[str, Any]) -> None:
    with contextlib.suppress(Invalid):
        assert read(Service, {**LEAST, **change}, "web.yaml")


# --- written down and read again -----------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "service": "web",
    "listener": {
        "port": 8443,
        "address": "0.0.0.0",
        "host": "*.example.org",
        "path": "/shop",
        "tls": {"certificate": "a.pem", "key": "b.pem"},
        "trusted_hops": 1,
        "timeout": "0",
    },
    "stickiness": {"header": None, "cookie": "id", "cookie_secure": True, "to_task": True},
    "force": {"secret": "a-long-secret"},
    "tasks": {
        "command": ["python", "{port}"],
        "env": {"A": "{version}"},
        "directory": "/srv",
        "user": "web",
        "limits": {"memory": "512MB", "open_files": 1024, "processes": 10, "core": "1GB"},
        "count": 3,
        "protocol": "grpc",
        "health": {"path": "/h", "interval": "2s"},
        "metrics": "/metrics",
        "drain": "1m30s",
    },
    "plan": {"steps": [{"exposure": "1%", "hold": "5m", "gate": "ann"}], "bake": "1m", "holdback": "5%"},
    "alarms": [{"name": "errors", "metric": "error_rate", "above": "1%"}],
    "on": [{"webhook": "https://example.org"}, {"command": ["notify"], "events": ["rolled_back"]}],
}
KINDS = [
    FULL,
    LEAST,
    with_(stickiness={"cookie": None}),
    with_(stickiness={"header": None}),
    with_(tasks={"targets": ["10.0.0.7:8080", "[::1]:8080", "host.example:1"]}),
    with_(plan="all_at_once bake 0s"),
    with_(plan="AppConfig.Canary10Percent20Minutes"),
]


@pytest.mark.parametrize("content", KINDS, ids=lambda value: "")
@pytest.mark.parametrize("options", [{}, {"exclude_none": True}, {"exclude_defaults": True}, {"exclude_unset": True}], ids=str)
def test_a_service_file_survives_being_written_down(content: dict[str, Any], options: dict[str, bool]) -> None:
    web = read(Service, content, "web.yaml")
    assert Service.model_validate_json(web.model_dump_json(**options)) == web
    assert read(Service, web.model_dump(mode="json", **options), "web.yaml") == web


def test_the_schema_for_editors_takes_what_the_parser_takes() -> None:
    schema = service_schema()
    assert schema["additionalProperties"] is False
    assert {"type": "string"}.items() <= schema["$defs"]["PlanFile"]["anyOf"][0].items()
    assert {"type": "null"} in schema["$defs"]["Stickiness"]["properties"]["header"]["anyOf"]


# --- the rest ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("--port={port}", "--port=20001"),
        ("{service}/{version}/{task}", "web/v2/web-v2-1"),
        ("{{port}}", "{port}"),
        ("{{{port}}}", "{20001}"),
        ('{{"a": {port}}}', '{"a": 20001}'),
        ("{port}port}", "20001port}"),
        ("}port{", "}port{"),
        ("{", "{"),
        ("", ""),
    ],
)
def test_placeholders_are_filled_in_and_doubled_braces_stand_for_themselves(text: str, filled: str) -> None:
    check_placeholders(text)
    assert fill(text, port=20001, version="v2", service="web", task="web-v2-1") == filled


@given(st.text(alphabet="{}porta ", max_size=12))
def test_what_passes_the_check_is_filled_without_a_rest(text: str) -> None:
    try:
        check_placeholders(text)
    except ValueError:
        return
    filled = fill(text, port=1, version="v", service="s", task="t")
    assert filled.count("{") == text.replace("{port}", "").replace("{{", "{").count("{") or "{port}" in text


def test_values_that_look_like_placeholders_are_not_filled_again() -> None:
    assert fill("{version}", port=1, version="{port}", service="s", task="t") == "{port}"


def test_a_wrong_secret_is_not_told() -> None:
    assert "hunter" not in str(wrong(with_(force={"secret": "hunter2"})))


def test_files_are_found_beside_the_service_file() -> None:
    web = service(tasks__directory="app", listener__tls={"certificate": "a.pem", "key": "/etc/b.pem"}).relative_to("/srv/web")
    assert web.tasks.directory == "/srv/web/app"
    assert web.listener.tls is not None
    assert (web.listener.tls.certificate, web.listener.tls.key) == ("/srv/web/a.pem", "/etc/b.pem")
    assert web.relative_to("/elsewhere") == web
    assert service().relative_to("/srv/web").tasks.directory == "/srv/web"


def test_targets_that_run_elsewhere_have_no_directory_here() -> None:
    assert service(tasks={"targets": ["a:1"]}).relative_to("/srv/web").tasks.directory is None


def test_two_services_share_a_port_by_host_and_path() -> None:
    one, other = service(), service(service="api", listener__path="/api")
    same_listener(one, other)
    same_listener(one, service(service="api", listener__host="api.example.org"))
    same_listener(one, service(service="api", listener__port=8081, listener__address="0.0.0.0"))
    same_listener(one, one)


@pytest.mark.parametrize("path", ["/", "/api"])
def test_two_services_on_one_host_and_path_are_refused(path: str) -> None:
    one = service(listener__host="Example.org", listener__path=path)
    other = service(service="api", listener__host="example.org", listener__path=path + "/" * (path != "/"))
    with pytest.raises(Invalid, match=rf"web and api both want example\.org{path} on port 8080"):
        same_listener(one, other)


@pytest.mark.parametrize(
    "change",
    [{"listener__address": "0.0.0.0"}, {"listener__tls": {"certificate": "a", "key": "b"}}, {"listener__trusted_hops": 1}],
)
def test_services_on_one_port_agree_on_what_belongs_to_the_port(change: dict[str, Any]) -> None:
    other = service(service="api", listener__path="/api", **change)
    with pytest.raises(Invalid, match="web and api share port 8080 but differ in listener"):
        same_listener(service(), other)
