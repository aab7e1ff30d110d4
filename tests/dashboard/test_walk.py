"""A person before the dashboard of a real Tidegate: watches a rollout go and a bad one go back, pauses, promotes, and stays
while the controller is killed. Nothing is reloaded."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Watched
from tests.support.walk import CANARY, Tidegate, free_port, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
PATIENCE = 45_000


@pytest.fixture(scope="module")
def tidegate() -> Iterator[Tidegate]:
    with Tidegate(TIDEGATE_PORT=str(free_port())) as tidegate:
        yield tidegate


@pytest.fixture
def own(tidegate: Tidegate) -> str:
    return f"http://127.0.0.1:{tidegate.env['TIDEGATE_PORT']}"


@pytest.fixture
def watched(browser: Browser, own: str) -> Iterator[Watched]:
    context = browser.new_context()
    yield Watched(context.new_page(), own)
    context.close()


@contextmanager
def users(port: int) -> Iterator[None]:
    """A few users who come again and again, and mind nothing."""
    gone = threading.Event()

    def come() -> None:
        number = 0
        while not gone.wait(0.01):
            number += 1
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/", headers={"x-user-id": f"user-{number}"})
                connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=come) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        gone.set()
        for thread in threads:
            thread.join()


def sign_in(tidegate: Tidegate, page: Page) -> None:
    told = tidegate.tidegate("open", "--print")
    assert told.returncode == 0, told.stderr
    page.goto(told.stdout.splitlines()[0])
    expect(page.locator("[data-user]")).to_contain_text("Signed in as", timeout=PATIENCE)
    page.wait_for_url("**/", timeout=PATIENCE)


def press(page: Page, name: str, reason: str) -> None:
    page.get_by_role("group", name="What you can do").get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    expect(dialog.locator("code").first).to_contain_text(f"--reason '{reason}'")
    dialog.get_by_role("button", name=name, exact=True).click()
    expect(dialog).to_be_hidden(timeout=PATIENCE)


def says(page: Page, words: str) -> None:
    expect(page.locator(".hero .title")).to_contain_text(words, timeout=PATIENCE)


def is_the_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.stayed === true"))


def test_a_rollout_is_paused_resumed_and_promoted_by_button_and_the_history_knows_the_person(
    tidegate: Tidegate, watched: Watched, own: str
) -> None:
    page = watched.page
    tidegate.serve("good")
    sign_in(tidegate, page)
    rollout = tidegate.deploy("good", "v2", plan=CANARY)
    expect(page.get_by_role("link", name="good").first).to_be_visible(timeout=PATIENCE)
    page.goto(f"{own}/rollouts/{rollout}")
    page.evaluate("window.stayed = true")
    says(page, "v2 at 50%")
    press(page, "Pause", "lunch first")
    says(page, "Paused at 50%")
    press(page, "Resume", "lunch is over")
    says(page, "v2 at 50%")
    press(page, "Promote to the end", "looks fine")
    says(page, "v2 serves everybody")
    assert is_the_same_page(page)
    tidegate.ended(rollout)
    events = tidegate.ask("GET", f"/rollouts/{rollout}/events")["events"]
    acts = [(one["kind"], one["why"]) for one in events if one["actor"].endswith(" (dashboard)")]
    assert acts == [("paused", "lunch first"), ("resumed", "lunch is over"), ("promoted", "looks fine")]
    assert watched.strange == []


def test_a_bad_rollout_is_seen_to_go_back_and_why(tidegate: Tidegate, watched: Watched, own: str) -> None:
    page = watched.page
    port = tidegate.serve("bad")
    with users(port):
        rollout = tidegate.deploy("bad", "v2", ["--fail", "GET=50%:500"], plan=CANARY)
        page.goto(f"{own}/rollouts/{rollout}")
        page.evaluate("window.stayed = true")
        says(page, "v2 was rolled back")
    expect(page.locator("[data-part=now]")).to_contain_text("rrors", timeout=PATIENCE)
    expect(page.locator("[data-part=ahead]")).to_contain_text("v1 serves everybody", timeout=PATIENCE)
    expect(page.locator(".strip .back")).to_contain_text("50%", timeout=PATIENCE)
    assert is_the_same_page(page)
    page.goto(f"{own}/")
    expect(page.locator("[data-part=last]")).to_contain_text("rolled back", timeout=PATIENCE)
    assert watched.strange == []


def test_who_is_not_signed_in_is_told_how_and_changes_nothing(tidegate: Tidegate, watched: Watched, own: str) -> None:
    page = watched.page
    tidegate.serve("seen")
    rollout = tidegate.deploy("seen", "v2", plan=CANARY)
    tidegate.phase(rollout, "watching")
    page.goto(f"{own}/rollouts/{rollout}")
    page.get_by_role("button", name="Abort").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("tidegate open")
    assert watched.violations() == []
    dialog.get_by_role("button", name="Leave it").click()
    expect(dialog).to_be_hidden()
    assert tidegate.rollout(rollout)["phase"] == "watching"
    tidegate.ask("POST", "/services/seen/abort")
    says(page, "v2 was rolled back")
    assert watched.strange == []


def test_a_page_says_that_tidegate_is_silent_and_goes_on_when_it_is_back(
    tidegate: Tidegate, watched: Watched, own: str
) -> None:
    page = watched.page
    tidegate.serve("kept")
    sign_in(tidegate, page)
    rollout = tidegate.deploy("kept", "v2", plan=CANARY)
    page.goto(f"{own}/rollouts/{rollout}")
    page.evaluate("window.stayed = true")
    says(page, "v2 at 50%")
    silence = page.locator("[data-silence]")
    tidegate.down()
    expect(silence).to_contain_text("Tidegate is silent since", timeout=PATIENCE)
    tidegate.up()
    expect(silence).to_be_hidden(timeout=PATIENCE)
    until(lambda: tidegate.seen(rollout) is not None, 30, "it is seen again")
    press(page, "Abort", "enough")  # the key outlives the controller
    says(page, "v2 was rolled back")
    assert is_the_same_page(page)
