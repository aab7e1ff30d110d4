"""Commands about feature flags, against the real API on its socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, going
from tests.support.served import House
from tidegate.core.duration import parse_duration
from tidegate.core.flags.agent_report import read_report
from tidegate.core.rollout import Phase
from tidegate.core.verdict import GuardSeen
from tidegate.engine.sessions import Poll
from tidegate.engine.view import Figures

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


def test_before_a_change_it_is_said_what_it_does_and_what_looks_after_it(shop: House, run: Run) -> None:
    reported(shop)
    with going(shop):
        out = run("flags", "on", "checkout", "--plain", "--plan", "linear 50% every 2s bake 2s").out
    said, _, begun = out.partition("shop-prod-2:")
    assert "shop/prod  document 1 → 2" in said
    assert "flag checkout (changed)" in said
    assert "plan     50% 2s › 100%" in said
    assert "comparison: errors up to 1.25x + 0.1pp" in said
    assert "stop it  tidegate abort shop/prod" in said
    assert begun


def reported(house: House) -> None:
    """An agent is there, and tells how requests end."""
    house.agents.report("shop/prod", read_report({"agent": "a:1:x", "epoch": "e", "serial": 1, "origin": "o"}))
    house.watcher.sides["baseline"] = Figures(requests=300, failed=3, per_second=30.0, error_rate=0.01)


def test_a_change_that_nobody_looks_after_is_said_to_be_one(shop: House, run: Run) -> None:
    out = run("flags", "on", "checkout", "--detach").out
    assert "No agent follows these flags now" in out
    run("abort", "shop/prod")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    shop.agents.report("shop/prod", read_report({"agent": "a:1:x", "epoch": "e", "serial": 1, "origin": "o"}))
    out = run("flags", "on", "checkout", "--detach").out
    assert "Nothing is compared, for no agent reports how requests end." in out
    assert "not armed: no agent reports how requests end" in " ".join(out.split())


def test_what_was_said_is_released_and_no_change_of_it(shop: House, run: Run) -> None:
    ran = run("flags", "on", "checkout", "--base", "7", "--detach")
    assert (ran.code, "this was made from 7" in ran.err) == (2, True)
    assert len(shop.store.history("shop/prod", 5)) == 1


def test_flags_and_segments_are_removed_while_nobody_needs_them(shop: House, run: Run) -> None:
    run("flags", "set", "checkout", "{when: in segment staff}", "--now", "--detach")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    ran = run("segments", "remove", "staff", "--detach")
    assert (ran.code, "staff" in ran.err) == (2, True)
    run("flags", "remove", "checkout", "--now", "--detach")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    out = run("segments", "remove", "staff", "--detach").out
    assert "segment staff (removed)" in out
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    assert list(run("flags", "show", "--json").json["flags"]) == ["theme"]
    assert "no flag 'checkout'" in run("flags", "remove", "checkout").err


def test_an_environment_is_removed_as_a_service_is(shop: House, run: Run) -> None:
    run("flags", "on", "checkout", "--detach", "--plan", "linear 10% every 1h")
    ran = run("remove", "shop/prod")
    assert (ran.code, "Stop it first: tidegate abort shop/prod." in ran.err) == (2, True)
    run("abort", "shop/prod")
    shop.until(lambda: shop.store.history("shop/prod", 1)[0].rollout.settled)
    assert run("remove", "shop/prod", "--reason", "moved").out.startswith("shop/prod is removed.")
    shop.tick()
    assert shop.board.get("shop/prod") is None
    assert "no environment 'shop/prod'" in run("remove", "shop/prod").err
    assert "shop-prod-2" in run("history", "shop/prod").out


def test_a_forecast_of_an_environment_is_made_of_what_agents_report(shop: House, run: Run, tmp_path: Path) -> None:
    ran = run("forecast", "-e", "prod")
    assert (ran.code, "no agent reports how requests end" in ran.err) == (2, True)
    reported(shop)
    out = run("forecast", "-e", "prod", "--plan", "linear 25% every 1m").out
    assert "shop/prod  linear 25% every 1m  at 30 requests a second now" in out
    assert "a change that fails" in out
    (tmp_path / "stage.yaml").write_text("application: shop\nenvironment: stage\nplan: canary 10% hold 5m\n")
    asked = run("forecast", "-f", str(tmp_path / "stage.yaml"), "--traffic", "100/s", "--json").json
    assert (asked["service"], asked["first"], asked["traffic"]["per_second"]) == ("shop/stage", True, 100)
    assert run("forecast").err.startswith("Of what?")


def test_values_are_pushed_for_an_environment(shop: House, run: Run) -> None:
    assert run("push", "sales", "3", "--environment", "shop/prod", "--version", "2").out == "sales is 3.\n"
    assert shop.pushed[0][:2] == ("sales", 3.0)
    assert (shop.pushed[0][2]["service"], shop.pushed[0][2]["version"]) == ("shop/prod", "2")
    assert "a service, or of an environment" in run("push", "sales", "3", "-e", "shop/prod", "--service", "web").err
    assert run("push", "sales", "3", "-e", "prod").code == 2


def test_the_files_to_begin_with_are_sound_and_have_schemas(served: House, run: Run, tmp_path: Path) -> None:
    for kind in ("flags", "environment"):
        (tmp_path / f"{kind}.yaml").write_text(run("example", kind).out)
        assert run("schema", kind).json["title"] == f"Tidegate {'flag' if kind == 'flags' else kind} file"
    assert "4 flags and 2 segments" in run("flags", "validate", "-f", str(tmp_path / "flags.yaml")).out
    assert run("flags", "configure", "-f", str(tmp_path / "environment.yaml")).code == 0
    assert run("flags", "deploy", "-f", str(tmp_path / "flags.yaml"), "-e", "prod", "--detach").code == 0


def test_the_state_of_an_environment_is_told_with_its_agents_alarms_and_rollout(shop: House, run: Run) -> None:
    out = run("status", "shop/prod").out
    assert "shop/prod  document 1, 2 flags" in out
    assert "no agent is there" in out
    reported(shop)
    shop.watcher.alarming = (GuardSeen("errors", "ok", "0%", "5%"),)
    run("flags", "on", "checkout", "--detach")
    out = run("status", "shop/prod").out
    assert "30 req/s, 1.0% errors" in out
    assert "a:1:x" in out
    assert "errors  ok" in out
    assert "shop-prod-2" in out
