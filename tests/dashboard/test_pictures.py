"""The pictures in the documentation, taken of the pages as they are: `make pictures` writes them where they are kept."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Watched
from tests.dashboard.gallery import BAD, GOING, STAGING, open_gallery
from tests.dashboard.shop import PROD
from tests.support.ports import free_port
from tests.support.served import TOKEN, House
from tests.support.small_png import small_png
from tidegate.api.session_key import write_key

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "pictures"
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOGETHER = 1_500_000
SEEN = 40
PATIENCE = 45_000
KEY = {"key": write_key(TOKEN, "ann"), "user": "ann", "until": "2999-01-01T00:00:00Z"}
TYPED = 'description: The checkout on one page\nowner: checkout-team\nwhen: in segment staff or country == "DE" or 70%\n'
SIGNED_IN = f"localStorage.setItem('tidegate.session', {json.dumps(json.dumps(KEY))})"


PIXELS = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const drawn = new OffscreenCanvas(image.width, image.height).getContext("2d");
  drawn.drawImage(image, 0, 0);
  const bytes = drawn.getImageData(0, 0, image.width, image.height).data;
  const parts = [];
  for (let at = 0; at < bytes.length; at += 30000) parts.push(String.fromCharCode(...bytes.subarray(at, at + 30000)));
  return [image.width, image.height, btoa(parts.join(""))];
}"""


@dataclass(frozen=True, slots=True)
class Shot:
    path: str
    size: tuple[int, int] = (1200, 900)
    scheme: str = "light"
    says: str = ""
    """What a reader sees first."""
    typed: str = ""
    """Into the editor, before."""


SHOTS = {
    "home": Shot("/", (1200, 1120), says="All is well"),
    "going-well": Shot(f"/rollouts/{GOING}", (1200, 1180), says="Going well: v3 at 50%"),
    "rolled-back": Shot(f"/rollouts/{BAD}", (1200, 1180), says="v2 was rolled back"),
    "service": Shot("/services/web", (1200, 1100), says="Going well"),
    "flags": Shot(f"/flags/{PROD}", (1200, 1100), says="Going well"),
    "flag-editor": Shot(f"/flags/{STAGING}/change?do=flag&name=new-checkout", says="70% instead of", typed=TYPED),
    "forecast": Shot("/forecast?of=web&traffic=240/s&errors=0.1%25", says="A good version takes"),
    "release": Shot("/releases/checkout-1", (1200, 700), says="Going well"),
    "audit": Shot("/audit?subject=web", says="the new checkout"),
    "agents": Shot("/agents", (1200, 500), says="3 agents"),
    "going-well-dark": Shot(f"/rollouts/{GOING}", (1200, 900), "dark", says="Going well"),
    "rolled-back-phone": Shot(f"/rollouts/{BAD}", (390, 844), says="v2 was rolled back"),
}


def named() -> set[str]:
    """By the documents."""
    return {name for page in PAGES for name in re.findall(r"pictures/([\w.-]+)", page.read_text())}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    house = open_gallery(tmp_path_factory.mktemp("gallery"))
    serving = house.serve(free_port())
    yield house, f"http://127.0.0.1:{serving.port}"
    serving.stop()
    house.store.close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    directory = Path(os.environ.get("PICTURES") or tmp_path)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str, Shot], Watched]]:
    contexts = []

    def open_page(own: str, shot: Shot) -> Watched:
        viewport = {"width": shot.size[0], "height": shot.size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=shot.scheme, reduced_motion="reduce", base_url=own)
        contexts.append(context)
        context.add_init_script(SIGNED_IN)
        return Watched(context.new_page(), own)

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.real
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SHOTS)
def test_a_picture_of_it_is_taken(
    gallery: tuple[House, str], open_page: Callable[[str, Shot], Watched], into: Path, name: str
) -> None:
    _house, own = gallery
    shot = SHOTS[name]
    watched = open_page(own, shot)
    page = watched.page
    page.goto(shot.path)
    _is_whole(page)
    if shot.typed:
        page.get_by_label("The flag", exact=True).fill(shot.typed)
        page.get_by_label("Reason, for the history").first.fill("everybody in Germany")
    expect(page.locator("main")).to_contain_text(shot.says, timeout=PATIENCE)
    _is_whole(page)
    assert watched.strange == []
    _take(page, into / f"{name}.png")


@pytest.mark.real
def test_a_picture_of_a_report_is_taken(
    gallery: tuple[House, str], open_page: Callable[[str, Shot], Watched], into: Path, tmp_path: Path
) -> None:
    _house, own = gallery
    report = tmp_path / f"{BAD}.html"
    with urllib.request.urlopen(f"{own}/v1/rollouts/{BAD}/report", timeout=60) as answer:
        report.write_bytes(answer.read())
    watched = open_page(report.as_uri(), Shot("", (1200, 1000)))
    watched.page.goto(report.as_uri())
    _charts_are_drawn(watched.page)
    assert watched.strange == []
    _take(watched.page, into / "report.png")


@pytest.mark.real
def test_a_chart_says_what_was_seen_last_of_a_candidate_that_is_gone(
    gallery: tuple[House, str], open_page: Callable[[str, Shot], Watched]
) -> None:
    page = open_page(gallery[1], SHOTS["rolled-back"]).page
    page.goto(SHOTS["rolled-back"].path)
    for chart, said in (("errors", "candidate 5.6%"), ("evidence", "100% of the way"), ("exposure", "wanted 0%")):
        expect(page.locator(f"[data-chart={chart}] .readout")).to_contain_text(said, timeout=PATIENCE)


def _take(page: Page, path: Path) -> None:
    taken = page.screenshot(animations="disabled", caret="hide")
    assert len(taken) > 10_000
    if not os.environ.get("PICTURES"):
        path.write_bytes(taken)
        return
    page.goto("about:blank")
    width, height, pixels = _pixels(page, taken)
    small = small_png(width, height, pixels)
    if not path.exists() or _differ(_pixels(page, path.read_bytes())[2], _pixels(page, small)[2]):
        path.write_bytes(small)


def _pixels(page: Page, png: bytes) -> tuple[int, int, bytes]:
    """As the browser reads it, which knows how."""
    width, height, pixels = page.evaluate(PIXELS, base64.b64encode(png).decode())
    return width, height, base64.b64decode(pixels)


def _differ(old: bytes, new: bytes) -> bool:
    """So that an eye may see it: a browser does not draw each rounded corner twice alike."""
    if len(old) != len(new):
        return True
    between = np.abs(np.frombuffer(old, np.uint8).astype(np.int16) - np.frombuffer(new, np.uint8))
    return bool(between.max() > SEEN)


def _is_whole(page: Page) -> None:
    """Sheets and charts have come, and it is live."""
    expect(page.locator("[data-sheet]:empty, #ahead:empty, [aria-busy]")).to_have_count(0, timeout=PATIENCE)
    _charts_are_drawn(page)
    expect(page.locator("[data-silence]")).to_be_hidden(timeout=PATIENCE)


def _charts_are_drawn(page: Page) -> None:
    for chart in page.locator("figure.chart").all():
        expect(chart.locator("svg path").first).to_be_attached(timeout=PATIENCE)


def test_the_pictures_that_are_kept_are_those_that_documents_name() -> None:
    kept = {one.name for one in KEPT.iterdir()}
    assert kept == {f"{name}.png" for name in (*SHOTS, "report")}
    assert kept == named()


def test_pictures_are_small() -> None:
    assert sum(one.stat().st_size for one in KEPT.iterdir()) < TOGETHER
