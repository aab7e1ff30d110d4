"""A house in memory with its app behind both doors, asked in-process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.support.served import TOKEN, House, build_house
from tidegate.api.app import create_app
from tidegate.api.door import loopback_door, socket_door


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = build_house(tmp_path)
    yield house
    house.store.close()


@pytest.fixture
def app(house: House) -> Any:
    return create_app(house.services)


@pytest.fixture
def own(app: ASGIApp) -> TestClient:
    """Through the unix socket."""
    return TestClient(socket_door(app), base_url="http://tidegate", raise_server_exceptions=False)


@pytest.fixture
def tcp(app: ASGIApp) -> TestClient:
    """Through TCP, without a token."""
    return TestClient(loopback_door(app, TOKEN), base_url="http://127.0.0.1:7400", raise_server_exceptions=False)
