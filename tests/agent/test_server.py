"""The agent's server: as AppConfig's agent, as OFREP has it, and what it says of itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import httpx2
import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from tests.agent.conftest import Started
from tests.support.agent_server import served
from tests.support.control_plane import NEW, OLD, ControlPlane, moving, plain, until
from tidegate.agent import Agent
from tidegate.core.exposure import bucket

PAYS = {"conditions": [{"action": "EQUALS", "key": "tier", "value": "gold"}]}
PATH = "/applications/shop/environments/prod/configurations/flags"


@pytest.fixture
def agent(started: Started) -> Agent:
    agent = started()
    until(lambda: agent.standing.connected)
    return agent


@pytest.fixture
def client(agent: Agent) -> Iterator[httpx2.Client]:
    with served(agent) as address, httpx2.Client(base_url=address, trust_env=False) as client:
        yield client


def test_headers_without_end_are_refused_before_they_are_collected(client: httpx2.Client) -> None:
    assert client.get(PATH, headers={"X-Long": "x" * 30_000}).status_code == 200
    assert client.get(PATH, headers={"X-Long": "x" * 40_000}).status_code == 400
    many = [(f"X-{number}", "x" * 1000) for number in range(40)]
    assert client.get(PATH, headers=many).status_code == 400


# --- AppConfig --------------------------------------------------------------------------------------------------------------


def test_plain_gets_work_as_with_amazon_s_agent(agent: Agent) -> None:
    with served(agent) as address:
        with urllib.request.urlopen(f"{address.replace('127.0.0.1', 'localhost')}{PATH}?flag=search") as response:
            assert json.load(response) == {"enabled": True, "engine": "classic", "limit": 10, "_variant": "classic"}
            assert response.headers["Configuration-Version"] == "3"
            assert response.headers["Content-Type"] == "application/json"
        request = urllib.request.Request(f"{address}{PATH}?flag=search", headers={"Context": "country=DE"})
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["_variant"] == "vector"
        with pytest.raises(urllib.error.HTTPError, match="404") as wrong:
            urllib.request.urlopen(f"{address}{PATH}?flag=none")
        wrong.value.close()


def test_several_flags_answer_a_mapping_and_none_all_of_them(client: httpx2.Client) -> None:
    assert client.get(f"{PATH}?flag=checkout&flag=banner").json() == {
        "checkout": {"enabled": False},
        "banner": {"enabled": True, "value": "Summer sale"},
    }
    assert set(client.get(PATH).json()) == {"banner", "checkout", "page-size", "price", "search", "theme"}


@pytest.mark.parametrize(
    "headers",
    [
        [("Context", "plan=pro"), ("Context", "age=18")],
        [("Context", "plan=pro, age=18")],
        [("context", "plan = pro ,age=18,")],
    ],
)
def test_context_comes_in_many_headers_or_in_one_and_texts_are_read_as_what_they_meet(
    client: httpx2.Client, headers: list[tuple[str, str]]
) -> None:
    assert client.get(f"{PATH}?flag=theme", headers=headers).json()["_variant"] == "dark"


FEATURES = {"premium": {"default": False, "rules": {"z": PAYS | {"when_match": True}, "a": PAYS | {"when_match": False}}}}


def test_a_profile_that_is_named_like_a_flag_with_a_mapping_is_that_mapping_alone(
    plane: ControlPlane, agent: Agent, client: httpx2.Client
) -> None:
    flags = {
        **OLD["flags"],
        "features": {"value": FEATURES, "off": {"premium": {"default": True}}},
        "by-plan": {"variants": {"pro": {"value": {"n": 1}, "when": 'plan == "pro"'}, "other": {"value": {"n": 2}}}},
        "off": {"value": {"n": 1}, "enabled": False},
    }
    plane.show(plain(2, 4, {"application": "shop", "flags": flags}))
    until(lambda: agent.standing.serial == 2)

    def got(profile: str, **headers: str) -> httpx2.Response:
        return client.get(f"{PATH.removesuffix('/flags')}/{profile}", headers=headers)

    assert got("features").text == json.dumps(FEATURES, separators=(",", ":"))  # also in the same order
    assert got("features").headers["Configuration-Version"] == "4"
    assert [got("by-plan", Context=f"plan={plan}").json()["n"] for plan in ("pro", "free")] == [1, 2]
    assert got("off").json() == {}
    whole = got("flags").json()
    assert got("a%2Fb c%3F").json() == whole
    assert set(whole) == set(flags)
    for profile in ("search", "checkout", "banner"):  # named like a flag, and no mapping
        assert got(profile).json() == whole
    assert client.get(f"{PATH.removesuffix('/flags')}/features?flag=checkout").json() == {"enabled": False}
    both = client.get(f"{PATH.removesuffix('/flags')}/features?flag=checkout&flag=off").json()
    assert both == {"checkout": {"enabled": False}, "off": {"enabled": False}}
    assert agent.counted["flags"]["features"] == {"default": 2 + 5}  # alone, and with all others


def test_powertools_asks_the_agent_as_it_asks_amazon_s_extension(plane: ControlPlane, agent: Agent) -> None:
    from aws_lambda_powertools.utilities.feature_flags import AppConfigExtensionStore, FeatureFlags
    from aws_lambda_powertools.utilities.parameters import AppConfigExtensionProvider

    plane.show(plain(2, 4, {"application": "shop", "flags": {**OLD["flags"], "features": {"value": FEATURES}}}))
    until(lambda: agent.standing.serial == 2)
    with served(agent) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_APPCONFIG_EXTENSION_HTTP_PORT", address.rpartition(":")[2])
        flags = FeatureFlags(store=AppConfigExtensionStore(environment="prod", application="shop", name="features"))
        assert flags.evaluate(name="premium", context={"tier": "gold"}, default=False) is True  # the first rule wins
        assert flags.evaluate(name="premium", context={"tier": "free"}, default=True) is False
        provider = AppConfigExtensionProvider(environment="prod", application="shop")
        assert set(provider.get("any-name", transform="json")) == {*OLD["flags"], "features"}
        assert provider.get("any-name", transform="json", force_fetch=True, flag=["checkout", "banner"]) == {
            "checkout": {"enabled": False},
            "banner": {"enabled": True, "value": "Summer sale"},
        }


def test_letters_beyond_ascii_come_through(plane: ControlPlane, client: httpx2.Client, agent: Agent) -> None:
    flags = {"city": {"variants": {"near": {"value": "ü", "when": 'city == "Köln"'}, "far": "x"}}}
    plane.show(plain(2, 4, {"application": "shop", "flags": flags}))
    until(lambda: agent.standing.serial == 2)
    assert client.get(f"{PATH}?flag=city", headers={"Context": "city=Köln".encode()}).json()["value"] == "ü"


def test_the_entity_decides_the_side_and_the_version_says_which(
    plane: ControlPlane, agent: Agent, client: httpx2.Client
) -> None:
    plane.show(moving(2, 3000))
    until(lambda: agent.standing.serial == 2)
    for user in (f"user-{number}" for number in range(50)):
        response = client.get(f"{PATH}?flag=checkout", headers={"Entity-Id": user})
        exposed = bucket(user, "salt") < 3000
        assert response.json() == {"enabled": exposed}
        assert response.headers["Configuration-Version"] == ("4" if exposed else "3")
        assert client.get(PATH, headers={"Context": f"targetingKey={user}"}).json()["checkout"] == {"enabled": exposed}
    assert client.get(f"{PATH}?flag=checkout").headers["Configuration-Version"] == "3"


def test_an_answer_that_is_kept_ready_changes_with_the_flags(plane: ControlPlane, agent: Agent, client: httpx2.Client) -> None:
    assert client.get(f"{PATH}?flag=checkout").json() == {"enabled": False}
    assert client.get(f"{PATH}?flag=checkout").json() == {"enabled": False}
    plane.show(plain(2, 4, NEW))
    until(lambda: agent.standing.serial == 2)
    assert client.get(f"{PATH}?flag=checkout").json() == {"enabled": True}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{PATH}?flag=none", {}, 404),
        (f"{PATH}?flag=banner&flag=none", {}, 404),
        ("/applications/other/environments/prod/configurations/flags", {}, 404),
        ("/applications/shop/environments/test/configurations/flags", {}, 404),
        ("/applications/shop/environments/prod/configurations/", {}, 404),
        ("/applications/shop/environments/prod", {}, 404),
        (PATH, {"Context": "country"}, 400),
        (PATH, {"Context": "=DE"}, 400),
        (PATH, {"Entity-Id": "x" * 2049}, 400),
        ("/", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_mend(
    client: httpx2.Client, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.get(path, headers=headers)
    assert response.status_code == status
    assert response.json()["mend"]


# --- OFREP ------------------------------------------------------------------------------------------------------------------


def test_the_provider_of_openfeature_for_ofrep_works_unchanged(plane: ControlPlane, agent: Agent) -> None:
    plane.show(moving(2, 10_000))
    until(lambda: agent.standing.serial == 2)
    with served(agent) as address:
        provider = OFREPProvider(address)
        api.set_provider_and_wait(provider, domain="ofrep")
        client = api.get_client("ofrep")
        assert client.get_boolean_value("checkout", False, EvaluationContext("ann")) is True
        assert client.get_boolean_value("checkout", True) is False
        assert client.get_string_value("banner", "") == "Summer sale"
        assert client.get_integer_value("page-size", 0) == 20
        assert client.get_float_value("price", 0.0) == 1.5
        details = client.get_object_details("search", {}, EvaluationContext("ann", {"country": "AT"}))
        assert (details.value, details.variant) == ({"engine": "vector", "limit": 20}, "vector")
        assert details.flag_metadata == {"document": 4, "side": "candidate"}
        assert client.get_string_details("none", "x").error_code is ErrorCode.FLAG_NOT_FOUND
        assert client.get_boolean_details("banner", False).error_code is ErrorCode.TYPE_MISMATCH
        provider.session.close()
        api.clear_providers()


def test_all_flags_come_with_an_etag_that_spares_the_next_answer(
    plane: ControlPlane, agent: Agent, client: httpx2.Client
) -> None:
    path, context = "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "ann", "country": "DE"}}
    first = client.post(path, json=context)
    flags = {flag["key"]: flag for flag in first.json()["flags"]}
    assert flags["search"]["variant"] == "vector"
    etag = first.headers["ETag"]
    again = client.post(path, json=context, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert client.post(path, json={"context": {"country": "US"}}, headers={"If-None-Match": etag}).status_code == 200
    plane.show(plain(2, 4, NEW))
    until(lambda: agent.standing.serial == 2)
    assert client.post(path, json=context, headers={"If-None-Match": etag}).status_code == 200


def test_its_stream_tells_when_to_evaluate_again(plane: ControlPlane, client: httpx2.Client) -> None:
    (stream,) = client.post("/ofrep/v1/evaluate/flags", json={}).json()["eventStreams"]
    with client.stream("GET", stream["url"], timeout=5) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        lines = response.iter_lines()
        assert next(lines) == "retry: 1000"
        plane.show(plain(2, 4, NEW))
        data = next(line for line in lines if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: ")) == {"type": "refetchEvaluation", "etag": '"db-1-2"'}


def test_streams_end_with_the_server(agent: Agent) -> None:
    with served(agent) as address, httpx2.Client(base_url=address, trust_env=False) as client:
        response = client.send(client.build_request("GET", "/ofrep/v1/stream"), stream=True)
    response.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "PARSE_ERROR"), (b"[]", "INVALID_CONTEXT"), (b'{"context": 1}', "INVALID_CONTEXT"), (b"\xff", "PARSE_ERROR")],
)
def test_a_wrong_context_is_told_by_its_code(client: httpx2.Client, body: bytes, code: str) -> None:
    for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/checkout"):
        response = client.post(path, content=body)
        assert (response.status_code, response.json()["errorCode"]) == (400, code)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"context": null}', b'{"context": {}}'])
def test_a_context_may_be_left_out(client: httpx2.Client, body: bytes) -> None:
    assert client.post("/ofrep/v1/evaluate/flags/banner", content=body).json()["value"] == "Summer sale"


def test_it_says_what_it_can(client: httpx2.Client) -> None:
    response = client.get("/ofrep/v1/configuration")
    assert response.json()["name"] == "tidegate"
    seen = {"If-None-Match": response.headers["ETag"]}
    assert client.get("/ofrep/v1/configuration", headers=seen).status_code == 304


# --- Itself, and who may ask ---------------------------------------------------------------------------------------------


def test_before_the_first_snapshot_it_lives_and_is_not_ready() -> None:
    agent = Agent("shop", "prod", control="/nowhere.sock")
    with served(agent) as address, httpx2.Client(base_url=address, trust_env=False) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
        assert client.get(PATH).status_code == 503
        assert client.post("/ofrep/v1/evaluate/flags/x", json={}).json()["errorCode"] == "PROVIDER_NOT_READY"
        assert client.post("/ofrep/v1/evaluate/flags", json={}).status_code == 503
        assert "tidegate_agent_ready 0" in client.get("/metrics").text


def test_with_the_control_plane_gone_it_is_still_ready_and_its_age_grows(
    plane: ControlPlane, agent: Agent, client: httpx2.Client
) -> None:
    plane.stop()
    until(lambda: client.get("/health/ready").json()["age_seconds"] > 0.2)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["connected"]) == (200, False)
    assert response.json()["problem"]


def test_metrics_count_evaluations_and_requests(client: httpx2.Client) -> None:
    client.get(f"{PATH}?flag=checkout")
    client.get(f"{PATH}?flag=none")
    client.post("/ofrep/v1/evaluate/flags/checkout", json={})
    text = client.get("/metrics").text
    assert "tidegate_agent_serial 1" in text
    assert 'tidegate_agent_evaluations_total{flag="checkout",variant="off"} 2' in text
    assert 'tidegate_agent_requests_total{kind="appconfig",status="404"} 1' in text
    assert 'tidegate_agent_requests_total{kind="ofrep",status="200"} 1' in text


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://evil"}])
def test_a_browser_on_a_foreign_page_gets_nothing(client: httpx2.Client, headers: dict[str, str]) -> None:
    for path in (PATH, "/metrics", "/ofrep/v1/stream"):
        assert client.get(path, headers=headers).status_code == 403


def test_with_an_access_token_everything_but_health_wants_it(agent: Agent) -> None:
    with served(agent, local=False, token="secret") as address, httpx2.Client(base_url=address, trust_env=False) as client:
        assert client.get("/health/ready", headers={"Host": "anything"}).status_code == 200
        for shown in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            assert client.get(PATH, headers=shown).status_code == 401
        assert client.get(PATH, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_other_methods_and_bodies_too_large_are_refused(client: httpx2.Client) -> None:
    assert client.post(PATH).status_code == 405
    assert client.get("/ofrep/v1/evaluate/flags").status_code == 405
    assert client.post("/metrics").status_code == 405
    assert client.post("/ofrep/v1/evaluate/flags", content=b" " * (1 << 20) + b" ").status_code == 413
