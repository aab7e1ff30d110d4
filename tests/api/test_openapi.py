"""The API describes itself, truly and completely; docs/api.md lists every route."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from tests.api.asking import sent
from tests.support.served import House
from tidegate.api import answers
from tidegate.core.harm import Harm
from tidegate.core.verdict import GuardSeen
from tidegate.engine.teller import describe_harm
from tidegate.engine.view import ComparisonView, OutcomeView

COMPARED = ComparisonView(
    standing="no_data",
    sentence="not enough data: 120 requests of the candidate in this step; about 1,200 more are needed to find one of 5.0%",
    evidence=0.7,
    limit=1000.0,
    suspected=False,
    not_worse=False,
    outage=False,
    mismatch=False,
    finds=None,
    missing=1200,
    outcomes=(OutcomeView("errors", 120, 1, 1080, 2, 0.7, None),),
)
DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def described(own: TestClient) -> dict[str, Any]:
    content: dict[str, Any] = own.get("/v1/openapi.json").json()
    return content


def _operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(described))) <= known


def test_every_operation_says_what_it_does_answers_and_takes(described: dict[str, Any]) -> None:
    for method, path, operation in _operations(described):
        assert operation["description"], path
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        assert good["content"], path
        assert "application/problem+json" in operation["responses"]["default"]["content"], path
        if path == "/v1/session":  # takes a code
            assert "security" not in operation
        elif method != "GET":
            assert operation["security"] == [{"token": []}], path


def test_durations_are_described_as_they_are_written(described: dict[str, Any]) -> None:
    assert '"format": "duration"' not in json.dumps(described)
    hold = described["components"]["schemas"]["StepView"]["properties"]["hold"]
    assert "1m30s" in hold["examples"]


def test_the_description_of_harm_is_what_is_answered() -> None:
    assert set(TypeAdapter(answers.Harm).json_schema()["properties"]) == set(describe_harm(Harm()))


def test_what_is_answered_has_the_keys_that_are_described(own: TestClient, house: House, described: dict[str, Any]) -> None:
    house.watcher.guards = (GuardSeen("errors", "ok", "0.2%", "above 1%"),)
    house.watcher.comparison = COMPARED
    house.begun("v2")
    comparison = own.get("/v1/rollouts/web-2").json()["comparison"]
    ahead = own.post("/v1/forecast", json={"file": sent(), "traffic": "30/s"}).json()
    schemas = described["components"]["schemas"]
    pairs = [
        ("ServiceView", own.get("/v1/services").json()[0]),
        ("RolloutView", own.get("/v1/rollouts/web-2").json()),
        ("Explained", own.get("/v1/rollouts/web-2/events").json()),
        ("Happening", own.get("/v1/events").json()[0]),
        ("HealthSeen", own.get("/v1/health").json()),
        ("GuardSeen", own.get("/v1/rollouts/web-2").json()["guards"][0]),
        ("Task", own.get("/v1/services/web").json()["tasks"][0]),
        ("ComparisonView", comparison),
        ("OutcomeView", comparison["outcomes"][0]),
        ("ForecastAhead", ahead),
        ("StepAhead", ahead["steps"][0]),
        ("HarmAhead", ahead["harms"][0]),
        ("Preview", own.post("/v1/validate", json={"file": sent()}).json()),
    ]
    for name, content in pairs:
        assert set(content) == set(schemas[name]["properties"]), name


def test_every_route_is_in_the_documents_and_no_other(described: dict[str, Any]) -> None:
    documented = set(re.findall(r"^\| `(GET|PUT|POST|DELETE) (/v1/[^`?]*)", DOCS.read_text(), re.MULTILINE))
    served = {(method, path) for method, path, _ in _operations(described)} | {("GET", "/v1/openapi.json")}
    assert documented == served


def test_every_argument_is_in_the_documents(described: dict[str, Any]) -> None:
    text = DOCS.read_text()
    for _, path, operation in _operations(described):
        for argument in operation.get("parameters", []):
            if argument["in"] == "query":
                assert f"`{argument['name']}`" in text, f"{argument['name']} of {path}"
