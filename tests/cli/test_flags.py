"""Commands about feature flags, against the real API on its socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, going
from tests.support.served import House
from tidegate.core.duration import parse_duration
from tidegate.core.rollout import Phase
from tidegate.engine.sessions import Poll

FLAGS = """\
application: shop
segments:
  staff: [anna, bert]
flags:
  checkout: off
  theme:
    owner: design
    expires: 2025-01-01
    variants:
      dark: {value: "#000", when: plan == "pro"}
      light: "#fff"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flags.yaml"
    path.write_text(FLAGS)
    return path


@pytest.fixture
def shop(served: House, run: Run, file: Path) -> House:
    """The flags are in force in shop/prod."""
    with going(served):
        assert run("flags", "deploy", "-f", str(file), "-e", "prod", "--plain").code == 0
    served.until(lambda: served.store.history("shop/prod", 1)[0].rollout.settled)
    return served


def test_a_deploy_says_what_changes_and_follows_to_the_end(served: House, run: Run, file: Path) -> None:
    with going(served):
        ran = run("flags", "deploy", "-f", str(file), "-e", "shop/prod", "--plain")
    assert ran.code == 0
    assert "flag checkout (added)" in ran.out
    assert "shop-prod-1: nothing -> 1" in ran.out
    assert run("flags", "deploy", "-f", str(file), "--plain").out.strip().endswith("there is nothing to do.")


def test_flags_are_listed_shown_and_told_of(shop: House, run: Run) -> None:
    out = run("flags", "list").out
    assert "shop/prod, document 1" in out
    assert "dark, light" in out
    assert run("flags", "show", "theme", "--json").json["theme"]["owner"] == "design"
    assert "checkout: 'off'" in run("flags", "show").out or "checkout: off" in run("flags", "show").out
    assert "no flag 'chekout'" in run("flags", "show", "chekout").err
    assert "theme: It expired on 2025-01-01" in run("flags", "stale").out
    assert run("flags", "history", "--json").json[0]["number"] == 1
    assert "2 ids" in run("segments", "list").out
    assert run("segments", "show", "staff", "--json").json == ["anna", "bert"]
    assert "shop/prod" in run("status").out
    assert "shop-prod-1" in run("status", "shop/prod").out
    assert "shop-prod-1" in run("history", "shop/prod").out


def test_sessions_of_clients_without_an_agent_are_told_of(shop: House, run: Run) -> None:
    assert "without an agent" not in run("flags", "list").out + run("status", "shop/prod").out
    sessions = shop.agents.sessions
    for name, interval in (("one", "1m"), ("two", "30m")):
        sessions.take(Poll(name, "shop/prod", 0, sessions.take_number(), sessions.life, parse_duration(interval)))
        expected = (
            "1 session polls without an agent, and may be 1m late." if name == "one" else "2 sessions poll without an agent"
        )
        assert expected in run("flags", "list").out
        assert expected in run("status", "shop/prod").out
    assert run("status", "shop/prod", "--json").json["sessions"] == {"count": 2, "lag": "30m"}
    assert "may be 30m late" in run("flags", "list").out


def test_a_flag_whose_value_is_a_mapping_is_listed_with_it(shop: House, run: Run) -> None:
    with going(shop):
        assert run("flags", "set", "features", '{"value": {"b": {"default": true}, "a": 1}}', "--now", "--plain").code == 0
    assert '{"b": {"default": true}, "a": 1}' in run("flags", "list").out


def test_a_flag_is_turned_on_by_the_plan_and_off_at_once(shop: House, run: Run) -> None:
    with going(shop):
        assert run("flags", "on", "checkout", "--plain", "--plan", "linear 50% every 2s bake 2s").code == 0
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    done = run("flags", "off", "checkout", "--now", "--detach", "--json").json
    shop.tick()
    posted = shop.board.get("shop/prod")
    assert posted is not None
    assert (done["rollout"]["plan"], posted.snapshot.exposure) == ("at once", 10000)
    assert posted.snapshot.staged().evaluate("checkout", {"targetingKey": "anna"}).value is False


def test_a_value_and_a_segment_are_set(shop: House, run: Run) -> None:
    run("flags", "set", "page-size", "20", "--now", "--detach")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    assert run("flags", "show", "page-size", "--json").json == {"page-size": 20}
    run("segments", "set", "staff", "[anna]", "--now", "--detach")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    assert run("segments", "show", "staff", "--json").json == ["anna"]
    assert "flag page-size (added)" in run("flags", "diff", "1", "2").out


def test_what_somebody_gets_is_told_with_its_reason(shop: House, run: Run) -> None:
    out = run("flags", "eval", "theme", "--key", "anna", "--context", "plan=free").out
    assert 'theme is "#fff", variant light' in out
    assert 'plan is "free"' in out
    assert run("flags", "eval", "--key", "anna", "-c", "plan=pro", "--json").json["results"][1]["value"] == "#000"


def test_a_document_is_checked_converted_and_exported(shop: House, run: Run, file: Path, tmp_path: Path) -> None:
    assert "2 flags and 1 segments of shop" in run("flags", "validate", "-f", str(file)).out
    other = tmp_path / "flagd.json"
    other.write_text('{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}')
    imported = run("flags", "import", "-f", str(other), "--format", "flagd", "-a", "shop", "--json")
    assert imported.json["application"] == "shop"
    assert run("flags", "export", "--format", "tidegate", "--json").json["flags"]["checkout"] == "off"
    file.write_text("application: shop\nflags: {a: {when: in segment nobody}}\n")
    ran = run("flags", "validate", "-f", str(file))
    assert ran.code == 2
    assert "nobody" in ran.err


def test_interventions_take_an_environment(shop: House, run: Run, tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text("application: shop\nenvironment: prod\nplan: linear 10% every 1h\ncompare: off\n")
    assert run("flags", "configure", "-f", str(tmp_path / "prod.yaml")).out == "shop/prod: changed plan, compare.\n"
    run("flags", "on", "checkout", "--detach")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.phase is Phase.WATCHING)
    assert "paused" in run("pause", "shop/prod").out
    assert run("resume", "shop/prod").code == 0
    assert run("abort", "shop/prod", "--reason", "no").code == 0
    with going(shop):
        assert run("watch", "shop/prod", "--plain").code == 3
    assert "aborted by" in run("explain", "shop-prod-2").out


def test_it_must_be_clear_which_environment_is_meant(served: House, run: Run, file: Path) -> None:
    assert "no environment yet" in run("flags", "list").err
    for name in ("prod", "stage"):
        run("flags", "deploy", "-f", str(file), "-e", name, "--detach")
    ran = run("flags", "list")
    assert ran.code == 2
    assert "-e shop/prod or -e shop/stage" in ran.err
