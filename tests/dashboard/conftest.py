"""Debian's Chromium at the dashboard's pages (without it these tests are skipped; on CI they fail), and a shop behind them in
which everything was done once, for tests that only look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.testclient import TestClient

from tests.dashboard.shop import open_shop
from tests.support.served import TOKEN, House
from tidegate.api.app import create_app
from tidegate.api.door import loopback_door

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = open_shop(tmp_path_factory.mktemp("shop"))
    yield house
    house.store.close()


@pytest.fixture(scope="module")
def tcp(house: House) -> TestClient:
    app = loopback_door(create_app(house.services), TOKEN)
    return TestClient(app, base_url="http://127.0.0.1:7400", raise_server_exceptions=False)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed: python scripts/setup_test.py")
        pytest.skip("chromium is not installed")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


class Watched:
    """A page, and everything that it should not have done."""

    def __init__(self, page: Page, own: str) -> None:
        self.page = page
        self.strange: list[str] = []
        self.expected = ""
        page.set_default_timeout(20_000)
        page.on("console", lambda said: self.strange.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.strange.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(own) else self.strange.append(f"asked {asked.url}"))

    def violations(self, *rules: str) -> list[str]:
        """What axe finds, by these rules or by all of them."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run()" if not rules else f"axe.run({{runOnly: {list(rules)}}})")["violations"]
        return [f"{one['id']}: {one['help']} {[node['html'][:200] for node in one['nodes']]}" for one in found]

    def is_wider_than_the_screen(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
