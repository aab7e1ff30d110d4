"""Releases, the audit log, agents and the forecast."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from tests.dashboard.shop import PROD, report
from tests.support.served import House


def page(tcp: TestClient, path: str) -> str:
    answer = tcp.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_release_shows_all_its_parts_and_acts_on_them_together(tcp: TestClient) -> None:
    assert "/releases/checkout-1" in page(tcp, "/releases")
    said = page(tcp, "/releases/checkout-1")
    for part in ("/rollouts/web-3", "/rollouts/shop-prod-3", "All parts of release checkout-1 go with it.", "carol"):
        assert part in said, part
    assert tcp.get("/releases/none-1").status_code == 404


def people(said: str) -> set[str]:
    return set(re.findall(r"<td><b>(.*?)</b></td>", said))


def test_the_audit_log_says_who_did_what_and_why(tcp: TestClient) -> None:
    everything = page(tcp, "/audit")
    assert people(everything) == {"ann", "ann (dashboard)", "bob", "carol"}
    assert "too slow" in everything
    assert '<span class="dim">tidegate</span>' in everything


def test_the_audit_log_is_searched_by_person_thing_and_rollout(tcp: TestClient) -> None:
    assert people(page(tcp, "/audit?by=ann")) == {"ann", "ann (dashboard)"}
    assert people(page(tcp, f"/audit?subject={PROD}&people=true")) == {"ann", "bob", "carol"}
    assert people(page(tcp, "/audit?rollout=web-2")) == {"ann", "ann (dashboard)"}
    assert '<span class="dim">tidegate</span>' not in page(tcp, "/audit?people=true")
    assert "Nothing like that happened." in page(tcp, "/audit?by=nobody")


def test_the_audit_log_is_turned_page_by_page_and_nothing_is_left_out(house: House, tcp: TestClient) -> None:
    path, seen = "/audit?subject=web&limit=7", 0
    while path:
        said = page(tcp, path)
        seen += said.count("<time datetime=")
        older = re.search(r'<a class="button" href="(/audit\?[^"]*before=[^"]*)">Older', said)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == len(house.glance.events(service="web", limit=1000)) > 7


def test_agents_that_are_behind_or_silent_come_first(house: House, tcp: TestClient) -> None:
    said = page(tcp, "/agents")
    assert "1 silent or behind" in said
    assert said.index("old-one") < said.index("app-0")
    assert "3 of version 0.1.0, 1 of version 0.0.9" in said


def test_an_agent_says_how_old_it_is_and_one_of_before_does_not(house: House, tcp: TestClient) -> None:
    report(house, "app-1", age=timedelta(hours=3, minutes=59))
    lines = dict(re.findall(r'<th scope="row">([\w-]+)</th>.*?<td class="n">(.*?)</td>', page(tcp, "/agents")))
    assert (lines["app-1"], lines["app-0"]) == ("3h", "-")
    told = {one["id"]: one["age"] for one in tcp.get("/v1/applications/shop/environments/prod").json()["agents"]}
    assert (told["app-1"], told["app-0"]) == ("3h59m", None)


def test_the_forecast_answers_the_form_in_its_address(tcp: TestClient) -> None:
    assert "<option>web</option>" in page(tcp, "/forecast")
    said = page(tcp, "/forecast?of=web&traffic=30/s&plan=canary+5%25+hold+10m&errors=0.1%25")
    for part in ("canary 5% hold 10m", "at 30 requests a second, of which 0.10% fail", "A good version takes", "everything"):
        assert part in said, part
    assert "A good change takes" in page(tcp, f"/forecast?of={PROD}&traffic=100/s")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("of=web&plan=soon", "plan"),
        ("of=web&traffic=much", "no traffic"),
        ("of=nobody", "no service"),
        ("of=a/b", "no environment"),
    ],
)
def test_what_the_forecast_cannot_read_is_said_beside_the_form(tcp: TestClient, asked: str, said: str) -> None:
    answer = page(tcp, f"/forecast?{asked}")
    assert said in answer
    assert 'role="alert"' in answer
