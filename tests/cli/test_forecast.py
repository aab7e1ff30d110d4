"""Forecast: at the traffic that is seen, or given; and what is refused."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.support.served import WEB, House
from tidegate.cli.answers import Forecast, read_as
from tidegate.engine.view import Figures


def test_a_forecast_takes_the_traffic_that_the_service_has(served: House, run: Run) -> None:
    served.run("v1")
    served.watcher.sides["baseline"] = Figures(requests=1000, per_second=100.0, error_rate=0.001)
    ran = run("forecast", "-f", "web.yaml")
    assert ran.code == 0
    assert ran.out.startswith("web  linear 25% every 1m  at 100 requests a second now, of which 0.10% fail now\n")
    assert "25%     1m     1,500" in ran.out
    assert "A good version takes 5m." in ran.out
    assert "comparison: errors up to 1.25x + 0.1pp, latency up to 10% slower (armed: " in " ".join(ran.out.split())
    assert len(served.store.history()) == 1


def test_plan_traffic_and_errors_may_be_given(served: House, run: Run) -> None:
    given = ("--plan", "adaptive harm 10 over 2m", "--traffic", "2k/s", "--errors", "0.5%")
    ran = run("forecast", "-f", "web.yaml", *given)
    assert "adaptive harm 10 over 2m  at 2,000 requests a second, of which 0.50% fail\n" in ran.out
    assert "Its first version serves everybody at once. This is of the versions after it." in ran.out
    assert "10%    14s     2,800" in ran.out


def test_as_json_it_is_one_document(served: House, run: Run) -> None:
    said = run("forecast", "-f", "web.yaml", "--traffic", "60/m", "--json").json
    assert read_as(Forecast, said).traffic.per_second == 1
    assert said["warnings"]


def test_traffic_that_nobody_knows_must_be_given(served: House, run: Run) -> None:
    ran = run("forecast", "-f", "web.yaml")
    assert ran.code == 2
    assert ran.err.endswith("no version of it runs here.\nSay it: --traffic 30/s.\n")
    assert run("forecast", "-f", "web.yaml", "--json").json["problem"]["mend"] == "Say it: --traffic 30/s."


def test_what_is_no_traffic_is_refused(served: House, run: Run) -> None:
    ran = run("forecast", "-f", "web.yaml", "--traffic", "lots")
    assert (ran.code, ran.out) == (2, "")
    assert "Write requests a second, as 30/s, or 1800/m, or 2k/s." in ran.err


def test_where_nobody_listens_it_says_how_to_start(home: Path, run: Run) -> None:
    ran = run("forecast", "-f", "web.yaml", "--traffic", "30/s")
    assert ran.code == 2
    assert ran.err.endswith("Start it: tidegate up --detach.\n")


def test_where_nothing_is_compared_it_says_what_remains(served: House, run: Run, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB + "compare: off\n")
    out = " ".join(run("forecast", "-f", "web.yaml", "--traffic", "30/s").out.split())
    assert "beware Nothing is compared (compare: off): only alarms and failing tasks take a bad version back." in out
    assert "everything by alarms only" in out
    assert "guards tasks: " in out
    assert "errors: error_rate of the candidate above 1%" in out
