"""No body, no argument and no header is answered with 500: whatever comes, the caller learns what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.asking import sent
from tests.support.served import WEB, House

FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["10%", "1m", "v1", "web"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
POSTS = [
    "/v1/validate",
    "/v1/abort",
    "/v1/metrics/queue",
    *(f"/v1/services/web/{verb}" for verb in ("deploy", "pause", "resume", "promote", "abort", "rollback", "restart")),
]


@pytest.fixture
def quiet(house: House) -> Iterator[House]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    house.begun("v2")
    yield house
    structlog.reset_defaults()


def _places(content: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [here, *(place for key, value in inner for place in _places(value, (*here, key)))]


def _changed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[place[0]] = _changed(content[place[0]], place[1:], value)
    return copy


def _fine(answer: Any) -> None:
    assert answer.status_code != 500, answer.text
    if answer.status_code >= 400:
        content = answer.json()
        assert content["detail"], content
        assert content["mend"], content


@FEW
@given(path=st.sampled_from(POSTS), body=values)
def test_any_json(own: TestClient, quiet: House, path: str, body: Any) -> None:
    _fine(own.post(path, content=json.dumps(body), headers={"content-type": "application/json"}))


@FEW
@given(
    path=st.sampled_from([*POSTS, "/v1/services/web"]),
    body=st.binary(max_size=60) | st.text(max_size=60),
    kind=st.sampled_from(["json", "yaml"]),
)
def test_any_bytes(own: TestClient, quiet: House, path: str, body: bytes | str, kind: str) -> None:
    content = body if isinstance(body, bytes) else body.encode(errors="surrogatepass")
    method = "PUT" if path == "/v1/services/web" else "POST"
    _fine(own.request(method, path, content=content, headers={"content-type": f"application/{kind}"}))


BODY = {
    "file": {
        **sent(WEB),
        "on": [{"webhook": "http://127.0.0.1:1/x", "events": ["started"]}],
        "force": {"header": "x-force", "secret": "12345678"},
        "stickiness": {"header": "x-user", "cookie": "c"},
    },
    "version": "v3",
    "plan": {
        "steps": [{"exposure": "10%", "hold": "1m", "gate": "look", "hook": {"command": ["true"]}}],
        "bake": "1m",
        "on_conflict": "supersede",
    },
    "reason": "because",
}
PLACES = _places(BODY)


@settings(FEW, max_examples=200)
@given(place=st.sampled_from(PLACES), value=values)
def test_any_value_at_any_place_of_a_good_body(own: TestClient, quiet: House, place: tuple[Any, ...], value: Any) -> None:
    body = json.dumps(_changed(BODY, place, value))
    _fine(own.post("/v1/validate", content=body, headers={"content-type": "application/json"}))
    _fine(own.post("/v1/services/web/deploy", content=body, headers={"content-type": "application/json"}))


@FEW
@given(name=st.text(max_size=12), query=st.text(max_size=12), header=st.binary(max_size=12))
def test_any_path_query_and_header(own: TestClient, quiet: House, name: str, query: str, header: bytes) -> None:
    part = quote(name, safe="", errors="surrogatepass")
    asked = quote(query, safe="", errors="surrogatepass")
    bad = header.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    for path in (
        f"/v1/services/{part}",
        f"/v1/rollouts/{part}",
        f"/v1/rollouts/{part}/events",
        f"/v1/services/{part}/logs?task={asked}",
    ):
        _fine(own.get(path))
    for argument in ("after", "service", "rollout", "limit"):
        _fine(own.get(f"/v1/events?{argument}={asked}"))
    _fine(own.get("/v1/services", headers={"x-tidegate-user": bad}))


@FEW
@given(host=st.binary(max_size=20), origin=st.binary(max_size=20), token=st.binary(max_size=20))
def test_any_header_at_the_port(tcp: TestClient, quiet: House, host: bytes, origin: bytes, token: bytes) -> None:
    headers = {"Host": host, "Origin": origin, "Authorization": token}
    answer = tcp.post("/v1/abort", headers=headers)
    assert answer.status_code in (401, 403)
