"""At a real terminal: pictures are painted, Ctrl-C is heard, questions are asked."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run, going
from tests.support.served import WEB, House
from tests.support.terminal import terminal


def test_a_picture_is_painted_and_ctrl_c_leaves_the_rollout_running(served: House) -> None:
    served.begun("v2")
    with terminal("watch", "web") as at:
        at.until("wanted 25%   applied 25%")
        at.type("\x03")
        at.until("Come back: tidegate watch web.")
        assert at.process.wait(20) == 130
    assert "\x1b[?25l" in at.seen, "the cursor was hidden"
    assert "\x1b[?25h" in at.seen.rpartition("\x1b[?25l")[2], "and is back"
    assert "Traceback" not in at.seen
    assert served.rollout().in_flight


def test_a_rollout_is_followed_to_its_end(served: House) -> None:
    served.begun("v2")
    with going(served), terminal("watch", "web", columns=100) as at:
        at.until("web v2 serves everybody.")
        assert at.process.wait(20) == 0


def test_plain_paints_nothing(served: House) -> None:
    served.begun("v2")
    with going(served), terminal("watch", "web", "--plain") as at:
        at.until("web v2 serves everybody.")
    assert "\x1b[?25l" not in at.seen


UNPROTECTED = WEB[: WEB.index("plan:")] + "plan: all_at_once\n"


def test_a_deploy_that_nothing_protects_is_asked_for(served: House, tmp_path: Path) -> None:
    served.run("v1")
    (tmp_path / "web.yaml").write_text(UNPROTECTED)
    with terminal("deploy", "-f", "web.yaml", "--version", "v2") as at:
        at.until("Begin all the same? [y/N]")
        at.type("n\r")
        at.until("Nothing was changed.")
        assert at.process.wait(20) == 2
    assert served.rollout().candidate == "v1"
    with terminal("deploy", "-f", "web.yaml", "--version", "v2", "--yes", "--detach") as at:
        at.until("Follow it")
    assert served.rollout().candidate == "v2"


def test_a_release_that_nothing_protects_is_asked_for_and_refused_when_the_flags_change_meanwhile(
    served: House, run: Run, tmp_path: Path
) -> None:
    flags = "application: shop\nflags: {checkout: %s}\n"
    for name, text in {
        "old": flags % "off",
        "flags": flags % "on",
        "new": flags % "3",
        "web": UNPROTECTED,
        "release": "release: checkout\nplan: all_at_once\nservices: [{file: web.yaml, version: v2}]\n"
        "flags: [{file: flags.yaml, environment: prod}]\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    served.run("v1")
    assert run("flags", "deploy", "-f", "old.yaml", "-e", "shop/prod", "--detach").code == 0
    served.tick(20)
    with terminal("release", "-f", "release.yaml", columns=100) as at:
        at.until("document 1")
        at.until("Everybody gets v2 of web at once, and no guard looks.")
        at.until("Begin all the same? [y/N]")
        assert run("flags", "deploy", "-f", "new.yaml", "-e", "shop/prod", "--now", "--detach").code == 0
        served.tick(20)
        at.type("y\r")
        at.until("has flag document 2 by now; this was made from 1")
        assert at.process.wait(20) == 2
    assert served.store.releases() == []


def test_a_removal_is_asked_for(served: House) -> None:
    served.run("v1")
    with terminal("remove", "web") as at:
        at.until("Remove it? [y/N]")
        at.type("y\r")
        at.until("web is removed")
    assert served.store.services() == []
