"""Both ways through the real thing: a real Prometheus guards a rollout of a real Tidegate, and collects from it meanwhile."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import prometheus
from tests.support.otlp import Collector, collecting
from tests.support.ports import free_port
from tests.support.walk import Tidegate, until

pytestmark = pytest.mark.real

JOBS = {"name": "jobs", "metric": 'prometheus:sum(jobs_waiting{version="{version}"})', "above": 10, "period": "2s"}


@dataclass
class Shop:
    tidegate: Tidegate
    page: prometheus.Page
    url: str
    port: int
    collector: Collector

    def waiting(self, **jobs: int) -> None:
        self.page.text = "".join(f'jobs_waiting{{version="{version}"}} {count}\n' for version, count in jobs.items())

    def asked(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        with urllib.request.urlopen(
            f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=30
        ) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def value(self, query: str) -> float | None:
        """None also while it is too busy to answer."""
        try:
            found = self.asked(query)
        except OSError:
            return None
        return float(found[0]["value"][1]) if len(found) == 1 else None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    port, directory = free_port(), tmp_path_factory.mktemp("prometheus")
    targets = {"tidegate": f"127.0.0.1:{port}"}
    with (
        prometheus.page() as page,
        prometheus.running(directory, {"shop": page.target, **targets}) as url,
        collecting() as collector,
        Tidegate(TIDEGATE_PORT=str(port), TIDEGATE_PROMETHEUS=url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as tidegate,
    ):
        yield Shop(tidegate, page, url, port, collector)


HELD = {"canary": {"first": "50%", "hold": "600s"}, "bake": "1s", "keep_baseline": "1s"}


@pytest.mark.timeout(600)
def test_prometheus_guards_a_rollout_and_sees_it(shop: Shop) -> None:
    """One walk, for it is a server, an Envoy and a controller."""
    shop.waiting(v1=1, v2=2)
    shop.tidegate.serve("web")
    until(lambda: shop.value('jobs_waiting{version="v2"}') == 2, 60, "it was collected")
    _what_is_no_query_is_refused_in_its_own_words(shop)
    rollout = until(lambda: _deployed(shop), 60, "it begins")
    shop.tidegate.phase(rollout, "watching", within=60)
    until(lambda: shop.value('tidegate_exposure_applied_ratio{subject="web"}') == 0.5, 60, "the exposure is collected")
    until(lambda: shop.value('tidegate_guard_state{guard="jobs",state="ok"}') == 1, 60, "the alarm is ok")
    until(lambda: shop.value('tidegate_rollout_phase{subject="web",phase="watching"}') == 1, 60, "the phase is collected")
    info = until(lambda: shop.asked("tidegate_rollout_info"), 60, "who it is")[0]["metric"]
    assert (info["baseline"], info["candidate"], info["rollout"]) == ("v1", "v2", rollout)
    _what_is_collected_is_as_prometheus_wants_it(shop)
    shop.waiting(v1=1, v2=20)
    ended = shop.tidegate.ended(rollout)
    assert ended["phase"] == "rolled_back"
    assert ended["reason"].startswith('jobs: prometheus:sum(jobs_waiting{version="{version}"})')
    until(lambda: shop.value('tidegate_rollout_in_flight{subject="web"}') == 0, 60, "its end is collected")
    (root,) = until(lambda: [span for span in shop.collector.spans if span.name == "rollout of web v2"], 60, "it is traced")
    assert root.status.message == ended["reason"]


def _deployed(shop: Shop) -> str:
    """Nothing yet, while Prometheus is too busy to say whether it takes the query."""
    try:
        return shop.tidegate.deploy("web", "v2", plan=HELD, alarms=[JOBS])
    except AssertionError as refused:
        if "Prometheus at" not in str(refused):
            raise
        return ""


def _what_is_no_query_is_refused_in_its_own_words(shop: Shop) -> None:
    file = shop.tidegate.file("other", alarms=[JOBS | {"metric": "prometheus:sum(jobs_waiting"}])
    words = ("deploy", "-f", shop.tidegate.write(file), "--version", "v1")

    def look() -> str:
        done = shop.tidegate.tidegate(*words)
        assert done.returncode == 2
        return done.stderr if "Alarm jobs: " in done.stderr else ""

    assert "unclosed left parenthesis" in until(look, 60, "Prometheus says what is wrong")


def _what_is_collected_is_as_prometheus_wants_it(shop: Shop) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "it comes with Prometheus"
    with urllib.request.urlopen(f"http://127.0.0.1:{shop.port}/metrics", timeout=30) as answer:
        page = answer.read()
    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    assert b'tidegate_requests_total{side="stable",subject="web",version="v1"}' in page
