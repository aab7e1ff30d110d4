"""Shorthands of the API's tests."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.support.served import WEB, service_file
from tidegate.core.service import Service


def sent(text: str = WEB) -> dict[str, Any]:
    """A service file as the CLI sends it."""
    return written(service_file(text))


def written(file: Service) -> dict[str, Any]:
    return file.model_dump(mode="json", exclude_none=True)


def deploy(client: TestClient, version: str, text: str = WEB, **more: Any) -> Any:
    return client.post("/v1/services/web/deploy", json={"file": sent(text), "version": version, **more})
