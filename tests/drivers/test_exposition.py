from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from tidegate.drivers.exposition import MOST_SAMPLES, names_in, read
from tidegate.ports import Asked, Measurement, Task, TaskState

TASK = Task("web-v2-1", "web", "v2", TaskState.HEALTHY, "127.0.0.1", 1)


def asked(*names: str) -> Asked:
    return Asked(TASK, "/metrics", frozenset(names))


def shown(
    text: str, *names: str, content_type: str = "text/plain; version=0.0.4"
) -> list[tuple[str, float, dict[str, str], str]]:
    return [(m.metric, m.value, dict(m.labels), m.kind) for m in read(text, content_type, asked(*names))]


def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("jobs", "Jobs.", ["queue"], registry=registry).labels("mail").inc(5)
    Gauge("depth", "Depth.", registry=registry).set(3)
    took = Histogram("took", "Took.", buckets=(0.1, 1), registry=registry)
    took.observe(0.05)
    took.observe(0.5, exemplar={"trace": "x"})
    Summary("size", "Size.", registry=registry).observe(7)
    return registry


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        (generate_latest(registry()).decode(), "text/plain; version=0.0.4; charset=utf-8"),
        (generate_openmetrics(registry()).decode(), CONTENT_TYPE_LATEST),
    ],
    ids=["text", "openmetrics"],
)
def test_what_the_usual_library_shows_is_read(text: str, content_type: str) -> None:
    assert shown(text, "jobs_total", content_type=content_type) == [("jobs_total", 5.0, {"queue": "mail"}, "counter")]
    assert shown(text, "depth", content_type=content_type) == [("depth", 3.0, {}, "gauge")]
    took = {
        (metric, labels.get("le")): (value, kind)
        for metric, value, labels, kind in shown(text, "took", content_type=content_type)
    }
    assert took["took_bucket", "0.1"] == (1.0, "histogram")
    assert took["took_bucket", "+Inf"] == (2.0, "histogram")
    assert took["took_count", None] == (2.0, "histogram")
    assert took["took_sum", None] == (pytest.approx(0.55), "histogram")
    assert shown(text, "took_count", content_type=content_type) == [("took_count", 2.0, {}, "counter")]
    assert {metric for metric, *_ in shown(text, "size", content_type=content_type)} == {"size_sum", "size_count"}
    assert {"jobs_total", "depth", "took", "took_count", "size"} <= names_in(text)


def test_a_measurement_says_whose_it_is() -> None:
    assert read("depth 3\n", "", asked("depth")) == (Measurement("depth", 3.0, {}, "gauge", "v2", "web-v2-1", "web"),)


def test_a_counter_without_a_type_is_known_by_its_name() -> None:
    assert shown("jobs_total 3\n", "jobs_total") == [("jobs_total", 3.0, {}, "counter")]


def test_quantiles_of_a_summary_are_gauges() -> None:
    text = '# TYPE size summary\nsize{quantile="0.5"} 7\nsize_sum 7\nsize_count 1\n'
    assert shown(text, "size")[0] == ("size", 7.0, {"quantile": "0.5"}, "gauge")


def test_what_nobody_asks_for_is_not_even_parsed() -> None:
    text = "broken{ 5\n<html>\ndepth 3\ndepth_of_field 4\nanother five\n"
    assert shown(text, "depth") == [("depth", 3.0, {}, "gauge")]


def test_values_with_which_nothing_can_be_compared_are_no_values() -> None:
    text = 'depth NaN\ndepth{a="1"} +Inf\ndepth{a="2"} 5\n' + f'depth{{a="{"x" * 2000}"}} 6\n'
    assert shown(text, "depth") == [("depth", 5.0, {"a": "2"}, "gauge")]


@pytest.mark.parametrize("text", ["depth five\n", "depth{ 5\n", "depth{a=1} 5\n", 'depth{a="1} 5\n'])
def test_a_broken_line_of_what_is_asked_for_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        shown(text, "depth")


def test_a_page_is_not_taken_for_metrics() -> None:
    with pytest.raises(ValueError, match="it shows text/html, which is not"):
        shown("<html>depth</html>", "depth", content_type="text/html")


def test_too_many_series_are_refused() -> None:
    text = "".join(f'depth{{n="{number}"}} 1\n' for number in range(MOST_SAMPLES + 1))
    with pytest.raises(ValueError, match="more than 10000 series"):
        shown(text, "depth")


@given(st.text(max_size=200), st.sampled_from(["text/plain", CONTENT_TYPE_LATEST]))
def test_any_text_is_read_or_refused_and_never_more(text: str, content_type: str) -> None:
    names_in(text)
    for line in (text, f"depth{text}", f"depth {text}", f"# TYPE depth {text}\ndepth 5"):
        with suppress(ValueError):
            read(line, content_type, asked("depth"))
