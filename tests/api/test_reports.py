"""Reports of agents, which go round the framework: they are taken and refused as every other request is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.support.served import BEGIN, TOKEN, House
from tidegate.core.flags.agent_report import read_report

PROD = "/v1/applications/shop/environments/prod"
REPORT: dict[str, Any] = {"agent": "host:1:a", "epoch": "life", "serial": 1, "origin": "db", "exposure": "10%", "rollout": "r"}


def heard(house: House) -> list[str]:
    return [agent.report.agent for agent in house.agents.of("shop/prod")]


def test_who_may_reports_by_the_socket_or_with_the_token(house: House, own: TestClient, tcp: TestClient) -> None:
    assert own.post(f"{PROD}/reports", json=REPORT).status_code == 204
    assert heard(house) == ["host:1:a"]
    answer = tcp.post(f"{PROD}/reports", json={**REPORT, "agent": "b"}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert heard(house) == ["host:1:a", "b"]


@pytest.mark.parametrize(
    ("said", "age"), [("61.4", 61), ("0", 0), ("-1", None), ("nan", None), ("1e300", None), ("\xff", None)]
)
def test_the_age_of_an_agent_is_said_apart_and_what_is_none_does_no_harm(
    house: House, own: TestClient, said: str, age: int | None
) -> None:
    sent = own.post(f"{PROD}/reports", json=REPORT, headers={"Tidegate-Agent-Age": said.encode("latin-1")})  # type: ignore[dict-item]
    assert sent.status_code == 204
    (agent,) = house.agents.of("shop/prod")
    assert agent.report.age == (None if age is None else timedelta(seconds=age))


def test_who_may_not_is_refused_and_nothing_is_taken(house: House, tcp: TestClient, app: ASGIApp) -> None:
    assert tcp.post(f"{PROD}/reports", json=REPORT).status_code == 401
    assert tcp.post(f"{PROD}/reports", json=REPORT, headers={"Authorization": "Bearer x"}).status_code == 401
    assert TestClient(app).post(f"{PROD}/reports", json=REPORT).status_code == 403  # through no door
    assert heard(house) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"agent": "a"}',
        b"[" * 100_000,
        b"\xff",
        b'{"agent":"a","epoch":"","serial":-1,"origin":""}',
    ],
)
def test_what_is_no_report_is_refused_with_the_mend(house: House, own: TestClient, body: bytes) -> None:
    answer = own.post(f"{PROD}/reports", content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["mend"]
    assert heard(house) == []


@pytest.mark.parametrize("path", ["/v1/applications/SHOP/environments/prod/reports", f"{PROD}/reports/", "/v1/reports"])
def test_other_paths_are_those_of_the_routes(house: House, own: TestClient, path: str) -> None:
    assert own.post(path, json=REPORT).status_code in (404, 422)
    assert own.get(f"{PROD}/reports").status_code == 405
    assert heard(house) == []


def test_the_answer_says_when_the_next_report_is_wanted_and_many_agents_are_asked_for_fewer(
    house: House, own: TestClient
) -> None:
    def wanted() -> str:
        return str(own.post(f"{PROD}/reports", json=REPORT).headers["Tidegate-Report-Every"])

    assert wanted() == "1"
    for number in range(999):
        house.agents.report("shop/prod", read_report({**REPORT, "agent": f"agent-{number}"}))
    house.agents.look(BEGIN)
    assert wanted() == "2"
    for number in range(9000):
        house.agents.report("shop/staging", read_report({**REPORT, "agent": f"agent-{number}"}))
    house.agents.look(BEGIN)
    assert wanted() == "2.5"
