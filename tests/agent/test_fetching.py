"""The agent where somebody else deploys the flags: it reads whole documents, in any order, and reports to nobody."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.control_plane import NEW, OLD, document, until
from tidegate.agent import Agent
from tidegate.core.errors import Invalid, TidegateError, Unreachable
from tidegate.core.flags.codec import encode
from tidegate.core.flags.fetched import Fetched


class Deployed:
    """A source of which the test says what is deployed there."""

    origin = "appconfig:shop/prod/flags"

    def __init__(self, content: dict[str, Any], number: int = 1) -> None:
        self.asked = 0
        self.error: TidegateError | None = None
        self.holding = threading.Event()
        self.holding.set()
        self.put(encode(document(content, number)).encode())

    def put(self, content: bytes) -> None:
        self._new, self._content = True, content

    def deploy(self, content: dict[str, Any], number: int) -> None:
        self.put(encode(document(content, number)).encode())

    def fetch(self) -> Fetched:
        self.asked += 1
        self.holding.wait(30)
        if self.error is not None:
            raise self.error
        content, self._new = self._content if self._new else b"", False
        return Fetched(content, 0.02)


def reading(source: Deployed, **settings: Any) -> Agent:
    return Agent("shop", "prod", source=source, **settings)


def test_it_answers_from_what_is_deployed_and_from_an_older_document_after_a_rollback() -> None:
    source = Deployed(OLD, 3)
    with reading(source) as agent:
        assert agent.wait(10)
        assert agent.evaluate("checkout", {"targetingKey": "ann"}).value is False
        assert agent.evaluate("theme", {"plan": "pro", "age": "20"}).variant == "dark"
        source.deploy(NEW, 4)
        until(lambda: agent.evaluate("checkout").value is True)
        source.deploy(OLD, 3)
        until(lambda: agent.evaluate("checkout").value is False)
        assert (agent.standing.serial, agent.standing.origin) == (3, source.origin)


def test_what_has_not_changed_is_confirmed_and_nothing_more() -> None:
    source = Deployed(OLD)
    with reading(source) as agent:
        assert agent.wait(10)
        source.put(encode(document(OLD, 1)).encode())  # a new session is given it once more
        asked = source.asked
        until(lambda: source.asked > asked + 3)
        assert (agent.standing.serial, agent.standing.connected, agent.standing.problem) == (1, True, "")


def test_out_of_reach_it_goes_on_and_says_so() -> None:
    source = Deployed(OLD)
    with reading(source) as agent:
        assert agent.wait(10)
        source.error = Unreachable("appconfigdata:GetLatestConfiguration was not answered.")
        until(lambda: agent.standing.problem == source.error.what)
        assert (agent.evaluate("checkout").value, agent.standing.connected) == (False, False)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"checkout":{"enabled":true}}', "holds is no flag document of Tidegate"),
        (b"\xff\xfe", "holds is no flag document of Tidegate"),
        (encode(document({"application": "bank", "flags": {}}, 1)).encode(), "holds flags of bank, and this agent serves shop"),
    ],
)
def test_what_is_none_of_ours_is_told_and_changes_nothing(content: bytes, why: str) -> None:
    source = Deployed(OLD)
    with reading(source) as agent:
        assert agent.wait(10)
        source.put(content)
        until(lambda: why in agent.standing.problem)
        assert agent.evaluate("checkout").value is False


def test_a_restart_needs_nobody(tmp_path: Path) -> None:
    source = Deployed(NEW, 2)
    with reading(source, cache=tmp_path) as agent:
        assert agent.wait(10)
        until(lambda: any(tmp_path.glob("*.snapshot")))
    source.error = Unreachable("Nobody is there.")
    with reading(source, cache=tmp_path) as agent:
        assert agent.evaluate("checkout").value is True
        source.error = None
        source.deploy(OLD, 1)
        until(lambda: agent.evaluate("checkout").value is False, 30)


def test_it_stops_while_an_answer_does_not_come() -> None:
    source = Deployed(OLD)
    source.holding.clear()
    agent = reading(source).start()
    until(lambda: source.asked == 1)
    agent.stop()
    assert not agent.running
    source.holding.set()


def test_it_follows_a_control_plane_or_a_source_and_one_of_them() -> None:
    with pytest.raises(Invalid, match="is no control plane"):
        Agent("shop", "prod")
    with pytest.raises(Invalid, match="a control plane or a source"):
        Agent("shop", "prod", control="/run/api.sock", source=Deployed(OLD))
