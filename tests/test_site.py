"""The documentation as a site: every page has its place, and no link leads nowhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def _pages(nav: Any) -> set[str]:
    match nav:
        case str():
            return {nav}
        case list():
            return {page for one in nav for page in _pages(one)}
        case _:
            return {page for one in nav.values() for page in _pages(one)}


def test_every_page_has_its_place_in_the_site_and_on_its_first_page() -> None:
    nav = _pages(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    there = {page.name for page in DOCS.glob("*.md")}
    assert nav == there
    first = (DOCS / "index.md").read_text()
    assert not [page for page in there - {"index.md"} if f"({page})" not in first]


def _built(directory: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "zensical.toml", directory)
    shutil.copytree(DOCS, directory / "docs", dirs_exist_ok=True)
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.real
def test_the_site_is_built_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    done = _built(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "build" / "site" / "prometheus.html").read_text()
    assert "PromQL guards a rollout" in text
    assert "fonts.googleapis" not in text
    assert 'src="http' not in text
