"""AppConfigData over the API: sessions, their tokens, what they get, and AWS's errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.api.test_flags import PROD, release, rollout
from tests.api.test_sigv4 import signed
from tests.support.served import TOKEN, House
from tidegate.api.app import create_app
from tidegate.api.door import loopback_door, socket_door
from tidegate.core.exposure import bucket
from tidegate.core.rollout import Phase

FEATURES = {"premium": {"rules": {"z": {"when_match": True}, "a": {"when_match": False}}, "default": False}}
FLAGS: dict[str, Any] = {
    "application": "shop",
    "flags": {
        "checkout": "off",
        "banner": "Summer sale",
        "theme": {"variants": {"dark": {"value": "#000", "when": 'plan == "pro"'}, "light": "#fff"}},
        "search": {"attributes": {"engine": "string"}, "value": {"engine": "classic"}},
        "features": {"value": FEATURES},
    },
}
NEW: dict[str, Any] = {"application": "shop", "flags": {**FLAGS["flags"], "checkout": "on", "features": {"value": {}}}}
NAMED = {"ApplicationIdentifier": "shop", "EnvironmentIdentifier": "prod", "ConfigurationProfileIdentifier": "flags"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Session:
    """A client as they all are: holds the token of the last answer."""

    def __init__(self, client: TestClient, profile: str = "flags", every: int | None = None) -> None:
        asked = NAMED | {"ConfigurationProfileIdentifier": profile}
        if every is not None:
            asked["RequiredMinimumPollIntervalInSeconds"] = every  # type: ignore[assignment]
        started = client.post("/configurationsessions", json=asked)
        assert started.status_code == 201, started.text
        self.client = client
        self.token = started.json()["InitialConfigurationToken"]

    def ask(self, token: str | None = None, **headers: str) -> Any:
        params = {"configuration_token": self.token if token is None else token}
        return self.client.get("/configuration", params=params, headers=headers)

    def poll(self, **headers: str) -> Any:
        answered = self.ask(**headers)
        assert answered.status_code == 200, answered.text
        self.token = answered.headers["Next-Poll-Configuration-Token"]
        return answered

    @property
    def id(self) -> str:
        content = self.token.partition(".")[0]
        return str(json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))[0])


def problem(answered: Any) -> str:
    """Of a token that was refused."""
    assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (400, "BadRequestException"), answered.text
    said = answered.json()
    assert said["Reason"] == "InvalidParameters"
    assert said["Message"]
    return str(said["Details"]["InvalidParameters"]["ConfigurationToken"]["Problem"])


@pytest.fixture
def sign(house: House) -> Callable[..., dict[str, str]]:
    """Headers of a request that botocore has signed with the token just now."""

    def made(method: str, path: str, body: bytes = b"", secret: str = TOKEN) -> dict[str, str]:
        request, house.now = signed(method, f"http://127.0.0.1:7400{path}", body, secret=secret)
        return {name: value for name, value in request.headers if name in ("authorization", "x-amz-date")}

    return made


@pytest.fixture
def shop(house: House, own: TestClient) -> TestClient:
    release(house, own, FLAGS)
    return own


# --- What a session gets ----------------------------------------------------------------------------------------------------


def test_a_session_gets_the_configuration_once_and_then_what_is_new(house: House, shop: TestClient) -> None:
    session = Session(shop)
    first = session.poll()
    assert first.json() == {
        "banner": {"enabled": True, "value": "Summer sale"},
        "checkout": {"enabled": False},
        "features": {"enabled": True, **FEATURES},
        "search": {"enabled": True, "engine": "classic"},
        "theme": {"_variant": "light", "enabled": True, "value": "#fff"},
    }
    shown = {name: first.headers.get(name) for name in ("Content-Type", "Version-Label", "Next-Poll-Interval-In-Seconds")}
    assert shown == {"Content-Type": "application/json", "Version-Label": "1", "Next-Poll-Interval-In-Seconds": "60"}
    again = session.poll()
    assert (again.content, "Version-Label" in again.headers, again.headers["Content-Type"]) == (b"", False, "application/json")
    shop.post(f"{PROD}/flags/checkout/on", json={"now": True})
    house.until(lambda: rollout(house).settled)
    changed = session.poll()
    assert (changed.json()["checkout"], changed.headers["Version-Label"]) == ({"enabled": True}, "2")
    assert session.poll().content == b""


def test_the_profile_may_have_any_name_and_that_of_a_flag_with_a_mapping_is_that_mapping(shop: TestClient) -> None:
    whole = Session(shop).poll().json()
    for name in ("other", "checkout", "search", "Größe 大", "a b/c?d&e", "x" * 128, "\U0001f600" * 64):
        assert Session(shop, name).poll().json() == whole, name
    free = Session(shop, "features").poll()
    assert free.text == json.dumps(FEATURES, separators=(",", ":"))  # also in the same order


def test_a_free_form_configuration_is_new_only_when_its_own_value_is(house: House, shop: TestClient) -> None:
    session = Session(shop, "features")
    session.poll()
    shop.post(f"{PROD}/flags/checkout/on", json={"now": True})
    house.until(lambda: rollout(house).settled)
    assert session.poll().content == b""
    shop.post(f"{PROD}/flags/features/off", json={"now": True})
    house.until(lambda: rollout(house).settled)
    off = session.poll()
    assert (off.json(), off.headers["Version-Label"]) == ({}, "3")


def test_a_session_is_on_one_side_by_its_id_and_goes_back_with_the_rollback(house: House, shop: TestClient) -> None:
    sessions = [Session(shop) for _ in range(40)]
    assert not any(session.poll().json()["checkout"]["enabled"] for session in sessions)
    shop.post(f"{PROD}/deploy", json={"content": NEW, "plan": "linear 50% every 1h"})
    house.until(lambda: rollout(house).phase is Phase.WATCHING)
    salt = house.store.environment("shop/prod").salt  # type: ignore[union-attr]
    exposed = [session for session in sessions if bucket(session.id, salt) < 5000]
    assert 5 < len(exposed) < 35
    for session in sessions:
        answered = session.poll()
        assert (answered.content != b"") is (session in exposed)
        if session in exposed:
            assert (answered.json()["checkout"]["enabled"], answered.headers["Version-Label"]) == (True, "2")
    assert all(session.poll().content == b"" for session in sessions)  # and there it stays
    shop.post(f"{PROD}/abort", json={})
    house.until(lambda: rollout(house).phase is Phase.ROLLED_BACK)
    for session in sessions:
        answered = session.poll()
        assert (answered.content != b"") is (session in exposed)
        assert session not in exposed or answered.json()["checkout"] == {"enabled": False}


def test_no_rollout_waits_for_sessions_and_they_are_shown_beside_it(house: House, shop: TestClient) -> None:
    assert shop.get(PROD).json()["sessions"] == {"count": 0, "lag": "0s"}
    late = Session(shop, every=86_400)
    late.poll()
    Session(shop).poll()
    Session(shop)  # has never polled
    release(house, shop, NEW, plan="linear 50% every 1m")
    assert shop.get(PROD).json()["sessions"] == {"count": 2, "lag": "1d"}


def test_a_split_in_the_flags_splits_sessions(house: House, own: TestClient) -> None:
    release(house, own, {"application": "shop", "flags": {"half": {"when": "50% by targetingKey"}}})
    sessions = [Session(own) for _ in range(40)]
    on = sum(session.poll().json()["half"]["enabled"] for session in sessions)
    assert 5 < on < 35
    assert all(session.poll().content == b"" for session in sessions)


# --- Tokens -----------------------------------------------------------------------------------------------------------------


def test_a_token_counts_once(shop: TestClient) -> None:
    session = Session(shop)
    first = session.token
    session.poll()
    assert problem(session.ask(first)) == "Expired"
    second = session.token
    session.poll()
    assert [problem(session.ask(token)) for token in (first, second)] == ["Expired", "Expired"]
    session.poll()


def test_the_same_call_again_is_the_same_use_for_its_answer_may_be_lost(shop: TestClient) -> None:
    session = Session(shop)
    first = session.token
    body = session.poll(**{"amz-sdk-invocation-id": "one"}).content
    again = session.ask(first, **{"amz-sdk-invocation-id": "one"})
    assert (again.status_code, again.content) == (200, body)
    assert problem(session.ask(first, **{"amz-sdk-invocation-id": "two"})) == "Expired"
    assert problem(session.ask(first)) == "Expired"


def test_tokens_outlive_the_controller(house: House, shop: TestClient) -> None:
    from tidegate.engine.agents import Agents

    session = Session(shop)
    session.poll()
    object.__setattr__(house.flag_services, "agents", Agents())
    session.client = TestClient(socket_door(create_app(house.services)), base_url="http://tidegate")
    held = session.token
    assert session.poll().content == b""
    assert problem(session.ask(held)) == "Expired"


def test_a_token_lives_for_a_day(house: House, shop: TestClient) -> None:
    session, late = Session(shop), Session(shop)
    house.now += timedelta(hours=23, minutes=59)
    session.poll()
    house.now += timedelta(minutes=1)
    assert problem(late.ask()) == "Expired"
    session.poll()


def test_who_wants_to_be_held_to_an_interval_is_and_keeps_his_token(house: House, shop: TestClient) -> None:
    session = Session(shop, every=15)
    assert session.poll().headers["Next-Poll-Interval-In-Seconds"] == "15"
    house.now += timedelta(seconds=14)
    early = session.ask()
    assert problem(early) == "PollIntervalNotSatisfied"
    assert early.json()["Message"].startswith("Request too early")
    house.now += timedelta(seconds=1)
    session.poll()


def test_a_clock_that_is_put_back_makes_nobody_wait(house: House, shop: TestClient) -> None:
    session = Session(shop, every=86_400)
    session.poll()
    house.now -= timedelta(hours=5)
    session.poll()


def test_who_asked_for_no_interval_may_poll_at_any_time(shop: TestClient) -> None:
    session = Session(shop)
    assert [session.poll().status_code for _ in range(5)] == [200] * 5


def _altered(token: str) -> list[str]:
    content, _, signature = token.partition(".")
    said = json.loads(base64.urlsafe_b64decode(content + "=="))
    said[2] = "stage"
    other = base64.urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).rstrip(b"=").decode()
    return [
        f"{other}.{signature}",
        f"{content}.{signature[:-2]}AA",
        f"{content}.",
        f".{signature}",
        content,
        f"{token}=",
        f"{token} ",
        f"{content}=.{signature}",
        token[::-1],
        f"{token}.{signature}",
    ]


def test_a_token_that_was_not_given_here_is_corrupted(shop: TestClient, house: House) -> None:
    session = Session(shop)
    wrong = ["", "x", "a.b", "é", "A" * 9000, "null", "e30.e30", *_altered(session.token)]
    for token in wrong:
        assert problem(session.ask(token)) == "Corrupted", token
    assert problem(shop.get("/configuration")) == "Corrupted"
    twice = shop.get("/configuration", params=[("configuration_token", session.token)] * 2)
    assert problem(twice) == "Corrupted"
    session.poll()  # nothing of that has spent it


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_no_query_makes_it_stumble(own: TestClient, query: bytes) -> None:
    text = "".join(f"%{byte:02x}" for byte in query)
    assert problem(own.get(f"/configuration?configuration_token={text}")) == "Corrupted"


# --- What is wrong ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"ApplicationIdentifier": "other"}, "Application"),
        ({"EnvironmentIdentifier": "stage"}, "Environment"),
        ({"ApplicationIdentifier": "shop/prod"}, "Application"),
        ({"ApplicationIdentifier": "Größe \ud800"}, "Application"),
        ({"EnvironmentIdentifier": "empty"}, "Deployment"),
    ],
)
def test_what_is_not_there_is_told_by_its_kind(shop: TestClient, changes: dict[str, str], kind: str) -> None:
    assert shop.put("/v1/applications/shop/environments/empty", json={"application": "shop", "environment": "empty"}).is_success
    answered = shop.post("/configurationsessions", content=json.dumps(NAMED | changes))
    assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException"), answered.text
    said = answered.json()
    assert said["ResourceType"] == kind
    assert set(changes) <= set(said["ReferencedBy"])
    assert said["Message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps({}).encode(),
        *(
            json.dumps(NAMED | change).encode()
            for change in (
                {"ApplicationIdentifier": ""},
                {"ApplicationIdentifier": 1},
                {"EnvironmentIdentifier": None},
                {"EnvironmentIdentifier": ["prod"]},
                {"ConfigurationProfileIdentifier": "x" * 129},
                {"RequiredMinimumPollIntervalInSeconds": 14},
                {"RequiredMinimumPollIntervalInSeconds": 86_401},
                {"RequiredMinimumPollIntervalInSeconds": 60.5},
                {"RequiredMinimumPollIntervalInSeconds": "60"},
                {"RequiredMinimumPollIntervalInSeconds": True},
                {"RequiredMinimumPollIntervalInSeconds": -1},
                {"RequiredMinimumPollIntervalInSeconds": 10**400},
            )
        ),
    ],
)
def test_what_is_wrong_in_a_start_is_a_bad_request(shop: TestClient, body: bytes) -> None:
    answered = shop.post("/configurationsessions", content=body)
    assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (400, "BadRequestException"), answered.text
    assert answered.json()["Message"]


def test_what_is_not_ready_is_to_be_tried_again(house: House, shop: TestClient) -> None:
    session = Session(shop)
    house.board.post("shop/prod", None)  # as with a controller that has just begun
    for answered in (session.ask(), shop.post("/configurationsessions", json=NAMED)):
        assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (500, "InternalServerException")


# --- Who may ask ------------------------------------------------------------------------------------------------------------


def asked(client: TestClient, **headers: str) -> list[Any]:
    return [
        client.post("/configurationsessions", json=NAMED, headers=headers),
        client.get("/configuration?configuration_token=x", headers=headers),
    ]


def test_over_tcp_the_token_is_wanted(shop: TestClient, tcp: TestClient) -> None:
    for answered in asked(tcp):
        assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
        assert "AWS_SECRET_ACCESS_KEY" in answered.json()["Message"]
    for answered in asked(tcp, Authorization="Bearer wrong"):
        assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (403, "UnrecognizedClientException")
    for answered in asked(tcp, Authorization="AWS4-HMAC-SHA256 x"):
        assert (answered.status_code, answered.headers["x-amzn-errortype"]) == (403, "IncompleteSignatureException")
    assert [answered.status_code for answered in asked(tcp, **BEARER)] == [201, 400]


def test_a_signature_opens_nothing_else(shop: TestClient, tcp: TestClient, sign: Callable[..., dict[str, str]]) -> None:
    for method, path in (("GET", "/v1/services"), ("GET", f"{PROD}/snapshot"), ("POST", "/v1/abort"), ("GET", "/nothing")):
        answered = tcp.request(method, path, headers=sign(method, path))
        assert answered.status_code == (404 if path == "/nothing" else 401), path


def test_who_signs_with_the_token_is_let_in(house: House, shop: TestClient, tcp: TestClient, sign: Callable[..., Any]) -> None:
    body = json.dumps(NAMED).encode()
    started = tcp.post("/configurationsessions", content=body, headers=sign("POST", "/configurationsessions", body))
    assert started.status_code == 201
    path = f"/configuration?configuration_token={started.json()['InitialConfigurationToken']}"
    headers = sign("GET", path)
    assert tcp.get(path, headers=headers).status_code == 200
    assert problem(tcp.get(path, headers=headers)) == "Expired"  # replayed
    changed = tcp.post("/configurationsessions", content=body + b" ", headers=sign("POST", "/configurationsessions", body))
    assert changed.headers["x-amzn-errortype"] == "InvalidSignatureException"
    house.now += timedelta(minutes=6)
    assert tcp.get(path, headers=headers).headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_a_foreign_page_gets_nothing_even_with_a_signature(tcp: TestClient, sign: Callable[..., dict[str, str]]) -> None:
    headers = sign("GET", "/configuration")
    assert tcp.get("/configuration", headers={**headers, "Origin": "http://evil"}).status_code == 403
    assert tcp.get("/configuration", headers={**headers, "Host": "evil"}).status_code == 403


def test_without_a_token_of_its_own_a_signature_opens_nothing(app: ASGIApp, sign: Callable[..., Any]) -> None:
    client = TestClient(loopback_door(app, ""), base_url="http://127.0.0.1:7400")
    answered = client.get("/configuration?x=", headers=sign("GET", "/configuration?x=", secret=""))
    assert answered.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_through_no_door_nothing_is_answered(app: ASGIApp) -> None:
    assert [answered.status_code for answered in asked(TestClient(app))] == [403, 403]
