"""Pages that cannot be shown are pages, too: they say what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from tests.dashboard.shop import PROD
from tests.support.served import TOKEN, House, SettableWatcher, build_house
from tidegate.api.app import create_app
from tidegate.api.door import loopback_door
from tidegate.engine.view import Figures

SECRET = "a secret that the error has in its words"
KEY = {"authorization": f"Bearer {TOKEN}"}


class Broken(SettableWatcher):
    """Fails as nobody foresaw."""

    def figures(self, service: str) -> Figures:
        raise ZeroDivisionError(SECRET)


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[TestClient]:
    house = build_house(tmp_path).run("v1")
    whole = House(house.home, house.store, watcher=Broken())
    app = loopback_door(create_app(whole.services), TOKEN)
    yield TestClient(app, base_url="http://127.0.0.1:7400", raise_server_exceptions=False)
    house.store.close()


def test_what_nobody_foresaw_is_a_page_with_a_reference_that_the_log_has(broken: TestClient) -> None:
    with capture_logs() as logs:
        answer = broken.get("/services/web")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    (told,) = [one for one in logs if one["event"] == "unforeseen"]
    assert f"Look for {told['reference']} in the controller&#39;s log" in answer.text
    assert 'href="/"' in answer.text
    assert SECRET in told["traceback"]
    assert SECRET not in answer.text


def test_what_nobody_foresaw_stays_a_problem_document_for_programs(broken: TestClient) -> None:
    answer = broken.get("/v1/services/web", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"/flags/{PROD}/flag", f"it lacks name.</h1>\n<p>Write it as /flags/{PROD}/flag?name="),
        ("/audit?limit=many", "In this address limit is wrong"),
        (f"/flags/{PROD}/compare?old=-1", "In this address old is wrong"),
    ],
)
def test_an_address_that_is_incomplete_or_wrong_says_which_part(tcp: TestClient, path: str, said: str) -> None:
    answer = tcp.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert said in answer.text
    assert "There is no page" not in answer.text


def test_a_part_of_a_page_says_so_in_its_place(tcp: TestClient) -> None:
    answer = tcp.get(f"/sheets/flags/{PROD}/flag", headers=KEY)
    assert (answer.status_code, "data-problem" in answer.text, "lacks name" in answer.text) == (422, True, True)
    assert "There is no page /services/NO BODY" in tcp.get("/services/NO BODY").text
