"""The supervisor, with sleeping processes in the places of controller and Envoy; every kill is a real one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tidegate.drivers.envoy.process import BOOTSTRAP, LOCK, RECORD, EnvoyProcess, running
from tidegate.drivers.process.identity import Identity, alive, identify
from tidegate.drivers.process.kept import Kept, find
from tidegate.drivers.process.lock import hold, holder, is_held
from tidegate.drivers.process.sweep import INSTANCE, RUN, run_id
from tidegate.supervisor import Plan, begin, ensure_supervisor, stop, supervisor

pytestmark = pytest.mark.real

SLEEPER = "import sys,time; print('up', flush=True); time.sleep(600)"
ENDS_AT_ONCE = "import sys; print('no such table', flush=True); sys.exit(3)"


def until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Home:
    """A run directory with two kept processes: the controller and Envoy."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.controller = self.kept("controller")
        self.envoy = self.kept("envoy", lock=str(path / "envoy.lock"))
        self.tasks = path / "tasks"

    def kept(self, name: str, program: str = SLEEPER, **more: object) -> Kept:
        command = (sys.executable, "-I", "-S", "-c", program, str(self.path), name)
        return Kept(  # type: ignore[misc]
            name,
            command,
            str(self.path / f"{name}.json"),
            str(self.path / f"{name}.log"),
            grace=5.0,
            **more,  # type: ignore[arg-type]
        )

    def up(self, *kept: Kept) -> None:
        begin(self.path, Plan(kept or (self.controller, self.envoy), str(self.tasks)))

    def pid(self, kept: Kept) -> int:
        found = find(kept)
        return found.pid if found else 0

    def all_up(self) -> bool:
        return bool(supervisor(self.path) and self.pid(self.controller) and self.pid(self.envoy))

    def all_up_when_asked(self) -> bool:
        ensure_supervisor(self.path)
        return self.all_up()

    def kill_supervisor(self) -> None:
        running = supervisor(self.path)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: not alive(running))

    def said(self) -> str:
        return (self.path / "supervisor.log").read_text()

    def mine(self) -> list[int]:
        """All processes whose command line names this directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if os.fsencode(self.path) in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
        return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    stop(tmp_path)
    with suppress(AssertionError):
        until(lambda: not home.mine(), 3.0)  # a second supervisor that still waits for the lock
    left = home.mine()
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left


def test_the_supervisor_starts_both_and_appends_their_output_to_their_logs(home: Home) -> None:
    home.up()
    until(home.all_up)
    until(lambda: (home.path / "controller.log").read_text() == "up\n" and (home.path / "envoy.log").read_text() == "up\n")
    for kept in (home.controller, home.envoy):
        assert os.getsid(home.pid(kept)) == home.pid(kept)


def test_a_killed_controller_and_a_killed_envoy_are_back_within_a_second(home: Home) -> None:
    home.up()
    until(home.all_up)
    for kept in (home.controller, home.envoy) * 3:
        before = home.pid(kept)
        os.kill(before, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda kept=kept, before=before: home.pid(kept) not in (0, before))  # type: ignore[misc]
        assert time.monotonic() - killed < 1.0


def test_a_killed_supervisor_harms_nothing_and_the_next_one_adopts_what_runs(home: Home) -> None:
    home.up()
    until(home.all_up)
    before = home.pid(home.controller), home.pid(home.envoy)
    for _ in range(5):
        home.kill_supervisor()
        assert ensure_supervisor(home.path)
        until(home.all_up)
        assert (home.pid(home.controller), home.pid(home.envoy)) == before
    os.kill(before[0], signal.SIGKILL)
    until(lambda: home.pid(home.controller) not in (0, before[0]), 2.0)


def test_a_supervisor_killed_before_it_could_note_whom_it_started_finds_them_again(home: Home) -> None:
    home.up()
    until(home.all_up)
    before = home.pid(home.controller), home.pid(home.envoy)
    home.kill_supervisor()
    for kept in (home.controller, home.envoy):
        Path(kept.pidfile).unlink()
    home.up()
    until(home.all_up)
    assert (home.pid(home.controller), home.pid(home.envoy)) == before


def test_kills_in_every_direction_at_random_instants_leave_one_of_each(home: Home) -> None:
    home.up()
    chance = random.Random(7)
    for _ in range(20):
        time.sleep(chance.random() * 0.15)
        victims = [supervisor(home.path), find(home.controller), find(home.envoy)]
        victim = chance.choice(victims)
        if victim is not None and alive(victim):
            os.kill(victim.pid, signal.SIGKILL)
        ensure_supervisor(home.path)
    # One that dies still holds its lock for a moment, so the controller asks at every tick, and so does this test.
    until(home.all_up_when_asked)
    time.sleep(0.3)
    until(home.all_up_when_asked)
    kept = [pid for pid in home.mine() if b"supervisor" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert sorted(kept) == sorted([home.pid(home.controller), home.pid(home.envoy)])


def test_many_who_ensure_at_once_make_one_supervisor(home: Home) -> None:
    home.up()
    for _ in range(8):
        ensure_supervisor(home.path)
    until(home.all_up)
    until(lambda: len([pid for pid in home.mine() if _is_supervisor(pid)]) == 1)


def _is_supervisor(pid: int) -> bool:
    with suppress(OSError):
        return b"tidegate.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def test_ensuring_costs_next_to_nothing_while_one_runs(home: Home) -> None:
    home.up()
    until(home.all_up)
    begun = time.perf_counter()
    for _ in range(1000):
        assert not ensure_supervisor(home.path)
    assert time.perf_counter() - begun < 1.0


def test_who_ends_at_once_by_himself_is_brought_back_ever_more_slowly_and_it_is_told(home: Home) -> None:
    home.up(home.kept("controller", ENDS_AT_ONCE), home.envoy)
    until(lambda: home.pid(home.envoy))
    until(lambda: home.said().count("controller started") >= 4)
    time.sleep(0.5)
    assert home.said().count("controller started") <= 6
    assert "ended with exit code 3" in home.said()
    assert "failed 3 times in a row; the next start is in 0.8 s" in home.said()


def test_a_note_about_somebody_elses_process_is_not_believed(home: Home) -> None:
    us = identify(os.getpid())
    assert us is not None
    (home.path / "controller.json").write_text(json.dumps({"pid": us.pid, "born": us.born - 1, "boot": us.boot}))
    (home.path / "envoy.json").write_text(json.dumps({"pid": us.pid, "born": us.born, "boot": "before the reboot"}))
    (home.path / "supervisor.lock").write_text(json.dumps(us.to_json()))
    home.up()
    until(home.all_up)
    assert os.getpid() not in (home.pid(home.controller), home.pid(home.envoy))
    stop(home.path)


def test_one_that_notes_only_id_and_time_of_day_is_adopted(home: Home) -> None:
    home.up()
    until(home.all_up)
    note = Path(home.envoy.pidfile)
    written = json.loads(note.read_text())
    note.write_text(json.dumps({"pid": written["pid"], "created": written["created"] + 0.5}))
    assert home.pid(home.envoy) == written["pid"]
    note.write_text(json.dumps({"pid": written["pid"], "created": written["created"] + 60}))
    assert home.pid(home.envoy) == 0


def test_a_new_plan_is_taken_over_by_the_supervisor_that_runs(home: Home) -> None:
    home.up(home.controller)
    until(lambda: home.pid(home.controller))
    before = home.pid(home.controller)
    home.up()
    until(home.all_up)
    assert home.pid(home.controller) == before


def test_what_lacks_its_files_waits_for_them(home: Home) -> None:
    envoy = home.kept("envoy", needs=(str(home.path / "bootstrap.json"),))
    home.up(home.controller, envoy)
    until(lambda: home.pid(home.controller))
    time.sleep(0.3)
    assert not home.pid(envoy)
    (home.path / "bootstrap.json").touch()
    until(lambda: home.pid(envoy), 2.0)


def test_stop_ends_controller_then_tasks_then_envoy_and_leaves_nothing(home: Home) -> None:
    home.up()
    until(home.all_up)
    task = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SLEEPER, str(home.path), "task"],
        env={RUN: run_id(home.tasks), INSTANCE: "one"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    stop(home.path)
    assert task.wait(5) == -signal.SIGTERM
    assert not home.mine()
    told = [line.split("supervisor: ")[1].split(",")[0] for line in home.said().splitlines() if "told to end" in line]
    assert told == ["controller", "1 processes of tasks are told to end by SIGTERM", "envoy"]
    assert not ensure_supervisor(home.path)


def test_stop_works_without_a_supervisor_and_twice(home: Home) -> None:
    home.up()
    until(home.all_up)
    home.kill_supervisor()
    stop(home.path)
    assert not home.mine()
    stop(home.path)


def test_nobody_is_brought_back_while_it_stops(home: Home) -> None:
    home.up()
    until(home.all_up)
    (home.path / "down").touch()
    home.kill_supervisor()
    assert not ensure_supervisor(home.path)
    assert supervisor(home.path) is None


def test_sigterm_to_the_supervisor_ends_everything_in_order(home: Home) -> None:
    home.up()
    until(home.all_up)
    running = supervisor(home.path)
    assert running is not None
    os.kill(running.pid, signal.SIGTERM)
    until(lambda: not home.mine())


def test_who_ignores_sigterm_is_killed_after_its_grace(home: Home) -> None:
    stubborn = "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    kept = home.kept("controller", stubborn)
    home.up(Kept(kept.name, kept.command, kept.pidfile, kept.log, grace=0.3))
    until(lambda: Path(kept.log).exists() and Path(kept.log).read_text() == "up\n")
    stop(home.path)
    assert not home.mine()


def test_a_second_signal_hurries(home: Home) -> None:
    stubborn = "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    kept = home.kept("controller", stubborn)
    home.up(Kept(kept.name, kept.command, kept.pidfile, kept.log, grace=600.0))
    until(lambda: Path(kept.log).exists() and Path(kept.log).read_text() == "up\n")
    told = supervisor(home.path)
    assert told is not None
    os.kill(told.pid, signal.SIGTERM)
    until(lambda: "is told to end by SIGTERM" in home.said())
    os.kill(told.pid, signal.SIGTERM)
    until(lambda: not home.mine())


def test_a_real_envoy_is_kept_and_what_its_own_driver_wrote_down_is_understood(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("e")
    home, envoy = Home(path), EnvoyProcess(path / "envoy", concurrency=1)
    envoy.lay_out()
    run_dir = envoy.run_dir
    kept = Kept(
        "envoy",
        tuple(envoy.command()),
        str(run_dir / RECORD),
        str(path / "envoy.log"),
        lock=str(run_dir / LOCK),
        needs=(str(run_dir / BOOTSTRAP),),
        open_files=True,
    )
    try:
        envoy.start()
        first = home.pid(kept)
        assert first
        home.up(home.controller, kept)
        until(lambda: supervisor(path) and home.pid(home.controller))
        assert home.pid(kept) == first
        for _ in range(3):
            before = home.pid(kept)
            os.kill(before, signal.SIGKILL)
            killed = time.monotonic()
            until(lambda before=before: home.pid(kept) not in (0, before))  # type: ignore[misc]
            assert time.monotonic() - killed < 1.0
            # Its own driver adopts the one that the supervisor started, and starts no second.
            until(envoy.alive)
            envoy.start()
            found = running(run_dir)
            assert found is not None
            assert found.pid == home.pid(kept)
    finally:
        stop(path)
    assert not envoy.alive()
    assert not home.mine()


def test_a_lock_is_held_once_and_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "controller.lock"
    program = (
        "import sys,time\nfrom pathlib import Path\nfrom tidegate.drivers.process.lock import hold\n"
        "held=hold(Path(sys.argv[1]))\nprint('held', flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert hold(path, patience=0.0) is None
        assert is_held(path)
        assert holder(path) == identify(other.pid)
        other.kill()
    with hold(path) as held:  # type: ignore[union-attr]
        assert held is not None
        assert holder(path) == identify(os.getpid())
    assert holder(path) is None


def test_a_lock_whose_file_was_removed_keeps_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "controller.lock"
    first = hold(path)
    path.unlink()
    second = hold(path)
    assert first is not None
    assert second is not None
    assert is_held(path)
    first.release()
    second.release()


def test_an_identity_from_a_torn_note_names_nobody() -> None:
    assert Identity.from_json({"pid": 1}) is None
    assert Identity.from_json([]) is None
