"""Errors are problem documents with a mend, and never a traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog
from starlette.testclient import TestClient

from tests.api.asking import sent
from tests.support.served import House
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused, Stale, TidegateError, Unreachable


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Invalid("It is wrong.", "Right it.", "alarms[0]"), 422, "urn:tidegate:invalid"),
        (NotFound("It is not there.", "Look."), 404, "urn:tidegate:not-found"),
        (Conflict("It is in the way.", "Wait."), 409, "urn:tidegate:conflict"),
        (Refused("No.", "Ask otherwise."), 400, "urn:tidegate:refused"),
        (Stale("web-1"), 409, "urn:tidegate:stale"),
        (Unreachable("It does not answer."), 503, "urn:tidegate:unreachable"),
    ],
)
def test_each_error_has_its_status_and_both_sentences(
    own: TestClient, house: House, error: TidegateError, status: int, kind: str
) -> None:
    house.router.check = _raising(error)  # type: ignore[method-assign]
    answer = own.post("/v1/validate", json={"file": sent()})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert (content["type"], content["status"]) == (kind, status)
    assert (content["detail"], content["mend"]) == (error.what, error.mend)
    assert content.get("where", "") == (error.where if isinstance(error, Invalid) else "")


def test_what_nobody_foresaw_is_logged_under_a_reference_and_not_shown(own: TestClient, house: House) -> None:
    house.router.check = _raising(ZeroDivisionError("the secret is 42"))  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        answer = own.post("/v1/validate", json={"file": sent()})
    assert answer.status_code == 500
    assert "42" not in answer.text
    assert "Traceback" not in answer.text
    found = next(line for line in logs if line["event"] == "unforeseen")
    assert found["reference"] in answer.json()["detail"]
    assert "ZeroDivisionError" in found["traceback"]
    assert "secret-of-this-test" not in found["traceback"]


def test_an_unknown_path_and_a_wrong_method_say_what_there_is(own: TestClient) -> None:
    assert own.get("/v1/nothing").json()["mend"] == "GET /v1/openapi.json lists every route."
    answer = own.put("/v1/events")
    assert (answer.status_code, answer.json()["mend"]) == (405, "It takes GET.")
    assert own.get("/docs").status_code == 404


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/events?limit=0", "limit"),
        ("/v1/events?after=99999999999999999999", "after"),
        ("/v1/rollouts?service=..%2F..", "service"),
        ("/v1/services/UPPER", "service"),
        ("/v1/services/..%2e", "service"),
        ("/v1/rollouts/%00", "rollout"),
    ],
)
def test_an_argument_out_of_bounds_is_named(own: TestClient, path: str, where: str) -> None:
    answer = own.get(path)
    assert (answer.status_code, answer.json()["where"]) == (422, where)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", b"{", "is not JSON"),
        ("application/json", b'{"reason": "a", "reason": "b"}', "is there twice"),
        ("application/json", b"[" * 50_000, "nested deeper"),
        ("application/json", b'{"reason": NaN}', "NaN"),
        ("application/json", b'{"reason": "\\ud800"}', "broken character"),
        ("application/json", b'{"reason": "\\u0000"}', "NUL"),
        ("application/json", b"\xff\xfe", "is not UTF-8"),
        ("application/json", b"[1]", "a list, not a mapping"),
        ("application/json", b'"text"', "a text, not a mapping"),
        ("application/yaml", b"a: &a [x]\nb: *a", "aliases"),
        ("application/yaml", b"reason: x\n---\nreason: y", "more than one document"),
        ("application/yaml", b"reason: !!python/object/apply:os.system [ls]", "tag"),
        ("application/yaml", b"\treason: x", "tab"),
        ("application/json", b'{"reason": 7}', "reason"),
        ("application/json", b'{"raeson": "x"}', "unknown key 'raeson'"),
    ],
)
def test_a_bad_body_is_said_with_its_mend_and_changes_nothing(
    own: TestClient, house: House, kind: str, body: bytes, said: str
) -> None:
    house.begun("v2")
    before = house.rollout()
    answer = own.post("/v1/services/web/pause", content=body, headers={"content-type": kind})
    assert answer.status_code == 422
    assert said in answer.json()["detail"] + answer.json()["mend"]
    assert answer.json()["mend"]
    assert house.rollout() == before


def _raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it
