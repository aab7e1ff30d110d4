"""Every other command: what it sends, prints and refuses; with --json one document."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, command, going
from tests.support.served import WEB, House, Line
from tidegate.cli.answers import Rollout, Service, read_as
from tidegate.core.rollout import Phase
from tidegate.core.verdict import GuardSeen
from tidegate.engine.view import Figures


def test_before_anything_is_deployed_it_says_how_to_begin(served: House, run: Run) -> None:
    assert "tidegate example service" in run("status").out
    assert run("history").out == "No rollout yet.\n"
    assert "under alarms" in run("alarms").out
    assert run("abort", "--all").out == "Nothing was in flight.\n"
    assert run("services", "--json").json == []


def test_status_shows_services_and_what_goes_on(served: House, run: Run) -> None:
    served.begun("v2")
    out = run("status").out
    assert "web" in out
    assert "→ v2 watching 25%" in out
    one = run("status", "web").out
    assert "web-v2-1" in one
    assert "exposure  wanted 25%   applied 25%" in one
    assert read_as(Service, run("status", "web", "--json").json).stable == "v1"
    assert run("status", "--json").json == run("services", "--json").json


def test_a_service_that_is_not_there_is_refused_with_those_that_are(served: House, run: Run) -> None:
    served.run("v1")
    ran = run("status", "shop")
    assert (ran.code, ran.err) == (2, "There is no service 'shop'.\nKnown services: web.\n")
    assert run("status", "../../etc").code == 2


def test_a_person_pauses_resumes_promotes_and_aborts(served: House, run: Run) -> None:
    served.begun("v2")
    assert run("pause", "web", "--reason", "lunch").out.startswith("web-2 (v2): paused at 25%.")
    assert run("resume", "web").out.startswith("web-2 (v2): watching 25%.")
    assert run("promote", "web").out.startswith("web-2 (v2): shifting 50%.")
    served.until(lambda: served.rollout().phase is Phase.WATCHING)
    assert run("promote", "web", "--full", "--json").json["wanted"] == "100%"
    assert run("abort", "web", "--reason", "errors seen").out.startswith("web-2 (v2): rolling back.")
    assert "errors seen" in served.rollout().reason


def test_abort_wants_a_service_or_all(served: House, run: Run) -> None:
    assert run("abort").code == 2
    assert run("abort", "web", "--all").code == 2
    served.begun("v2")
    assert run("abort", "--all", "--reason", "fire").out.startswith("web-2 (v2): rolling back.")
    assert run("abort", "--all", "--json").json == []


def test_rollback_brings_back_the_version_before_or_the_one_that_is_named(served: House, run: Run) -> None:
    served.run("v1").run("v2")
    assert run("rollback", "web", "--reason", "slow").out == "web-3: v2 -> v1, back at once.\nFollow it: tidegate watch web.\n"
    served.until(lambda: served.rollout().phase is Phase.COMPLETED)
    assert run("rollback", "web", "--to", "v2", "--json").json["rollout"]["candidate"] == "v2"
    assert run("rollback", "web", "--to", "v7").code == 2


def test_restart_and_remove_say_what_they_did(served: House, run: Run) -> None:
    served.run("v1")
    assert "web" in run("restart", "web").out
    assert run("remove", "web", "--yes", "--reason", "moved").out == "web is removed: its tasks end when they are drained.\n"
    assert run("services", "--json").json == []


def test_apply_takes_over_all_but_the_tasks(served: House, run: Run, tmp_path: Path) -> None:
    with going(served):
        run("deploy", "-f", "web.yaml", "--version", "v1")
    (tmp_path / "web.yaml").write_text(WEB.replace("bake: 2m", "bake: 9m"))
    assert run("apply", "-f", "web.yaml").out == "web: changed plan.\n"
    assert run("apply", "-f", "web.yaml", "--json").json == {"sentence": "web is already as in this file."}
    (tmp_path / "web.yaml").write_text(WEB.replace("shop", "store"))
    ran = run("apply", "-f", "web.yaml")
    assert ran.code == 2
    assert "tidegate deploy" in ran.err


def test_validate_says_what_would_happen(served: House, run: Run) -> None:
    served.run("v1")
    out = run("validate", "-f", "web.yaml", "--version", "v2").out
    assert out.startswith("web.yaml can be deployed:")
    assert "25% 1m › 50% › 75% › 100% 2m" in out
    assert run("validate", "-f", "web.yaml", "--json").json["checked"] == "file and machine"
    assert len(served.store.history()) == 1


def test_validate_names_the_comparison_and_what_the_plan_would_not_see(served: House, run: Run) -> None:
    served.run("v1")
    served.watcher.sides["baseline"] = Figures(requests=20, per_second=2.0, error_rate=0.0)
    out = " ".join(run("validate", "-f", "web.yaml", "--version", "v2").out.split())
    assert "comparison: errors up to 1.25x + 0.1pp, latency up to 10% slower (armed: the last day of this service is" in out
    assert "beware At 2 requests a second the step of 25%, and 2 more that are too short, finds nothing below" in out


def test_validate_checks_the_file_alone_when_nobody_listens(home: Path, run: Run) -> None:
    ran = run("validate", "-f", "web.yaml")
    assert ran.code == 0
    assert "were not checked" in ran.out
    assert run("validate", "-f", "web.yaml", "--json").json["checked"] == "file"


def test_history_lists_how_each_ended_and_explain_tells_why(served: House, run: Run) -> None:
    served.run("v1")
    served.watcher.sides = {"baseline": Figures(310, 0, per_second=31), "candidate": Figures(90, 2, error_rate=0.0222, p99=41)}
    served.watcher.guards = (GuardSeen("errors", "ok", "0.2%", "above 1%", query="error_rate above 1%"),)
    served.begun_again("v2")
    served.orders.abort("web", "ann", "errors seen")
    served.until(lambda: not served.rollout().in_flight)
    out = run("history").out
    assert "v1 → v2" in out
    assert "rolled back" in out
    assert "aborted by ann: errors seen" in out
    explained = run("explain", "web-2").out
    assert "shift: to 25%: v2 is healthy" in explained
    assert "wanted 25%, applied 25%" in explained
    assert "ok  errors  0.2%, fires above 1%" in explained
    assert "candidate: 90 requests, 2 failed (2.2%), p99 41ms" in explained
    assert "aborted: errors seen  (by ann)" in explained
    assert explained.rstrip().endswith("No request reached it.")
    assert run("history", "web", "-n", "1", "--json").json[0]["id"] == "web-2"
    assert run("explain", "web-2", "--json").json["rollout"]["phase"] == "rolled_back"
    assert run("explain", "web-9").code == 2


def test_events_are_listed_and_may_be_of_one_rollout(served: House, run: Run) -> None:
    served.run("v1").run("v2")
    out = run("events", "--rollout", "web-2").out
    assert "2026-01-01" in out
    assert "web-2  started: linear 25% every 1m (by ann)" in out
    assert "web-1" not in out
    assert len(run("events", "-n", "3", "--json").json) == 3
    assert run("events", "--service", "api", "--json").json == []


def test_events_are_followed_over_a_restart_of_the_controller(house: House, run: Run, home: Path) -> None:
    house.run("v1")
    first = house.serve()
    process = _following("events", "-f", "-n", "1", "--json")
    try:
        last = house.store.events(limit=1, last=True)[0].id
        assert json.loads(_line(process))["id"] == last
        house.deploy("v2")
        assert json.loads(_line(process))["kind"] == "started"
        first.stop()
        house.orders.pause("web", "ann")
        second = house.serve()
        assert json.loads(_line(process))["kind"] == "paused"
    finally:
        process.kill()
        _, err = process.communicate()
    second.stop()
    assert err.count("Trying again.") <= 1


def test_logs_are_cleaned_and_named_by_task(served: House, run: Run) -> None:
    served.run("v1")
    served.said += [Line("web-v1-1", "\x1b[31mready\x1b[2J\x07"), Line("web-v1-2", "[bold]ready[/bold]")]
    assert run("logs", "web").out == "web-v1-1 | ready?\nweb-v1-2 | [bold]ready[/bold]\n"
    assert run("logs", "web", "--task", "web-v1-2", "-n", "5", "--json").json == [
        {"task": "web-v1-2", "text": "[bold]ready[/bold]"}
    ]
    assert run("logs", "web", "--version", "v9").err == "The tasks of web have said nothing.\n"
    assert run("logs", "api").code == 2


def test_logs_are_followed(served: House, home: Path) -> None:
    served.run("v1")
    served.said.append(Line("web-v1-1", "before"))
    process = _following("logs", "web", "-f")
    try:
        assert _line(process) == "web-v1-1 | before\n"
        served.said.append(Line("web-v1-1", "after"))
        assert _line(process) == "web-v1-1 | after\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()


def test_alarms_are_listed_with_their_figures(served: House, run: Run) -> None:
    served.watcher.alarming = (GuardSeen("errors", "firing", "3%", "above 1%", "3% in 2 of 3 periods"),)
    served.run("v1")
    assert "firing" in run("alarms").out
    assert "3% in 2 of 3 periods" in run("alarms", "web").out
    assert run("alarms", "--json").json[0]["alarms"][0]["name"] == "errors"


def test_a_value_is_pushed_with_its_labels(served: House, run: Run) -> None:
    assert run("push", "queue", "3.5", "-l", "zone=a", "--service", "web").out == "queue is 3.5.\n"
    assert served.pushed[0][:2] == ("queue", 3.5)
    assert served.pushed[0][2]["labels"] == {"zone": "a"}
    assert run("push", "queue", "3", "-l", "zone").code == 2
    assert run("push", "queue", "many").code == 2
    assert run("push", "queue", "nan").code == 2
    assert run("push", "queue", "--json", "--", "-3").json == {"taken": 1}


def test_the_example_is_a_sound_service_file(home: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(run("example", "service").out)
    assert run("validate", "-f", "example.yaml").code == 0
    assert run("example", "--json").json["service"] == "web"
    assert run("example", "rollout").code == 2


def test_the_schema_is_json_schema(home: Path, run: Run) -> None:
    assert run("schema").json["$schema"].startswith("https://json-schema.org/")
    assert run("schema").json == run("schema", "--json").json


def test_a_reason_that_is_too_long_is_refused(served: House, run: Run) -> None:
    served.begun("v2")
    ran = run("pause", "web", "--reason", "x" * 501)
    assert ran.code == 2
    assert "500" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "There is no file bad.yaml."),
        ("", "bad.yaml is empty"),
        ("service: web\n  listener: x", "(line 2, column 11)"),
        ("a: [1", "is not YAML"),
        (WEB + "---\n" + WEB, "more than one document"),
        (WEB.replace("count", "conut"), "Did you mean 'count'?"),
        (WEB + "service: api\n", "is there twice"),
        ("x" * 300_000, "more than 262,144 bytes"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        ("- web", "is a list, not a mapping of keys"),
        (WEB.replace("[python", "&x [python") + "x: *x\n", "aliases"),
        (WEB.replace("10s", "10"), "unit"),
    ],
)
def test_a_bad_file_is_said_with_its_place_and_mend(run: Run, tmp_path: Path, text: str | bytes | None, said: str) -> None:
    if text is not None:
        (tmp_path / "bad.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for words in (("deploy",), ("apply",), ("validate",)):
        ran = run(*words, "-f", "bad.yaml")
        assert ran.code == 2
        assert said in ran.err
        assert len(ran.err.strip().splitlines()) == 2, ran.err
        assert "Traceback" not in ran.err


def test_a_directory_and_a_file_without_rights_are_said(run: Run, tmp_path: Path) -> None:
    assert "is a directory" in run("validate", "-f", str(tmp_path)).err
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert "cannot be read" in run("validate", "-f", str(loop)).err


def test_a_service_file_comes_from_standard_input_too(served: House, home: Path) -> None:
    ran = subprocess.run(
        [*command(), "validate", "-f", "-", "--json"],
        input=WEB,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert json.loads(ran.stdout)["service"] == "web"


def test_paths_in_a_file_are_seen_from_its_directory(served: House, run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web.yaml").write_text(WEB)
    run("deploy", "-f", "shop/web.yaml", "--version", "v1", "--detach")
    record = served.store.version("web", "v1")
    assert record is not None
    assert record.tasks.directory == str(tmp_path / "shop")


def test_bad_settings_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_PORT", "many")
    assert run("status").err == "TIDEGATE_PORT is 'many'.\nGive a port from 1 to 65535, or 0 for none.\n"


def test_a_home_of_somebody_else_is_said(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "api.sock").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may everything
    assert "it belongs to another user" in run("status").err


def test_whoever_reads_us_may_stop_reading(served: House, home: Path) -> None:
    served.run("v1").run("v2")
    line = f"{' '.join(command())} events -n 500 --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr


def test_a_terminal_without_utf_8_gets_what_it_can_show(served: House, home: Path) -> None:
    served.begun("v2")
    served.orders.pause("web", "ann")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for words in (("status",), ("status", "web"), ("history",), ("explain", "web-2")):
        ran = subprocess.run([*command(), *words], capture_output=True, check=True, env=env)
        ran.stdout.decode("ascii")
        assert b"->" in ran.stdout, words


def test_the_version_and_the_help_import_nothing_heavy() -> None:
    heavy = ("pydantic", "httpx2", "rich", "sqlalchemy", "fastapi", "numpy", "tidegate.engine", "tidegate.api")
    code = f"import sys; import tidegate.cli.main; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([*command()[:1], "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
    ran = subprocess.run([*command(), "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("tidegate ")


def test_services_versions_and_rollouts_are_completed(served: House, run: Run) -> None:
    from tidegate.cli.completion import rollout_ids, service_names, version_names

    served.run("v1").run("v2")
    assert service_names("w") == ["web"]
    assert service_names("x") == []
    assert set(version_names("v")) == {"v1", "v2"}
    assert rollout_ids("web-2") == ["web-2"]


def test_completion_is_silent_when_nobody_listens(home: Path) -> None:
    from tidegate.cli.completion import service_names

    assert service_names("w") == []


def test_the_shell_is_offered_the_commands() -> None:
    env = {**os.environ, "_TIDEGATE_COMPLETE": "complete_bash", "COMP_WORDS": "tidegate pro", "COMP_CWORD": "1"}
    ran = subprocess.run([*command()], capture_output=True, text=True, check=False, env=env)
    assert "promote" in ran.stdout


def test_a_rollout_answered_by_json_can_be_read_back(served: House, run: Run) -> None:
    served.begun("v2")
    seen: list[Any] = run("history", "--json").json
    assert [read_as(Rollout, one).id for one in seen] == ["web-2", "web-1"]
    assert read_as(Rollout, seen[0]).hold == timedelta(minutes=1)


def _following(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command(), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _line(process: subprocess.Popen[str], within: float = 20) -> str:
    """The next line; a process that says nothing is ended."""
    assert process.stdout is not None
    guard = threading.Timer(within, process.kill)
    guard.start()
    try:
        return process.stdout.readline()
    finally:
        guard.cancel()


def test_the_home_and_socket_are_the_users_alone(served: House, home: Path) -> None:
    assert stat.S_IMODE((home / "api.sock").stat().st_mode) == 0o600
    assert time.monotonic() > 0
