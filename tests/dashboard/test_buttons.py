"""Whatever a button does is a call of the API and a command as well, and stands in the audit log with the person's name.

The templates are read for their buttons and forms, so that a new one has to find its place in the table below.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from starlette.testclient import TestClient

from tests.dashboard.shop import PROD, flags, open_environment
from tests.support.served import TOKEN, House, build_house
from tidegate.api.app import create_app
from tidegate.api.dashboard import words
from tidegate.api.dashboard.wish import KINDS
from tidegate.api.door import loopback_door
from tidegate.api.session_key import write_key
from tidegate.cli.main import app as command_line
from tidegate.core.flags.edit import turn_off
from tidegate.core.rollout import Phase
from tidegate.engine.flag_orders import Manner

TEMPLATES = Path(words.__file__).with_name("templates")
KEY = {"authorization": f"Bearer {write_key(TOKEN, 'ann')}"}
ENVIRONMENT = "/v1/applications/shop/environments/prod"
LOOKING = {
    "Compare", "Find", "Look", "Look ahead", "Before", "Next",  # they ask for another page, or a part of one
    "Sign out", "Leave it", "",  # the browser's own; the last one confirms what another button began
}  # fmt: skip


def _flying(house: House) -> None:
    house.begun()


def _paused(house: House) -> None:
    house.begun().orders.pause("web", "bob")


def _completed(house: House) -> None:
    house.begun().until(lambda: house.rollout().phase is Phase.COMPLETED)


def _flags(house: House) -> None:
    open_environment(house)


def _off(house: House) -> None:
    """dark-mode, by document 2."""
    open_environment(house)
    house.flag_orders.deploy("shop", "prod", turn_off(flags(), "dark-mode"), Manner("bob", reason="dark", now=True))
    house.until(lambda: not house.rollout(PROD).in_flight)


@dataclass(frozen=True, slots=True)
class Act:
    """`kind` is what the audit log calls it."""

    command: str
    method: str
    path: str
    begin: Callable[[House], None]
    kind: str
    body: dict[str, Any]


def _of_service(verb: str, begin: Callable[[House], None], kind: str, **body: Any) -> Act:
    command = f"tidegate {verb} web{' --full' if body.get('full') else ''} --reason why"
    return Act(command, "POST", f"/v1/services/web/{verb}", begin, kind, {"reason": "why", **body})


BUTTONS: dict[tuple[str, bool], Act] = {
    ("pause", False): _of_service("pause", _flying, "paused"),
    ("resume", False): _of_service("resume", _paused, "resumed"),
    ("promote", False): _of_service("promote", _flying, "promoted"),
    ("promote", True): _of_service("promote", _flying, "promoted", full=True),
    ("abort", False): _of_service("abort", _flying, "aborted"),
    ("rollback", False): _of_service("rollback", _completed, "started"),
    ("restart", False): Act("tidegate restart web", "POST", "/v1/services/web/restart", _completed, "restarted", {}),
    ("off", False): Act(
        "tidegate flags off dark-mode --now -e shop/prod --reason why",
        "POST",
        f"{ENVIRONMENT}/flags/dark-mode/off",
        _flags,
        "started",
        {"reason": "why", "now": True},
    ),
}
NAMES = {"segment": "staff", "new-segment": "fresh", "remove-segment": "big-spenders", "new-flag": "fresh"}
TEXTS: dict[str, Any] = {
    "document": {"application": "shop", "flags": {"a": "on"}},
    "flag": {"value": False},
    "new-flag": {"value": True},
    "segment": ["zoe"],
    "new-segment": ["zoe"],
}


def _change(do: str) -> Act:
    kind, name = KINDS[do], NAMES.get(do, "dark-mode")
    said = kind.command.format(name=name, number=1)
    body: dict[str, Any] = {"reason": "why", "now": True}
    if kind.types:
        body["content"] = TEXTS[do]
    if do == "release":
        body["number"] = 1
    command = f"tidegate {said} -e {PROD} --now --reason why"
    return Act(
        command,
        kind.method,
        f"{ENVIRONMENT}{kind.path.format(name=name)}",
        _off if do in ("on", "release") else _flags,
        "started",
        body,
    )


ACTS = {f"{verb}{' in full' if full else ''}": act for (verb, full), act in BUTTONS.items()} | {do: _change(do) for do in KINDS}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = build_house(tmp_path)
    yield house
    house.store.close()


def templates() -> dict[str, str]:
    return {path.relative_to(TEMPLATES).as_posix(): path.read_text() for path in TEMPLATES.rglob("*.html")}


def test_every_button_of_every_template_has_its_place_in_the_table() -> None:
    verbs, others = set(), set()
    for text in templates().values():
        for attributes, label in re.findall(r"<button([^>]*(?:\{[^}]*\}[^>]*)*)>(.*?)</button>", text):
            verb = re.search(r'data-verb="(.*?)"', attributes)
            if verb is None:
                others.add(label)
            elif "{{" not in verb[1]:
                verbs.add((verb[1], False))
    known = {(one.verb, one.full) for one in vars(words).values() if isinstance(one, words.Button)}
    assert verbs | known == set(BUTTONS)
    assert others == LOOKING | {"{{ kind.button }}"}


def test_every_form_only_looks_or_is_that_of_a_change() -> None:
    found = [attributes for text in templates().values() for attributes in re.findall(r"<form(.*?)>", text)]
    acting = [one for one in found if not re.search(r'method="(get|dialog)"|data-feeds|data-checks', one)]
    assert len(found) == 8
    assert [("data-change" in one, "data-method" in one) for one in acting] == [(True, True)]


@pytest.mark.parametrize("name", ACTS)
def test_what_it_does_is_a_command(name: str) -> None:
    _is_a_command(ACTS[name].command)


def test_every_command_that_a_page_names_exists() -> None:
    """In templates, and on buttons."""
    named = [said for text in templates().values() for said in re.findall(r"<code>(tidegate [^<]+)</code>", text)]
    for said in named:
        _is_a_command(re.sub(r"\{\{.*?\}\}", "x", said))
    assert len(named) > 10


def _is_a_command(said: str) -> None:
    command: Any = typer.main.get_command(command_line)
    _, *rest = shlex.split(said)
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    assert not hasattr(command, "commands") or not rest, said
    options = {option for parameter in command.params for option in parameter.opts}
    for word in rest:
        assert not word.startswith("-") or word in options, f"{said}: {word}"


@pytest.mark.parametrize("name", ACTS)
def test_what_it_does_is_a_call_of_the_api_and_written_down_with_the_name(house: House, name: str) -> None:
    act = ACTS[name]
    act.begin(house)
    tcp = TestClient(loopback_door(create_app(house.services), TOKEN), base_url="http://127.0.0.1:7400")
    assert tcp.request(act.method, act.path, json=act.body).status_code == 401
    answer = tcp.request(act.method, act.path, json=act.body, headers=KEY)
    assert answer.status_code == 200, answer.text
    found = tcp.get("/audit?by=ann+(dashboard)&people=true").text
    assert "ann (dashboard)" in found
    last = house.glance.events(by="ann (dashboard)", last=True, limit=5)
    assert act.kind in [event.told.kind for event in last], [(event.told.kind, event.told.why) for event in last]
    assert not act.body.get("reason") or any("why" in event.told.why for event in last)
