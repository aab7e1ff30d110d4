"""Every page in a browser: it errs nowhere, asks nobody else, shuts nobody out; and flags are changed on it, by mouse and by
keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.conftest import Watched
from tests.dashboard.shop import PROD, open_environment, open_shop
from tests.support.ports import free_port
from tests.support.served import TOKEN, House, build_house
from tidegate.api.session_key import write_key

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
PATIENCE = 45_000
FLAGS = f"/flags/{PROD}"
Served = tuple[House, str]
PAGES = (
    "/",
    "/services/web",
    "/flags",
    FLAGS,
    f"{FLAGS}/flag?name=new-checkout",
    f"{FLAGS}/compare?old=1&new=2",
    f"{FLAGS}/who",
    f"{FLAGS}/change?do=flag&name=new-checkout",
    f"{FLAGS}/change?do=off&name=dark-mode",
    "/releases",
    "/releases/checkout-1",
    "/agents",
    "/forecast?of=web&traffic=30/s",
    "/audit",
    "/nowhere",
)
KEY = {"key": write_key(TOKEN, "ann"), "user": "ann", "until": "2999-01-01T00:00:00Z"}
SIGNED_IN = f"localStorage.setItem('tidegate.session', {json.dumps(json.dumps(KEY))})"


@contextmanager
def served(house: House) -> Iterator[Served]:
    serving = house.serve(free_port())
    try:
        yield house, f"http://127.0.0.1:{serving.port}"
    finally:
        serving.stop()
        house.store.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(open_shop(tmp_path_factory.mktemp("shop"))) as one:
        yield one


@pytest.fixture
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With flags in force, and nothing in flight."""
    house = build_house(tmp_path_factory.mktemp("quiet"))
    open_environment(house)
    with served(house) as one:
        yield one


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    contexts = []

    def open_page(own: str, *, width: int = 1280, scheme: str = "light", signed_in: bool = True) -> Watched:
        viewport = {"width": width, "height": 900}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce", base_url=own)
        contexts.append(context)
        if signed_in:
            context.add_init_script(SIGNED_IN)
        return Watched(context.new_page(), own)

    yield open_page
    for context in contexts:
        context.close()


def is_filled(page: Page) -> None:
    """Every sheet has come."""
    expect(page.locator("[data-sheet]:empty, #ahead:empty, [aria-busy]")).to_have_count(0, timeout=PATIENCE)


@pytest.mark.parametrize("look", [(1280, "light"), (360, "dark")], ids=["desk", "phone"])
def test_no_page_errs_asks_elsewhere_or_shuts_anybody_out(
    shop: Served, open_page: Callable[..., Watched], look: tuple[int, str]
) -> None:
    _house, own = shop
    watched = open_page(own, width=look[0], scheme=look[1])
    # The pages are the same in both looks, but for their colours.
    rules = ("color-contrast",) if look[1] == "light" else ()
    for path in PAGES:
        missing = watched.page.goto(path)
        assert missing is not None
        assert missing.status == (404 if path == "/nowhere" else 200), path
        is_filled(watched.page)
        assert watched.violations(*rules) == [], path
        assert not watched.is_wider_than_the_screen(), path
        watched.strange = [said for said in watched.strange if not (path == "/nowhere" and "404" in said)]
        assert watched.strange == [], path


def test_who_is_not_signed_in_sees_how_to_instead_of_people(shop: Served, open_page: Callable[..., Watched]) -> None:
    _house, own = shop
    watched = open_page(own, signed_in=False)
    watched.page.goto(FLAGS)
    is_filled(watched.page)
    expect(watched.page.locator("#flag-list")).to_contain_text("tidegate open")
    assert watched.violations() == []
    assert watched.strange == []


def test_flags_are_found_while_typing_and_a_user_s_answer_is_explained(shop: Served, open_page: Callable[..., Watched]) -> None:
    _house, own = shop
    watched = open_page(own)
    page = watched.page
    page.goto(FLAGS)
    page.get_by_role("searchbox", name="Find").fill("checkout")
    expect(page.locator("#flag-list")).to_contain_text("1 flag of 5", timeout=PATIENCE)
    page.get_by_role("link", name="new-checkout").first.click()
    page.get_by_label("User id").fill("anna")
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#who-found")).to_contain_text("yes in segment staff", timeout=PATIENCE)
    assert watched.violations() == []
    assert watched.strange == []


