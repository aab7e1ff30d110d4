"""One moto, one ministack and one localemu for the tests of a worker; each test has its own names in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.appconfig_place import quick_ministack
from tests.support.emulators import KEYS, ministack, moto
from tests.support.localemu import localemu


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def localemu_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with localemu(tmp_path_factory.mktemp("localemu")) as url:
        yield url


@pytest.fixture
def balancer_url(request: pytest.FixtureRequest) -> str:
    """Of whoever has the load balancer: moto, or as a test says (`support/both.py`)."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'moto')}_url"))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def cloudwatch_at(moto_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto_url)
    return moto_url


@pytest.fixture(scope="session")
def quick_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ministack whose minutes are short."""
    with quick_ministack(tmp_path_factory.mktemp("quick")) as url:
        yield url


@pytest.fixture
def appconfig_at(quick_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> str:
    for service in ("APPCONFIG", "APPCONFIGDATA", "CLOUDWATCH"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", quick_url)
    return quick_url
