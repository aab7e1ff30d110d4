"""Prometheus as a source: the real server, and how a server behaves that is away, slow, somebody else, or of another time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import prometheus
from tests.support.serving import serving
from tidegate.core.errors import Unreachable
from tidegate.core.metric_name import parse_metric_name
from tidegate.core.period import begin_of, period_at
from tidegate.drivers.prometheus import Prometheus
from tidegate.ports import Query

SECOND = timedelta(seconds=1)
SHOWN = """\
# TYPE queue gauge
queue{version="v1"} 3
queue{version="v2"} 7
broken NaN
endless +Inf
# TYPE sales_total counter
sales_total{version="v2",kind="a"} 40
sales_total{version="v2",kind="b"} 2
"""


def clock() -> datetime:
    return datetime.now(UTC)


def query(text: str) -> Query:
    return Query(parse_metric_name(f"prometheus:{text}"), "average", SECOND)


# --- the real one -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus.page() as page:
        page.text = SHOWN
        with prometheus.running(tmp_path_factory.mktemp("prometheus"), {"shop": page.target}) as found:
            source = Prometheus(found, clock, timeout=timedelta(seconds=30))
            till(lambda: source.counters(["sales_total"], clock())["sales_total"])
            source.close()
            yield found


@pytest.fixture
def real(url: str) -> Iterator[Prometheus]:
    source = Prometheus(url, clock, timeout=timedelta(seconds=30))  # a busy machine is no fault of it
    yield source
    source.close()


def till(seen: Callable[[], Any]) -> Any:
    """What is seen in the end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := seen():
            return found
        time.sleep(0.1)
    raise AssertionError("never seen")


def last(source: Prometheus, text: str) -> Mapping[datetime, float] | None:
    """The figures of the last whole periods."""
    open_ = begin_of(period_at(clock(), SECOND), SECOND)
    return source.figures([query(text)], open_ - 3 * SECOND, open_).get(query(text))


@pytest.mark.real
def test_a_query_has_a_figure_for_each_whole_period(real: Prometheus) -> None:
    assert till(lambda: (found := last(real, 'queue{version="v2"}')) and len(found) == 3)
    begin = begin_of(period_at(clock(), SECOND), SECOND)
    found = real.figures([query("sum(queue) + 1")], begin - 2 * SECOND, begin)[query("sum(queue) + 1")]
    assert found == {begin - 2 * SECOND: 11.0, begin - SECOND: 11.0}
    assert real.figures([query("scalar(sum(queue)) + 1")], begin - 2 * SECOND, begin)[query("scalar(sum(queue)) + 1")] == found


@pytest.mark.real
@pytest.mark.parametrize("text", ['queue{version="v9"}', "nothing_of_this_name", "broken", "sum(queue) > 100"])
def test_what_is_not_there_or_not_a_number_has_no_data(real: Prometheus, text: str) -> None:
    assert last(real, text) == {}


@pytest.mark.real
def test_an_infinite_figure_is_larger_than_every_limit(real: Prometheus) -> None:
    found = till(lambda: last(real, "endless"))
    assert min(found.values()) > 1e300


@pytest.mark.real
@pytest.mark.parametrize("text", ["sum(", "queue", '"a text"'])
def test_a_query_that_cannot_be_answered_is_left_out_and_the_others_are_not(real: Prometheus, text: str) -> None:
    open_ = begin_of(period_at(clock(), SECOND), SECOND)
    found = real.figures([query(text), query("sum(queue)")], open_ - SECOND, open_)
    assert list(found) == [query("sum(queue)")]


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ("sum(queue", "unclosed left parenthesis", ""),
        ("queue", 'answers 2 series, as {__name__="queue"', "Add them up with sum(...)"),
        ("queue * on() queue", "many-to-many matching not allowed", ""),
        ("queue[5m]", "no numbers of one moment", "use rate(...)"),
        ('"a text"', "no numbers of one moment", ""),
    ],
)
def test_what_would_never_be_answered_is_known_before_the_start(real: Prometheus, text: str, what: str, mend: str) -> None:
    told = real.refused(text, single=True)
    assert what in told
    assert mend in told


