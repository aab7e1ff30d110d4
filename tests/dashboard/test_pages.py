"""Pages from the server, in every state of a rollout: what they say, and what they never do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from tests.dashboard.conftest import Watched
from tests.support.served import TOKEN, House, build_house
from tidegate.api.app import create_app
from tidegate.api.dashboard import paper
from tidegate.api.dashboard.live import Reader, Seen
from tidegate.api.door import loopback_door, socket_door
from tidegate.api.serve import Serving
from tidegate.core.exposure import Exposure
from tidegate.core.harm import Counted, Harm
from tidegate.core.verdict import Cause, GuardSeen, bad, unknown
from tidegate.engine.course import Course, Point
from tidegate.engine.view import ComparisonView, Figures, OutcomeView

GUARDS = (
    GuardSeen("errors", "ok", figure="0.1%", limit="above 1%", query="error_rate of the candidate above 1%"),
    GuardSeen("slow", "no_data", why="nothing was counted"),
    GuardSeen("seen", "firing", figure="9%", limit="above 1%", why="9% above 1%", rollback=False),
)
COMPARED = ComparisonView(
    "ok", "no difference was found", 4.6, 1000.0, False, False, False, False, 0.05, 0,
    (OutcomeView("errors", 120, 1, 1080, 2, 4.6, None),),
)  # fmt: skip
COURSE = Course(tuple(Point(float(at), 0.25, 0.25, 0.24, 90.0, 30.0, 0.001, 0.002, 40.0, 42.0, at / 100) for at in range(60)))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = build_house(tmp_path)
    yield house
    house.store.close()


@pytest.fixture
def tcp(house: House) -> TestClient:
    app = loopback_door(create_app(house.services), TOKEN)
    return TestClient(app, base_url="http://127.0.0.1:7400", raise_server_exceptions=False)


def _well(house: House) -> None:
    house.watcher.guards, house.watcher.comparison, house.watcher.drawn = GUARDS[:2], COMPARED, COURSE
    house.watcher.sides = {"baseline": Figures(900, 1, 0, 90.0, 0.001, 5.0, 40.0), "candidate": Figures(300, 1, 0, 30.0, 0.003)}
    house.begun()


def _held(house: House) -> None:
    _well(house)
    house.watcher.gate = unknown(Cause.HELD, "the baseline is ill, too")
    house.tick(3)


def _paused(house: House) -> None:
    _well(house)
    house.orders.pause("web", "ann", "lunch")


def _back(house: House) -> None:
    _well(house)
    house.watcher.account = Harm(Counted(33, 33, 6, 2, 300, 0), most=Exposure(2500), slow=3)
    house.watcher.gate = bad("6 of 33 failed")
    house.until(lambda: not house.rollout().in_flight)


def _completed(house: House) -> None:
    house.watcher.guards, house.watcher.drawn = (), COURSE
    house.begun().until(lambda: not house.rollout().in_flight)


STATES: dict[str, tuple[Callable[[House], None], str]] = {
    "well": (_well, "Nothing bad so far|Going well"),
    "held": (_held, "Held: v2 at 25%"),
    "paused": (_paused, "Paused at 25%"),
    "rolled back": (_back, "v2 was rolled back"),
    "completed": (_completed, "v2 serves everybody"),
}


@pytest.mark.parametrize("state", STATES)
def test_the_page_says_in_its_first_words_whether_it_is_fine_and_why(house: House, tcp: TestClient, state: str) -> None:
    begin, said = STATES[state]
    begin(house)
    page = tcp.get("/rollouts/web-2")
    assert page.status_code == 200
    title = re.search(r'<p class="title">(.*?)</p>', page.text)
    assert title is not None
    assert re.fullmatch(said, title[1].split(": v2")[0] if state == "well" else title[1])
    assert tcp.get("/").status_code == 200


def test_every_page_forbids_everything_foreign(house: House, tcp: TestClient) -> None:
    _well(house)
    for path in ("/", "/rollouts/web-2", "/login", "/rollouts/web-99"):
        policy = tcp.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"\s(style|on\w+)=|<script>|<style", tcp.get(path).text), path


def test_what_people_wrote_is_text_and_nothing_else(house: House, tcp: TestClient) -> None:
    _well(house)
    house.orders.pause("web", "ann", "<script>alert(1)</script>")
    page = tcp.get("/rollouts/web-2").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_page_that_does_not_exist_says_so_with_the_mend(tcp: TestClient) -> None:
    page = tcp.get("/rollouts/web-99")
    assert page.status_code == 404
    assert "There is no rollout" in page.text


def test_pages_come_through_a_door_or_not_at_all(house: House) -> None:
    client = TestClient(create_app(house.services), base_url="http://127.0.0.1", raise_server_exceptions=False)
    assert client.get("/").status_code == 403


def test_templates_are_compiled_once_for_all_controllers_of_a_home(tmp_path: Path) -> None:
    kept = tmp_path / "templates"
    paper.keep_compiled(kept)
    paper._templates().cache.clear()
    first = paper.render("part_problem.html", {"what": "It rains.", "mend": "Wait."})
    assert (len(list(kept.iterdir())), kept.stat().st_mode & 0o777) == (1, 0o700)
    paper._templates().cache.clear()
    assert paper.render("part_problem.html", {"what": "It rains.", "mend": "Wait."}) == first
    paper.keep_compiled(tmp_path / "nowhere" / "templates")
    paper._templates().cache.clear()
    assert "It rains." in paper.render("part_problem.html", {"what": "It rains.", "mend": "Wait."})


def test_while_the_first_page_is_read_all_others_are_made_ready(tmp_path: Path, tcp: TestClient) -> None:
    paper.keep_compiled(tmp_path / "templates")
    paper._templates().cache.clear()
    paper._begun.clear()
    assert tcp.get("/login").status_code == 200
    assert len(list((tmp_path / "templates").iterdir())) == paper.make_ready() > 50
    assert "base.html" in paper._templates().list_templates()


def test_pages_are_made_ready_once_however_many_are_read_meanwhile() -> None:
    paper._begun.clear()
    assert [paper._next() is None for _ in range(3)] == [False, True, True]


def test_what_a_button_says_is_what_can_be_done(house: House, tcp: TestClient) -> None:
    def verbs(page: str) -> list[str]:
        return re.findall(r'data-verb="(\w+)"', tcp.get(page).text)

    _well(house)
    assert verbs("/rollouts/web-2") == ["pause", "promote", "promote", "abort"]
    house.orders.pause("web", "ann")
    assert verbs("/rollouts/web-2")[0] == "resume"
    house.orders.resume("web", "ann")
    house.watcher.guards = ()
    house.until(lambda: not house.rollout().in_flight)
    assert verbs("/rollouts/web-2") == ["rollback"]
    assert verbs("/rollouts/web-1") == []


# --- Signing in -------------------------------------------------------------------------------------------------------


@pytest.fixture
def doors(house: House) -> tuple[TestClient, TestClient]:
    """The socket and TCP of one app."""
    app = create_app(house.services)
    own = TestClient(socket_door(app), base_url="http://tidegate", raise_server_exceptions=False)
    tcp = TestClient(loopback_door(app, TOKEN), base_url="http://127.0.0.1:7400", raise_server_exceptions=False)
    return own, tcp


def test_a_code_signs_in_once_and_changes_are_written_down_with_the_name(
    house: House, doors: tuple[TestClient, TestClient]
) -> None:
    own, tcp = doors
    _well(house)
    code = own.post("/v1/login", headers={"x-tidegate-user": "ann"}).json()["code"]
    session = tcp.post("/v1/session", json={"code": code}).json()
    assert session["user"] == "ann"
    paused = tcp.post("/v1/services/web/pause", json={}, headers={"authorization": f"Bearer {session['key']}"})
    assert paused.status_code == 200
    assert house.glance.events(last=True, limit=1)[0].told.actor == "ann (dashboard)"
    again = tcp.post("/v1/session", json={"code": code})
    assert (again.status_code, again.json()["mend"]) == (401, "Ask for another: tidegate open.")


def test_a_code_is_given_only_through_the_socket(doors: tuple[TestClient, TestClient]) -> None:
    _own, tcp = doors
    assert tcp.post("/v1/login").status_code == 401
    assert tcp.post("/v1/login", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 403


def test_a_code_is_good_for_two_minutes(house: House, doors: tuple[TestClient, TestClient]) -> None:
    own, tcp = doors
    code = own.post("/v1/login").json()["code"]
    house.now += timedelta(minutes=2)
    assert tcp.post("/v1/session", json={"code": code}).status_code == 401


def test_a_key_that_was_changed_or_signed_with_another_token_is_none(doors: tuple[TestClient, TestClient]) -> None:
    from tidegate.api.session_key import write_key

    _own, tcp = doors
    for key in (write_key("another token", "ann"), write_key(TOKEN, "ann")[:-1] + "?", "ann", ""):
        answer = tcp.post("/v1/services/web/pause", json={}, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 401, key


def test_a_foreign_page_can_neither_sign_in_nor_act(house: House, doors: tuple[TestClient, TestClient]) -> None:
    own, tcp = doors
    code = own.post("/v1/login").json()["code"]
    foreign = {"origin": "http://127.0.0.1:8080"}
    assert tcp.post("/v1/session", json={"code": code}, headers=foreign).status_code == 403


# --- Live -------------------------------------------------------------------------------------------------------------


def test_a_reader_gets_only_what_he_does_not_have() -> None:
    reader = Reader()
    first = Seen({"now": "a", "plan": "b"}, COURSE)
    assert [message.split("\n")[0] for message in reader.news(first)] == ["event: parts", "event: course"]
    assert reader.news(first) == []
    longer = Course((*COURSE.points, replace(COURSE.points[-1], at=60.0)))
    parts, course = reader.news(Seen({"now": "a", "plan": "c"}, longer))
    assert '{"plan":"c"}' in parts
    assert '"fresh":false' in course
    assert course.count("[60.0") == 1


# --- In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def serving(house: House) -> Iterator[Serving]:
    from tests.support.walk import free_port

    serving = house.serve(free_port())
    yield serving
    serving.stop()


@pytest.mark.real
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [(1280, "light"), (360, "dark")], ids=["desk", "phone"])
def test_no_page_errs_asks_elsewhere_or_shuts_anybody_out(
    house: House, serving: Serving, browser: Browser, state: str, size: tuple[int, str]
) -> None:
    STATES[state][0](house)
    own = f"http://127.0.0.1:{serving.port}"
    context = browser.new_context(viewport={"width": size[0], "height": 800}, color_scheme=size[1], reduced_motion="reduce")
    try:
        watched = Watched(context.new_page(), own)
        for path in ("/", "/rollouts/web-2", "/login"):
            watched.page.goto(own + path)
            if path.startswith("/rollouts"):
                watched.page.wait_for_selector(".chart svg path", state="attached")
            assert watched.violations() == [], path
            assert not watched.is_wider_than_the_screen(), path
        assert watched.strange == []
    finally:
        context.close()
