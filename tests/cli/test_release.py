"""The release file as it is read, and what is wrong with it, each with its mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.served import House
from tidegate.api.release_body import FlagsPartBody, ReleaseBody, ServicePartBody
from tidegate.cli.example import FLAGS as EXAMPLE_FLAGS
from tidegate.cli.example import RELEASE, SERVICE
from tidegate.cli.release_file import read_release_file
from tidegate.core.errors import TidegateError

WEB = "service: web\nlistener: {port: 8080}\ntasks: {command: [web, '{port}'], directory: app}\n"
FLAGS = "application: shop\nflags: {checkout: on}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "web.yaml").write_text(WEB)
    (tmp_path / "flags.yaml").write_text(FLAGS)
    return tmp_path


def test_files_are_looked_for_beside_the_release_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (place / "r.yaml").write_text(
        "release: checkout\nservices: [{file: web.yaml, version: v2}]\nflags: [{file: flags.yaml, environment: prod}]\n"
    )
    body = read_release_file(place / "r.yaml")
    assert body["services"][0]["file"]["service"] == "web"
    assert body["services"][0]["file"]["tasks"]["directory"] == str(place / "app")
    assert body["services"][0]["version"] == "v2"
    assert body["flags"] == [{"environment": "prod", "content": {"application": "shop", "flags": {"checkout": "on"}}}]


def test_a_version_without_a_name_gets_one_made_of_its_content(place: Path) -> None:
    (place / "r.yaml").write_text("release: checkout\nservices: [{file: web.yaml}]\n")
    assert read_release_file(place / "r.yaml")["services"][0]["version"].startswith("v-")


def test_parts_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    parts = {
        "release": "checkout",
        "services": [{"file": {"service": "web"}, "version": "v2"}],
        "flags": [{"content": {"application": "shop"}, "environment": "prod"}],
    }
    (tmp_path / "r.json").write_text(json.dumps(parts))
    assert read_release_file(tmp_path / "r.json") == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no mapping of keys"),
        ("[1]", "no mapping of keys"),
        ("services: web", "services is no list of parts"),
        ("services: [web]", "services is no list of parts"),
        ("services: [{version: v2}]", "The service file is missing"),
        ("services: [{file: 7, version: v2}]", "The service file is missing"),
        ("services: [{file: nothing.yaml}]", "There is no file"),
        ("flags: [{environment: prod}]", "The flag document is missing"),
        ("flags: [{file: flags.yaml}]", "The environment is missing"),
        ("flags: [{file: flags.yaml, environment: pro d}]", "that is no name"),
        ("flags: [{file: ., environment: prod}]", "cannot be read"),
        ("a: b: c", "r.yaml"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(place: Path, text: str, said: str) -> None:
    (place / "r.yaml").write_text(text)
    with pytest.raises(TidegateError) as caught:
        read_release_file(place / "r.yaml")
    assert said in str(caught.value)
    assert caught.value.mend


def test_a_missing_release_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TidegateError, match="There is no file") as caught:
        read_release_file(tmp_path / "none.yaml")
    assert caught.value.mend == "Name a release file, or - for standard input."


@pytest.fixture
def shop(served: House, run: Run, tmp_path: Path) -> House:
    """What the examples are about, in force: the service in one version, and flags."""
    for name, text in {"service": SERVICE, "flags": EXAMPLE_FLAGS, "release": RELEASE}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert run("deploy", "-f", "service.yaml", "--version", "v1", "--detach").code == 0
    (tmp_path / "old.yaml").write_text("application: shop\nflags: {new-search: off}\n")
    assert run("flags", "deploy", "-f", "old.yaml", "-e", "shop/prod", "--detach").code == 0
    for _ in range(60):
        served.tick()
    return served


def test_the_release_to_begin_with_says_what_each_part_does_and_begins_all(shop: House, run: Run) -> None:
    done = run("release", "-f", "release.yaml", "--detach", "--yes")
    assert (done.code, done.err) == (0, "")
    assert "web  v1" in done.out
    assert "linear 10% every 1m" in done.out
    assert "shop/prod  document 1" in done.out
    assert "flag new-checkout (added)" in done.out
    assert "Stop all of it: tidegate abort web." in done.out
    assert [held.rollout.release for held in shop.store.history(limit=2)] == ["checkout-1"] * 2


def test_release_files_have_a_schema(served: House, run: Run) -> None:
    schema = run("schema", "release").json
    assert schema["title"] == "Tidegate release file"
    parts = schema["$defs"]
    assert list(schema["properties"]) == list(ReleaseBody.model_fields), "a file and a request are made of the same"
    assert set(parts["VersionPart"]["properties"]) == set(ServicePartBody.model_fields)
    assert set(parts["FlagsPart"]["properties"]) == {*FlagsPartBody.model_fields, "file"}
    assert run("example", "release", "--json").json["release"] == "checkout"
