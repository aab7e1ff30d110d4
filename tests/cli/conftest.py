"""The real command line against the real API on a unix socket, in-process."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.support.served import WEB, House, build_house
from tidegate.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name, value in {"TIDEGATE_HOME": str(home), "TIDEGATE_PORT": "0", "COLUMNS": "100", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    for name in ("TIDEGATE_DATABASE", "SUDO_USER", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web.yaml").write_text(WEB)
    return home


@pytest.fixture
def house(home: Path) -> Iterator[House]:
    house = build_house(home)
    yield house
    house.store.close()


@pytest.fixture
def served(house: House) -> Iterator[House]:
    serving = house.serve()
    yield house
    serving.stop()


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> Ran:
        capsys.readouterr()
        code = 0
        try:
            main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return ran


@contextmanager
def going(house: House, seconds: float = 0.01) -> Iterator[None]:
    """The loop runs while a command follows, a pretended second in each of these."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(seconds):
            house.tick()

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def command() -> list[str]:
    return [sys.executable, "-m", "tidegate"]
