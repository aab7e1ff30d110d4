"""The report of a finished rollout: opened from a disk by a real browser, where nobody answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from tests.dashboard.conftest import Watched
from tests.support.served import House, build_house
from tidegate.api.app import create_app
from tidegate.api.door import socket_door
from tidegate.core.exposure import Exposure
from tidegate.core.harm import Counted, Harm
from tidegate.core.verdict import GuardSeen, bad
from tidegate.engine.course import Course, Point
from tidegate.engine.view import Figures

REASON = '</script><script>document.title = "theirs"</script>'


def _course() -> Course:
    """Ten minutes, of which the last show errors; for a while nobody could look."""
    points = []
    for at in range(0, 600, 5):
        errors = 0.001 if at < 400 else min(0.2, (at - 400) / 500)
        seen = None if 200 < at < 260 else 0.25
        points.append(Point(float(at), 0.25, seen, 0.24, 90.0, 30.0, 0.001, errors, 40.0, 42.0 + at / 20, errors * 5))
    return Course(tuple(points))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """web-2 was rolled back, for a reason that is markup."""
    house = build_house(tmp_path_factory.mktemp("house"))
    house.watcher.guards = (GuardSeen("errors", "ok", figure="0.1%", limit="above 1%"),)
    house.watcher.sides = {"baseline": Figures(900, 1, 0, 90.0, 0.001, 5.0, 40.0), "candidate": Figures(300, 1, 0, 30.0, 0.003)}
    house.watcher.drawn = _course()
    house.begun()
    house.watcher.account = Harm(Counted(1240, 1240, 31, 2, 3600, 4), most=Exposure(2500), slow=3)
    house.watcher.gate = bad(f"31 of 1,240 failed {REASON}")
    house.until(lambda: not house.rollout().in_flight)
    return house


@pytest.fixture(scope="module")
def own(house: House) -> TestClient:
    return TestClient(socket_door(create_app(house.services)), base_url="http://tidegate", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def text(own: TestClient) -> str:
    answer = own.get("/v1/rollouts/web-2/report")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="web-2.html"'
    assert answer.headers["content-security-policy"] == "sandbox"
    return answer.text


@pytest.mark.real
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_opens_from_a_disk_without_asking_anybody(
    browser: Browser, text: str, tmp_path: Path, scheme: str, width: int
) -> None:
    path = tmp_path / "web-2.html"
    path.write_text(text)
    with browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}) as context:  # type: ignore[arg-type]
        watched = Watched(context.new_page(), path.as_uri())
        page = watched.page
        page.goto(path.as_uri())
        assert page.title() == "web-2: web v2 - Tidegate"
        assert page.locator("figure.chart svg path").count() == 11  # a line for each, and the area of the evidence
        assert page.locator("figure[data-chart=errors] .readout").inner_text().startswith("baseline 0.1%, candidate 20")
        page.locator("figure[data-chart=errors] svg").focus()
        page.keyboard.press("Home")
        assert page.locator("figure[data-chart=errors] .readout").inner_text().startswith("at 0s: ")
        page.locator("details").first.evaluate("one => { one.open = true }")
        page.screenshot(path=tmp_path / "report.png", full_page=True)
        assert watched.violations() == []
        assert not watched.is_wider_than_the_screen()
        assert watched.strange == []


def test_it_says_what_happened_why_and_whom_it_harmed(text: str) -> None:
    plain = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    assert "31 of 1,240 failed" in plain
    assert re.search(r"Failed\s+31\b", plain)
    assert "rolled back" in plain
    assert not re.search(r'(?:src|href)="(?!data:)', text), "it asks nobody"


def test_one_that_is_in_flight_has_no_report_yet(tmp_path: Path) -> None:
    house = build_house(tmp_path).begun()
    own = TestClient(socket_door(create_app(house.services)), base_url="http://tidegate", raise_server_exceptions=False)
    answer = own.get("/v1/rollouts/web-2/report")
    assert (answer.status_code, answer.json()["mend"]) == (409, "Wait for its end: tidegate watch web.")
    assert own.get("/v1/rollouts/web-9/report").status_code == 404
    house.store.close()
