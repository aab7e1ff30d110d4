"""Clients that were written for AWS AppConfig and for OpenFeature, unchanged, against a real controller.

They are set up as their own users do it: by AWS's environment variables, with Tidegate's token as the secret access key.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.walk import Tidegate, free_port, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

FEATURES: dict[str, Any] = {
    "premium_features": {
        "default": False,
        "rules": {
            "not the first customer": {
                "when_match": False,
                "conditions": [{"action": "EQUALS", "key": "customer", "value": "1"}],
            },
            "customers who pay": {
                "when_match": True,
                "conditions": [{"action": "IN", "key": "tier", "value": ["premium", "gold"]}],
            },
        },
    },
    "ten_percent_off": {"default": True},
    "limits": {"default": {"items": 10}, "boolean_type": False},
}
FLAGS: dict[str, Any] = {
    "checkout": "off",
    "banner": "Summer sale",
    "page-size": 20,
    "price": 1.5,
    "search": {
        "attributes": {"engine": {"type": "string"}, "limit": {"type": "number"}},
        "variants": {
            "vector": {"when": 'country in ["DE", "AT"]', "attributes": {"engine": "vector", "limit": 20}},
            "classic": {"attributes": {"engine": "classic", "limit": 10}},
        },
    },
    "feature_flags": {"value": FEATURES},
}
SEEN = {
    "banner": {"enabled": True, "value": "Summer sale"},
    "checkout": {"enabled": False},
    "feature_flags": {"enabled": True, **FEATURES},
    "page-size": {"enabled": True, "value": 20},
    "price": {"enabled": True, "value": 1.5},
    "search": {"enabled": True, "engine": "classic", "limit": 10, "_variant": "classic"},
}
"""What who tells nothing of himself gets."""


class Shop:
    """A Tidegate on TCP. Each test has an application of its own."""

    def __init__(self, tidegate: Tidegate, url: str) -> None:
        self.tidegate = tidegate
        self.url = url
        self.token = (tidegate.home / "token").read_text().strip()
        self.name = f"shop-{uuid.uuid4().hex[:8]}"
        self.prod = f"/applications/{self.name}/environments/prod"

    def release(self, plan: Any = None, **flags: Any) -> None:
        self.tidegate.settled(self.begin(plan, **flags))

    def begin(self, plan: Any = None, **flags: Any) -> str:
        content = {"application": self.name, "flags": FLAGS | flags}
        asked = {"content": content} | ({"plan": plan} if plan else {"now": True})
        return str(self.tidegate.ask("POST", f"{self.prod}/deploy", **asked)["rollout"]["id"])

    def start(self, client: Any, profile: str = "flags", **more: Any) -> str:
        started = client.start_configuration_session(
            ApplicationIdentifier=self.name, EnvironmentIdentifier="prod", ConfigurationProfileIdentifier=profile, **more
        )
        return str(started["InitialConfigurationToken"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tidegate, str]]:
    port = free_port()
    with Tidegate(TIDEGATE_PORT=str(port)) as tidegate, pytest.MonkeyPatch.context() as patch:
        nowhere = tmp_path_factory.mktemp("aws")
        settings = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "ann",
            "AWS_SECRET_ACCESS_KEY": (tidegate.home / "token").read_text().strip(),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_REGION": "eu-central-1",
            # Nothing of whoever runs this.
            "AWS_CONFIG_FILE": str(nowhere / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "credentials"),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_APPCONFIGDATA", "AWS_ENDPOINT_URL_APP_CONFIG_DATA"):
            patch.delenv(name, raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        yield tidegate, settings["AWS_ENDPOINT_URL"]


@pytest.fixture
def shop(house: tuple[Tidegate, str]) -> Shop:
    shop = Shop(*house)
    shop.release()
    return shop


@pytest.fixture
def boto() -> Iterator[Callable[..., Any]]:
    """Clients as boto3 makes them."""
    from boto3.session import Session

    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(closing(Session().client("appconfigdata", **settings)))


# --- boto3 ------------------------------------------------------------------------------------------------------------------


def test_boto3_gets_the_configuration_and_then_what_is_new(shop: Shop, boto: Callable[..., Any]) -> None:
    client = boto()
    first = client.get_latest_configuration(ConfigurationToken=shop.start(client))
    assert json.loads(first["Configuration"].read()) == SEEN
    shown = (first["ContentType"], first["VersionLabel"], first["NextPollIntervalInSeconds"])
    assert shown == ("application/json", "1", 60)
    again = client.get_latest_configuration(ConfigurationToken=first["NextPollConfigurationToken"])
    assert (again["Configuration"].read(), again.get("VersionLabel")) == (b"", None)
    shop.release(checkout="on")
    changed = client.get_latest_configuration(ConfigurationToken=again["NextPollConfigurationToken"])
    assert (json.loads(changed["Configuration"].read())["checkout"], changed["VersionLabel"]) == ({"enabled": True}, "2")


def test_boto3_makes_its_own_exceptions_of_what_is_wrong(shop: Shop, boto: Callable[..., Any]) -> None:
    client = boto()
    token = shop.start(client, RequiredMinimumPollIntervalInSeconds=15)
    following = client.get_latest_configuration(ConfigurationToken=token)["NextPollConfigurationToken"]
    for wrong, problem in ((token, "Expired"), ("garbage", "Corrupted"), (following, "PollIntervalNotSatisfied")):
        with pytest.raises(client.exceptions.BadRequestException) as refused:
            client.get_latest_configuration(ConfigurationToken=wrong)
        said = refused.value.response
        assert said["Reason"] == "InvalidParameters"
        assert said["Details"] == {"InvalidParameters": {"ConfigurationToken": {"Problem": problem}}}
        assert said["Error"]["Message"]
    for name, kind in (({"ApplicationIdentifier": "other"}, "Application"), ({"EnvironmentIdentifier": "x"}, "Environment")):
        named = {"ApplicationIdentifier": shop.name, "EnvironmentIdentifier": "prod", "ConfigurationProfileIdentifier": "x"}
        with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
            client.start_configuration_session(**named | name)
        assert missing.value.response["ResourceType"] == kind


def test_a_wrong_secret_is_told_with_the_mend(shop: Shop, boto: Callable[..., Any]) -> None:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    for client, code in (
        (boto(aws_access_key_id="ann", aws_secret_access_key="wrong"), "InvalidSignatureException"),
        (boto(config=Config(signature_version=UNSIGNED)), "MissingAuthenticationTokenException"),
    ):
        with pytest.raises(ClientError, match="AWS_SECRET_ACCESS_KEY to what is in the file `token`") as refused:
            shop.start(client)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_each_session_moves_once_and_goes_back_with_the_rollback_though_the_controller_is_killed(
    shop: Shop, boto: Callable[..., Any]
) -> None:
    client = boto()
    tokens = [shop.start(client) for _ in range(24)]
    on = [False] * len(tokens)

    def poll() -> list[bool]:
        for place, token in enumerate(tokens):
            answered = client.get_latest_configuration(ConfigurationToken=token)
            tokens[place], body = answered["NextPollConfigurationToken"], answered["Configuration"].read()
            on[place] = json.loads(body)["checkout"]["enabled"] if body else on[place]
        return list(on)

    def exposure() -> str | None:
        return (shop.tidegate.seen(rollout) or {}).get("applied")

    assert not any(poll())
    rollout = shop.begin({"linear": {"step": "50%", "every": "1h"}, "deadline": "3h"}, checkout="on")
    until(lambda: exposure() == "50%", 60, "half of the sessions are exposed", shop.tidegate.words)
    half = poll()
    assert 2 < sum(half) < 22
    shop.tidegate.back("controller", shop.tidegate.kill("controller"), within=90)
    shop.tidegate.answers(within=90)
    until(lambda: exposure() == "50%", 60, "it goes on", shop.tidegate.words)
    assert poll() == half
    shop.tidegate.ask("POST", f"{shop.prod}/promote", full=True)
    until(lambda: exposure() == "100%", 60, "all are exposed", shop.tidegate.words)
    assert all(poll())
    shop.tidegate.ask("POST", f"{shop.prod}/abort")
    assert shop.tidegate.settled(rollout)["phase"] == "rolled_back"
    assert not any(poll())
    shown = shop.tidegate.ask("GET", shop.prod)["sessions"]
    assert shown == {"count": len(tokens), "lag": "1m"}
    said = shop.tidegate.tidegate("flags", "list", "-e", f"{shop.name}/prod").stdout
    assert "24 sessions poll without an agent, and may be 1m late." in said
    assert "24 sessions poll" in shop.tidegate.tidegate("status", f"{shop.name}/prod").stdout


# --- Powertools -------------------------------------------------------------------------------------------------------------


def test_feature_flags_of_powertools_evaluate_their_own_document(shop: Shop) -> None:
    from aws_lambda_powertools.utilities.feature_flags import AppConfigStore, FeatureFlags

    store = AppConfigStore(environment="prod", application=shop.name, name="feature_flags", max_age=0)
    with closing(store._conf_store.client):
        flags = FeatureFlags(store=store)

        def premium(**context: str) -> Any:
            return flags.evaluate(name="premium_features", context=context, default=False)

        assert premium(tier="premium") is True
        assert premium(tier="free") is False
        assert premium(tier="premium", customer="1") is False  # the first rule wins: their order is kept
        assert flags.evaluate(name="limits", default={}) == {"items": 10}
        assert flags.evaluate(name="none", default="own") == "own"
        assert set(flags.get_enabled_features(context={"tier": "gold"})) == {"premium_features", "ten_percent_off", "limits"}
        shop.release(feature_flags={"value": {"premium_features": {"default": True}}})
        assert premium(tier="free") is True
        assert premium(tier="free") is True  # nothing new: what it knows counts


def test_feature_flags_of_powertools_find_their_document_behind_an_envelope(shop: Shop) -> None:
    from aws_lambda_powertools.utilities.feature_flags import AppConfigStore, FeatureFlags

    shop.release(settings={"value": {"log": "INFO", "features": FEATURES}})
    store = AppConfigStore(environment="prod", application=shop.name, name="settings", envelope="features")
    with closing(store._conf_store.client):
        assert FeatureFlags(store=store).evaluate(name="ten_percent_off", default=False) is True


def test_parameters_of_powertools_bring_whole_configurations(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from aws_lambda_powertools.utilities import parameters
    from aws_lambda_powertools.utilities.parameters.constants import DEFAULT_PROVIDERS

    monkeypatch.delitem(DEFAULT_PROVIDERS, "appconfig", raising=False)
    named = {"environment": "prod", "application": shop.name}
    assert parameters.get_app_config(name="flags", transform="json", **named) == SEEN
    with closing(DEFAULT_PROVIDERS.pop("appconfig").client):
        pass
    provider = parameters.AppConfigProvider(**named)
    with closing(provider.client):
        for _ in range(3):
            assert json.loads(provider.get("flags", force_fetch=True)) == SEEN
            assert provider.get("feature_flags", force_fetch=True, transform="json") == FEATURES
    elsewhere = parameters.AppConfigProvider(environment="stage", application=shop.name)
    with closing(elsewhere.client), pytest.raises(parameters.exceptions.GetParameterError, match="There is no environment"):
        elsewhere.get("flags")


# --- capo -------------------------------------------------------------------------------------------------------------------


def test_capo_gets_the_configuration_and_its_own_exceptions(shop: Shop, house: tuple[Tidegate, str]) -> None:
    from capo_appconfigdata import AppConfigDataClient
    from capo_appconfigdata.errors.bad_request_exception import BadRequestException
    from capo_appconfigdata.errors.resource_not_found_exception import ResourceNotFoundException

    named = {"application_identifier": shop.name, "environment_identifier": "prod"}
    with AppConfigDataClient(endpoint=house[1], region="eu-central-1") as client:
        token = client.start_configuration_session(**named, configuration_profile_identifier="flags")[
            "initial_configuration_token"
        ]
        first = client.get_latest_configuration(configuration_token=token)
        assert json.loads(first["configuration"]) == SEEN
        assert (first["version_label"], first["next_poll_interval_in_seconds"]) == ("1", 60)
        again = client.get_latest_configuration(configuration_token=first["next_poll_configuration_token"])
        assert again["configuration"] == b""
        with pytest.raises(BadRequestException) as refused:
            client.get_latest_configuration(configuration_token=token)
        problem = refused.value.data["details"]["InvalidParameters"]["ConfigurationToken"]
        assert problem == {"problem": "Expired"}
        with pytest.raises(ResourceNotFoundException) as missing:
            client.start_configuration_session(
                application_identifier="other", environment_identifier="prod", configuration_profile_identifier="flags"
            )
        assert missing.value.data["resource_type"] == "Application"


def test_capo_s_async_client_works_too(shop: Shop, house: tuple[Tidegate, str]) -> None:
    from capo_appconfigdata import AsyncAppConfigDataClient

    async def get() -> Any:
        async with AsyncAppConfigDataClient(endpoint=house[1], region="eu-central-1") as client:
            started = await client.start_configuration_session(
                application_identifier=shop.name,
                environment_identifier="prod",
                configuration_profile_identifier="feature_flags",
                required_minimum_poll_interval_in_seconds=15,
            )
            return await client.get_latest_configuration(configuration_token=started["initial_configuration_token"])

    got = asyncio.run(get())
    assert (json.loads(got["configuration"]), got["next_poll_interval_in_seconds"]) == (FEATURES, 15)


# --- OFREP ------------------------------------------------------------------------------------------------------------------


def test_the_provider_of_openfeature_for_ofrep_asks_the_server_itself(shop: Shop) -> None:
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import ErrorCode

    def provider(base: str, token: str) -> OFREPProvider:
        return OFREPProvider(base, headers_factory=lambda: {"Authorization": f"Bearer {token}"})

    base = f"{shop.url}/v1{shop.prod}"
    good, wrong = provider(base, shop.token), provider(base, "wrong")
    elsewhere = provider(base.replace("/prod", "/stage"), shop.token)
    with closing(good.session), closing(wrong.session), closing(elsewhere.session):
        api.set_provider_and_wait(good, domain=shop.name)
        client = api.get_client(shop.name)
        assert client.get_boolean_value("checkout", True) is False
        assert client.get_string_value("banner", "") == "Summer sale"
        assert client.get_integer_value("page-size", 0) == 20
        assert client.get_float_value("price", 0.0) == 1.5
        details = client.get_object_details("search", {}, EvaluationContext("ann", {"country": "AT"}))
        assert (details.value, details.variant) == ({"engine": "vector", "limit": 20}, "vector")
        assert details.flag_metadata == {"document": 1, "side": "baseline"}
        assert client.get_string_details("none", "x").error_code is ErrorCode.FLAG_NOT_FOUND
        assert client.get_boolean_details("banner", False).error_code is ErrorCode.TYPE_MISMATCH
        began = time.monotonic()
        shop.begin(checkout="on")
        until(lambda: client.get_boolean_value("checkout", False, EvaluationContext("ann")), 60, "it is on", step=0.01)
        assert time.monotonic() - began < 30
        for other, said in ((wrong, "unauthorized"), (elsewhere, "Known environments")):
            api.set_provider_and_wait(other, domain=shop.name)
            assert said in str(api.get_client(shop.name).get_boolean_details("checkout", False).error_message)
        api.clear_providers()


def test_whoever_has_no_library_asks_with_curl(shop: Shop, house: tuple[Tidegate, str]) -> None:
    import urllib.request

    def ask(path: str, content: object = None) -> Any:
        body = json.dumps(content).encode() if content is not None else None
        headers = {"Authorization": f"Bearer {shop.token}", "Content-Type": "application/json"}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(f"{shop.url}{path}", body, headers)) as answered:
            return json.load(answered)

    named = {"ApplicationIdentifier": shop.name, "EnvironmentIdentifier": "prod", "ConfigurationProfileIdentifier": "flags"}
    token = ask("/configurationsessions", named)["InitialConfigurationToken"]
    assert ask(f"/configuration?configuration_token={token}") == SEEN
    assert Path(shop.tidegate.home / "token").stat().st_mode & 0o077 == 0
