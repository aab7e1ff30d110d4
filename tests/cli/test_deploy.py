"""Deploy: says what will happen, follows, ends with an account and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command, going
from tests.support.served import WEB, House
from tidegate.cli.service_file import content_name, read_service_file
from tidegate.core.exposure import Exposure
from tidegate.core.harm import Counted, Harm
from tidegate.core.rollout import Phase
from tidegate.core.verdict import GuardSeen

QUICK = ("--plan", "linear 50% every 10s bake 10s")


def test_a_good_version_ends_with_everybody_on_it(served: House, run: Run) -> None:
    served.run("v1")
    with going(served):
        ran = run("deploy", "-f", "web.yaml", "--version", "v2", *QUICK, "--reason", "faster carts")
    assert ran.code == 0
    for said in (
        "v1 → v2",
        "50% 10s › 100%",
        "20s when all goes well",
        "tidegate abort web",
        "error_rate of the candidate above 1%",
    ):
        assert said in ran.out
    assert "shift: to 50%: v2 is healthy" in ran.out
    assert ran.out.endswith("web v2 serves everybody.\nNo request reached it.\n")
    assert "faster carts" in served.store.events(rollout="web-2")[0].told.why


def test_a_first_version_has_no_steps_and_nobody_to_harm(served: House, run: Run) -> None:
    with going(served):
        ran = run("deploy", "-f", "web.yaml", "--version", "v1")
    assert ran.code == 0
    assert "there is nothing to protect" in ran.out
    assert ran.out.endswith("web v1 serves everybody.\n")


def test_a_bad_version_ends_with_who_was_harmed(served: House, run: Run) -> None:
    served.run("v1")
    served.watcher.guards = (GuardSeen("errors", "firing", "5%", "above 1%", "5% of the requests failed"),)
    begun, decided = served.now, served.now + timedelta(seconds=4)
    counted = Counted(requests=310, finished=310, failed=16, seen=16, baseline_finished=2790, baseline_failed=1)
    served.watcher.account = Harm(
        counted=counted,
        most=Exposure(1000),
        first=begun,
        last=decided,
        detected=decided,
        stopped=decided + timedelta(seconds=1),
    )
    with going(served):
        ran = run("deploy", "-f", "web.yaml", "--version", "v2", *QUICK)
    assert ran.code == 3
    assert "roll back: errors: 5% of the requests failed" in ran.out
    assert "web v2 was rolled back; v1 serves everybody." in ran.out
    assert "310 requests reached it, from at most 10% of the users." in ran.out
    assert "16 attempts failed (5.2%, the baseline's rate was 0.04%); users saw 16." in ran.out
    assert "From the first failure to the decision" in ran.out


def test_a_rollout_that_waits_for_a_person_ends_the_command_with_4(served: House, run: Run, tmp_path: Path) -> None:
    gated = WEB.replace(
        "plan: {linear: {step: 25%, every: 1m}, bake: 2m}", "plan: {steps: [{exposure: 10%, gate: ask finance}]}"
    )
    (tmp_path / "gated.yaml").write_text(gated)
    served.run("v1")
    with going(served):
        ran = run("deploy", "-f", "gated.yaml", "--version", "v2")
        assert ran.code == 4
        assert "web v2 waits at 10% for a person: ask finance." in ran.out
        assert ran.out.endswith("Go on: tidegate promote web.  Stop: tidegate abort web.\n")
        assert run("watch", "web").code == 4
        assert run("abort", "web", "--reason", "finance said no").code == 0
        ended = run("watch", "web", "--wait")
    assert ended.code == 3
    assert "finance said no" in ended.out


def test_detached_it_begins_and_says_how_to_come_back(served: House, run: Run) -> None:
    served.run("v1")
    ran = run("deploy", "-f", "web.yaml", "--version", "v2", "--detach")
    assert ran.code == 0
    assert ran.out.endswith("Follow it: tidegate watch web.  Stop it: tidegate abort web.\n")
    assert served.rollout().phase is Phase.PREPARING


def test_a_file_that_is_deployed_twice_without_a_name_is_nothing_the_second_time(served: House, run: Run) -> None:
    with going(served):
        assert run("deploy", "-f", "web.yaml").code == 0
    again = run("deploy", "-f", "web.yaml")
    assert again.code == 0
    assert "there is nothing to do" in again.out
    assert "New code under the same command needs a name: --version VERSION." in again.out


def test_the_name_made_of_the_content_changes_with_it_and_not_with_the_count(home: Path, tmp_path: Path) -> None:
    tasks = read_service_file(tmp_path / "web.yaml").tasks
    assert content_name(tasks) == content_name(tasks.model_copy(update={"count": 7}))
    assert content_name(tasks) != content_name(tasks.model_copy(update={"env": {"A": "1"}}))
    assert len(content_name(tasks)) == 10


def test_what_is_in_the_way_is_refused_with_2_and_the_mend(served: House, run: Run) -> None:
    served.begun("v2")
    ran = run("deploy", "-f", "web.yaml", "--version", "v3")
    assert ran.code == 2
    assert "web already has a rollout at 25%" in ran.err
    assert "tidegate abort web" in ran.err


def test_deploying_what_is_on_its_way_follows_it(served: House, run: Run) -> None:
    served.run("v1")
    run("deploy", "-f", "web.yaml", "--version", "v2", "--detach")
    with going(served, 0.002):
        ran = run("deploy", "-f", "web.yaml", "--version", "v2")
    assert ran.code == 0
    assert "web-2 is already bringing v2" in ran.out


def test_a_plan_that_is_none_is_refused_before_anything_begins(served: House, run: Run) -> None:
    served.run("v1")
    ran = run("deploy", "-f", "web.yaml", "--version", "v2", "--plan", "linear 10%")
    assert ran.code == 2
    assert "linear 10% every 1m" in ran.err
    assert served.rollout().candidate == "v1"


def test_as_json_it_is_a_document_a_line_and_the_last_one_is_the_end(served: House, run: Run) -> None:
    served.run("v1")
    with going(served):
        ran = run("deploy", "-f", "web.yaml", "--version", "v2", *QUICK, "--json")
    assert ran.code == 0
    lines = ran.lines
    assert lines[0]["event"]["kind"] == "started"
    assert lines[-1] == {"end": "completed", "rollout": "web-2", "exit": 0}
    assert {"event", "status", "end"} == {key for line in lines for key in line} - {"rollout", "exit"}


def test_detached_as_json_it_is_one_document(served: House, run: Run) -> None:
    served.run("v1")
    assert run("deploy", "-f", "web.yaml", "--version", "v2", "--detach", "--json").json["rollout"]["id"] == "web-2"
    refused = run("deploy", "-f", "web.yaml", "--version", "v3", "--detach", "--json")
    assert refused.code == 2
    assert refused.json["problem"]["mend"] == "Wait for it, or stop it: tidegate abort web."


def test_where_nobody_listens_it_says_how_to_start(home: Path, run: Run) -> None:
    for words in (("deploy", "-f", "web.yaml"), ("status",), ("abort", "--all"), ("watch", "web")):
        ran = run(*words)
        assert ran.code == 2, words
        assert ran.err.endswith("Start it: tidegate up --detach.\n"), words


def test_it_survives_a_restart_of_the_controller(house: House) -> None:
    first = house.begun("v2").serve()
    process = _watching()
    first.stop()
    house.until(lambda: house.rollout().wanted == Exposure(5000))
    second = house.serve()
    house.until(lambda: house.rollout().phase is Phase.COMPLETED)
    out, _ = process.communicate(timeout=30)
    second.stop()
    assert process.returncode == 0
    decisions = [line for line in out.splitlines() if line[2:3] == ":"]
    assert any("shift: to 50%" in line for line in decisions), "what was decided meanwhile is told"
    assert len(decisions) == len(set(decisions)), "and nothing is told twice"
    assert out.endswith("web v2 serves everybody.\nNo request reached it.\n")


def _watching() -> subprocess.Popen[str]:
    """Follows already: it has told something."""
    process = subprocess.Popen([*command(), "watch", "web"], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_ctrl_c_leaves_it_running_and_says_how_to_come_back(served: House, home: Path) -> None:
    served.begun("v2")
    process = _watching()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.endswith("web-2 goes on.\nCome back: tidegate watch web.  Stop it: tidegate abort web.\n")
    assert served.rollout().in_flight


@pytest.mark.parametrize("phase", ["completed"])
def test_watching_what_has_ended_tells_its_end(served: House, run: Run, phase: str) -> None:
    served.run("v1")
    ran = run("watch", "web")
    assert ran.code == 0
    assert ran.out.endswith("web v1 serves everybody.\n")
    assert replace(served.rollout(), phase=Phase(phase)) == served.rollout()