@pytest.mark.real
def test_a_query_that_has_no_answer_yet_may_start(real: Prometheus) -> None:
    assert real.refused('sum(errors_total{version="v2"})', single=True) == ""
    assert real.refused("sum(queue)", single=True) == ""


@pytest.mark.real
def test_counters_are_those_of_whoever_exposes_them(real: Prometheus) -> None:
    found = real.counters(["sales_total"], clock())["sales_total"]
    assert sorted(one.value for one in found) == [2, 40]
    assert {one.kind for one in found} == {"counter"}
    assert all(one.task.startswith("shop/127.0.0.1:") for one in found)


@pytest.mark.real
def test_what_was_added_up_is_no_counter(real: Prometheus) -> None:
    assert real.refused("sales_total", single=False) == ""
    told = real.refused("sum by (kind) (sales_total)", single=False)
    assert "no counter" in told
    assert "without sum and rate" in told


# --- other servers ----------------------------------------------------------------------------------------------------


class Other(BaseHTTPRequestHandler):
    status, body, date, wait, told = 200, b"", "", 0.0, list[str]()
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.told.append(self.headers.get("authorization", ""))
        self.send_response_only(self.status)
        if self.date:
            self.send_header("date", self.date)
        self.send_header("content-length", str(len(self.body)))
        self.send_header("location", "/elsewhere")
        self.end_headers()
        for begin in range(0, len(self.body), 20) if self.wait else ():
            try:
                self.wfile.write(self.body[begin : begin + 20])
                self.wfile.flush()
            except OSError:
                return
            time.sleep(self.wait)
        if not self.wait:
            self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


ONE = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()


@contextmanager
def other(**changes: Any) -> Iterator[tuple[str, list[str]]]:
    """A server that behaves like this, and what it was told."""
    told: list[str] = []
    handler = type("Handler", (Other,), {"body": ONE, "told": told} | changes)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}", told


def unreachable(url: str, **settings: Any) -> Unreachable:
    source = Prometheus(url, clock, **settings)
    try:
        with pytest.raises(Unreachable) as problem:
            source.figures([query("up")], clock() - SECOND, clock())
        with pytest.raises(Unreachable):
            source.refused("up", single=True)
    finally:
        source.close()
    return problem.value


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"status": 503}, "answered 503, and not as Prometheus does"),
        ({"status": 302}, "answered 302, and not as Prometheus does"),
        ({"body": b"<html>hello</html>"}, "answered 200, and not as Prometheus does"),
        ({"status": 401}, "does not let us in (401)"),
        ({"date": "Mon, 01 Jan 2024 00:00:00 GMT"}, "behind ours"),
        ({"date": "Mon, 01 Jan 2096 00:00:00 GMT"}, "ahead of ours"),
    ],
)
def test_a_server_that_does_not_answer_as_prometheus_does_is_unreachable(changes: Any, what: str) -> None:
    with other(**changes) as (url, _):
        assert what in unreachable(url).what


def test_one_that_is_slow_is_given_up_though_it_says_something_all_the_time() -> None:
    with other(wait=0.1, body=ONE * 10) as (url, _):
        assert "did not end within 0.3s" in unreachable(url, timeout=timedelta(milliseconds=300)).what


def test_one_that_is_away_is_unreachable_and_its_password_is_not_told() -> None:
    problem = unreachable("http://ann:secret@127.0.0.1:1/prom")
    assert "Prometheus at http://127.0.0.1:1/prom cannot be reached" in problem.what
    assert "secret" not in str(problem)


def test_whoever_needs_a_password_or_a_token_gets_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    with other() as (url, told):
        source = Prometheus(url, clock, token_file=token)
        assert source.refused("up", single=True) == ""
        token.write_text("second\n")
        assert source.refused("up", single=True) == ""
        source.close()
        source = Prometheus(url.replace("//", "//ann:word@"), clock)
        assert source.refused("up", single=True) == ""
        source.close()
    assert told == ["Bearer first", "Bearer second", "Basic YW5uOndvcmQ="]


def test_without_a_server_it_is_said_how_to_name_one() -> None:
    assert "TIDEGATE_PROMETHEUS=" in Prometheus("", clock).refused("up", single=True)