def test_a_form_cannot_be_sent_before_its_script_is_there(shop: Served, open_page: Callable[..., Watched]) -> None:
    """The browser would send it by itself, and leave the page."""
    page = open_page(shop[1]).page
    held: list[Route] = []
    page.route("**/static/sheets.js*", lambda route: held.append(route))  # noqa: PLW0108 - it wants a function
    with page.expect_request("**/static/sheets.js*"):
        page.goto(f"{FLAGS}/flag?name=new-checkout", wait_until="commit")
    look = page.get_by_role("button", name="Look")
    expect(look).to_be_disabled(timeout=PATIENCE)
    for one in held:
        one.continue_()
    expect(look).to_be_enabled(timeout=PATIENCE)


def test_a_flag_is_changed_with_the_mouse_and_the_history_knows_the_person(
    quiet: Served, open_page: Callable[..., Watched]
) -> None:
    house, own = quiet
    watched = open_page(own)
    page = watched.page
    page.goto(f"{FLAGS}/flag?name=new-checkout")
    page.get_by_role("link", name="Change", exact=True).click()
    button, ahead = page.get_by_role("button", name="Release it"), page.locator("#ahead")
    expect(ahead).to_contain_text("that is in force already", timeout=PATIENCE)
    expect(button).to_be_disabled()
    page.get_by_label("The flag", exact=True).fill("when: in segment stuff")
    expect(ahead).to_contain_text("Did you mean", timeout=PATIENCE)
    expect(button).to_be_disabled()
    page.get_by_label("The flag", exact=True).fill("when: |\n  in segment staff\n  or 70%")
    expect(ahead).to_contain_text("70% instead of", timeout=PATIENCE)
    page.get_by_role("textbox", name="Plan").fill("canary 5% hold 2m")
    expect(ahead.locator(".strip")).to_contain_text("5%", timeout=PATIENCE)
    page.get_by_label("Reason, for the history").first.fill("more people")
    expect(page.locator("[data-shown-command]")).to_contain_text("--plan 'canary 5% hold 2m' --reason 'more people'")
    expect(button).to_be_enabled(timeout=PATIENCE)
    assert watched.violations() == []
    button.click()
    page.wait_for_url("**/rollouts/shop-prod-2", timeout=PATIENCE)
    begun = house.glance.rollout("shop-prod-2")
    assert (begun.by, begun.steps[0].exposure) == ("ann (dashboard)", "5%")
    assert house.flag_services.glance.documents("shop")[0].why == "more people"
    assert watched.strange == []


def test_a_flag_is_turned_off_with_the_keyboard_alone(quiet: Served, open_page: Callable[..., Watched]) -> None:
    house, own = quiet
    watched = open_page(own)
    page = watched.page
    page.goto(f"{FLAGS}/change?do=off&name=dark-mode")
    expect(page.locator("#ahead")).to_contain_text("dark-mode", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Turn off")).to_be_visible()
    _tab_to(page, "reason")
    page.keyboard.type("too dark")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollouts/shop-prod-2", timeout=PATIENCE)
    told = house.glance.events(service=PROD, last=True, limit=1)[0].told
    assert (told.actor, "too dark" in told.why) == ("ann (dashboard)", True)
    assert watched.strange == []


def _tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        if page.evaluate("document.activeElement?.name") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} is reached by no Tab")


def test_the_kill_switch_asks_once_and_is_written_down(quiet: Served, open_page: Callable[..., Watched]) -> None:
    house, own = quiet
    watched = open_page(own)
    page = watched.page
    page.goto(f"{FLAGS}/flag?name=new-checkout")
    page.get_by_role("button", name="Off for everybody, now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("it hurts")
    expect(dialog.locator("code").first).to_contain_text(
        "tidegate flags off new-checkout -e shop/prod --now --reason 'it hurts'"
    )
    assert watched.violations() == []
    dialog.get_by_role("button", name="Off for everybody, now").click()
    page.wait_for_url("**/rollouts/shop-prod-2", timeout=PATIENCE)
    view = house.glance.rollout("shop-prod-2")
    assert (view.by, view.plan) == ("ann (dashboard)", "at once")
    assert watched.strange == []
