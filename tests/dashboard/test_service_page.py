"""The page of a service."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.support.served import TOKEN

KEY = {"authorization": f"Bearer {TOKEN}"}


def test_it_says_who_serves_whom_on_which_tasks(tcp: TestClient) -> None:
    page = tcp.get("/services/web").text
    for said in (
        "v3 at 25%",
        "web-v1-2",
        "<b>25%</b> of the users get v3, all others v1",
        "header x-user-id",
        "web-2",
        "too slow",
    ):
        assert said in page, said


def test_its_buttons_are_those_of_the_rollout_in_flight_and_restart(tcp: TestClient) -> None:
    page = tcp.get("/services/web").text
    for verb in ("pause", "promote", "abort", "restart"):
        assert f'data-path="/v1/services/web/{verb}"' in page


def test_logs_want_the_key_and_are_text(tcp: TestClient) -> None:
    path = "/sheets/services/web/logs?task=web-v1-1"
    assert tcp.get(path).status_code == 401
    assert "GET /cart" not in tcp.get("/services/web").text
    lines = tcp.get(path, headers=KEY).text
    assert "GET /cart/8 200 &lt;b&gt;4ms" in lines


def test_an_unknown_service_is_a_page_that_knows_the_others(tcp: TestClient) -> None:
    page = tcp.get("/services/nobody")
    assert (page.status_code, "Known services: web" in page.text) == (404, True)


def test_what_is_unknown_is_a_page_for_browsers_and_a_problem_for_programs(tcp: TestClient) -> None:
    seen = tcp.get("/nowhere", headers={"accept": "text/html,*/*;q=0.8"})
    assert (seen.status_code, seen.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page /nowhere." in seen.text
    assert tcp.get("/nowhere").json()["title"] == "Not Found"
    assert tcp.get("/v1/nowhere", headers={"accept": "text/html"}).json()["status"] == 404
    assert tcp.post("/services/web", headers={"accept": "text/html", **KEY}).json()["status"] == 405
