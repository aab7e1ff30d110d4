"""The OpenFeature provider, through the SDK."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.hook import Hook
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from tests.support.control_plane import NEW, ControlPlane, moving, plain, until
from tidegate.agent import Agent
from tidegate.openfeature import TidegateProvider

DOMAIN = "tidegate"


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.show(plain())
        yield plane


@pytest.fixture
def provider(plane: ControlPlane) -> Iterator[TidegateProvider]:
    provider = TidegateProvider(Agent("shop", "prod", control=plane.address, stale_after=1.0))
    api.set_provider_and_wait(provider, domain=DOMAIN)
    yield provider
    api.shutdown()
    api.clear_providers()


@pytest.fixture
def client(provider: TidegateProvider) -> OpenFeatureClient:
    return api.get_client(DOMAIN)


def test_each_type_is_answered(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("checkout", True) is False
    assert client.get_string_value("banner", "") == "Summer sale"
    assert client.get_integer_value("page-size", 0) == 20
    assert client.get_float_value("price", 0.0) == 1.5
    whole = client.get_float_value("page-size", 0.0)
    assert (whole, type(whole)) == (20.0, float)
    assert client.get_object_value("search", {}) == {"engine": "classic", "limit": 10}


def test_reasons_and_variants_are_told(client: OpenFeatureClient) -> None:
    static = client.get_string_details("banner", "")
    assert (static.reason, dict(static.flag_metadata)) == (Reason.STATIC, {"document": 3, "side": "baseline"})
    targeted = client.get_string_details("theme", "", EvaluationContext("ann", {"plan": "pro", "age": 20}))
    assert (targeted.value, targeted.variant, targeted.reason) == ("#000", "dark", Reason.TARGETING_MATCH)
    assert client.get_string_details("theme", "").reason == Reason.DEFAULT


def test_another_type_than_the_flag_s_is_an_error_with_the_default(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("banner", True)
    assert (details.value, details.error_code) == (True, ErrorCode.TYPE_MISMATCH)
    assert client.get_integer_details("checkout", 7).value == 7
    assert client.get_integer_details("price", 7).error_code is ErrorCode.TYPE_MISMATCH
    assert client.get_string_details("search", "x").error_code is ErrorCode.TYPE_MISMATCH
    assert client.get_object_details("banner", {}).error_code is ErrorCode.TYPE_MISMATCH


def test_an_unknown_flag_answers_the_default(client: OpenFeatureClient) -> None:
    details = client.get_string_details("none", "mine")
    assert (details.value, details.error_code, details.reason) == ("mine", ErrorCode.FLAG_NOT_FOUND, Reason.ERROR)


def test_the_targeting_key_decides_the_side(plane: ControlPlane, client: OpenFeatureClient) -> None:
    plane.show(moving(2, 10_000))
    until(lambda: client.get_boolean_value("checkout", False, EvaluationContext("ann")))
    details = client.get_boolean_details("checkout", False, EvaluationContext("ann"))
    assert details.flag_metadata["side"] == "candidate"
    assert client.get_boolean_value("checkout", True, EvaluationContext()) is False


def test_it_answers_coroutines(client: OpenFeatureClient) -> None:
    assert asyncio.run(client.get_string_value_async("banner", "")) == "Summer sale"


def test_events_tell_of_changes_of_age_and_of_return(plane: ControlPlane, client: OpenFeatureClient) -> None:
    heard: list[tuple[ProviderEvent, list[str] | None]] = []
    for event in ProviderEvent:

        def hear(details: EventDetails, event: ProviderEvent = event) -> None:
            heard.append((event, details.flags_changed))

        client.add_handler(event, hear)
    until(lambda: (ProviderEvent.PROVIDER_READY, None) in heard)
    plane.show(plain(2, 4, NEW))
    until(lambda: (ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ["checkout"]) in heard)
    plane.stop()
    until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    assert client.get_string_value("banner", "") == "Summer sale"
    plane.start()
    until(lambda: client.get_provider_status() is ProviderStatus.READY)
    assert ProviderEvent.PROVIDER_STALE in [event for event, _ in heard]


def test_without_any_flags_it_is_not_ready_and_becomes_so_by_itself() -> None:
    with ControlPlane() as plane:
        provider = TidegateProvider(Agent("shop", "prod", control=plane.address), ready_within=0.2)
        with pytest.raises(ProviderNotReadyError, match="No flags came"):
            api.set_provider_and_wait(provider, domain=DOMAIN)
        client = api.get_client(DOMAIN)
        assert client.get_boolean_details("checkout", True).value is True
        plane.show(plain())
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_value("checkout", True) is False
        api.shutdown()
        api.clear_providers()
        assert not provider.agent.running


def test_flags_from_disk_are_enough_to_be_ready(plane: ControlPlane, tmp_path: Path) -> None:
    with Agent("shop", "prod", control=plane.address, cache=tmp_path) as agent:
        assert agent.wait(5)
        until(lambda: any(tmp_path.iterdir()))
    plane.stop()
    api.set_provider_and_wait(TidegateProvider(Agent("shop", "prod", control=plane.address, cache=tmp_path)), domain=DOMAIN)
    assert api.get_client(DOMAIN).get_string_value("banner", "") == "Summer sale"
    api.shutdown()
    api.clear_providers()


def test_hooks_of_the_sdk_run_and_see_the_result(client: OpenFeatureClient) -> None:
    seen: list[tuple[str, object]] = []

    class Noting(Hook):
        def after(self, hook_context, details, hints) -> None:  # type: ignore[no-untyped-def]
            seen.append((details.flag_key, details.value))

    client.add_hooks([Noting()])
    client.get_string_value("banner", "")
    assert seen == [("banner", "Summer sale")]


def test_tracked_events_are_added_up_by_side(
    plane: ControlPlane, client: OpenFeatureClient, provider: TidegateProvider
) -> None:
    plane.show(moving(2, 10_000))
    until(lambda: provider.agent.standing.serial == 2)
    client.track("sold", EvaluationContext("ann"), TrackingEventDetails(12.5))
    client.track("sold", EvaluationContext("bob"), TrackingEventDetails(2.5))
    client.track("sold")
    assert provider.agent.tracked == {("sold", "candidate"): (2, 15.0), ("sold", "baseline"): (1, 0.0)}


def test_many_threads_ask_while_flags_change_and_get_one_document_or_the_other(
    plane: ControlPlane, client: OpenFeatureClient
) -> None:
    wrong: list[object] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            value = client.get_string_value("banner", "default")
            if value not in ("Summer sale", "Winter sale"):
                wrong.append(value)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    winter = {**NEW, "flags": {**NEW["flags"], "banner": "Winter sale"}}
    for serial in range(2, 12):
        plane.show(plain(serial, serial, winter if serial % 2 else NEW))
        until(lambda serial=serial: client.get_string_details("banner", "").flag_metadata["document"] == serial)  # type: ignore[misc]
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
