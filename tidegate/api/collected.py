"""`/metrics`: our own figures in Prometheus' text format, at the path where collectors look for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from tidegate import __version__
from tidegate.api.needs import ApiServices, Services
from tidegate.api.peer import admitted
from tidegate.engine.exposing import FAMILIES, Sample

router = APIRouter(tags=["metrics"], dependencies=[Depends(admitted)])


@router.get("/metrics", include_in_schema=False)
def collect(services: Services) -> Response:
    """Exposure, phase, verdict, harm and guards of rollouts; requests by side; tasks and agents."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page([*_of_controller(services), *_families(services.exposing.samples())]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Page:
    """What prometheus_client collects from. Not subclassed: its Collector is an abstract class that wants nothing more."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_controller(services: ApiServices) -> Iterator[Metric]:
    health = services.health()
    build = GaugeMetricFamily("tidegate_build_info", "The version that runs.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    started = GaugeMetricFamily("tidegate_start_time_seconds", "When the controller began, since 1970.")
    started.add_metric([], health.started.timestamp())
    yield started
    ticked = GaugeMetricFamily("tidegate_last_tick_time_seconds", "When the loop ended its last look, since 1970.")
    if health.ticked is not None:
        ticked.add_metric([], health.ticked.timestamp())
    yield ticked
    problems = GaugeMetricFamily("tidegate_problems", "What is not well with the controller, counted.")
    problems.add_metric([], len(health.problems))
    yield problems


def _families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Each family with its samples; those that have none are left out."""
    made: dict[str, Metric] = {}
    for sample in samples:
        kind = CounterMetricFamily if sample.family.endswith("_total") else GaugeMetricFamily
        family = made.setdefault(sample.family, kind(sample.family, FAMILIES[sample.family]))
        family.add_sample(sample.family, dict(sample.labels), float(sample.value))
    yield from made.values()
