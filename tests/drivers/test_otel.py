"""Traces as a collector gets them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import World
from tests.support.otlp import Collector, collecting
from tidegate.core.errors import Unreachable
from tidegate.core.trace import trace_of
from tidegate.drivers.jotter import FileJotter
from tidegate.drivers.otel import OtlpCollector
from tidegate.engine.tracing import Tracing
from tidegate.settings import read_settings


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")
        yield server


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.serving()
    return world


def _tracing(world: World, tmp_path: Path, otlp: OtlpCollector) -> Tracing:
    tracing = Tracing(world.store, FileJotter(tmp_path / "traced"), otlp)
    tracing.trace()  # from here on
    return tracing


def _named(collector: Collector) -> list[str]:
    return [span.name for span in collector.spans]


def _facts(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_rollout_that_completes_is_one_trace_with_its_steps(collector: Collector, world: World, tmp_path: Path) -> None:
    otlp = OtlpCollector()
    tracing = _tracing(world, tmp_path, otlp)
    world.deploy("v2")
    world.run_until("watching")
    assert tracing.trace() == 0
    world.orders.pause("web", "ann", "to look")
    world.run(3)
    world.orders.resume("web", "ann")
    world.run_until("completed")
    assert tracing.trace() == 1
    assert tracing.trace() == 0
    world.run(60)
    assert tracing.trace() == 0, "what it tidies later is no second end"
    otlp.close()
    path, headers, request = collector.got[0]
    assert (path, headers["x-tenant"]) == ("/v1/traces", "shop")
    resource = {one.key: one.value.string_value for one in request.resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["deployment.environment"]) == ("tidegate", "prod")
    root = collector.spans[0]
    assert _named(collector) == [
        "rollout of web v2", "preparing", "step 1 at 50%", "shifting", "watching", "step 2 at 100%", "shifting", "watching",
    ]  # fmt: skip
    assert (root.parent_span_id, root.status.code) == (b"", 1)
    assert {span.trace_id for span in collector.spans} == {root.trace_id}
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano for span in collector.spans)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano for span in collector.spans)
    step, watching = collector.spans[2], collector.spans[4]
    assert (step.parent_span_id, watching.parent_span_id) == (root.span_id, step.span_id)
    assert [event.name for event in watching.events] == ["watch", "paused", "resumed", "watch"]
    assert _facts(root)["tidegate.outcome"] == "completed"


def test_one_that_is_rolled_back_is_an_error_with_reason_and_harm(collector: Collector, world: World, tmp_path: Path) -> None:
    otlp = OtlpCollector()
    tracing = _tracing(world, tmp_path, otlp)
    world.deploy("v2")
    world.run_until("rolled_back", fails=["v2"])
    tracing.trace()
    otlp.close()
    root = collector.spans[0]
    assert (root.status.code, root.status.message) == (2, world.rollout().reason)
    assert _facts(root)["tidegate.harm.failed"] > 0
    assert _named(collector)[-1] == "rolling_back"


def test_a_collector_that_is_away_gets_the_same_trace_later_also_from_the_next_controller(
    collector: Collector, world: World, tmp_path: Path
) -> None:
    otlp = OtlpCollector()
    tracing = _tracing(world, tmp_path, otlp)
    world.deploy("v2")
    world.run_until("completed")
    collector.status = 400
    with pytest.raises(Unreachable, match="Nobody took the trace"):
        tracing.trace()
    collector.status = 200
    assert Tracing(world.store, FileJotter(tmp_path / "traced"), otlp).trace() == 1
    otlp.close()
    first, second = collector.got
    assert first[2] == second[2]


def test_a_rollout_without_events_is_a_trace_still(world: World) -> None:
    held = world.store.history("web", 1)[0]
    assert [span.name for span in trace_of(held.rollout, held.harm, []).spans] == ["rollout of web v1"]


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_wanted_when_the_variables_say_so(env: dict[str, str], wanted: bool) -> None:
    assert read_settings(env).traces is wanted
