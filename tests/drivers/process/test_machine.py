"""Real processes where they are nasty: children, strays, zombies, foreign ids, taken ports, full disks, limits, users."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.process.bench import RealBench, a_service
from tidegate.core.errors import Unreachable
from tidegate.drivers.process.free_port import free_port
from tidegate.drivers.process.identity import Identity, alive, boot_id, identify, send, standing
from tidegate.drivers.process.logs import log_path, read_logs
from tidegate.drivers.process.sweep import INSTANCE, RUN, TASK, run_id, unmarked
from tidegate.ports import TaskState

STANDARD_SIGNALS = 0x7FFFFFFF
"""Those above are the C library's own: whoever started us may ignore them, and nobody can set them back."""

pytestmark = pytest.mark.real
SHOW = """
echo "uid $(id -u)"; echo "groups $(id -G)"; echo "files $(ulimit -n)"; echo "memory $(ulimit -v)"; echo "cwd $(pwd)"
echo "ignored $(grep SigIgn /proc/self/status | cut -f 2)"; echo "fds $(ls /proc/self/fd | tr '\\n' ' ')"
echo "session $(cut -d ' ' -f 6 /proc/$$/stat)"; echo "pid $$"; echo "argv $*"; env | sed 's/^/env /'; echo done
exec sleep 600
"""


def shown(bench: RealBench, **tasks: object) -> dict[str, str]:
    """What a task finds when it begins."""
    words = ["sh", "{{x}}", "{port}", "{version}", "{service}", "{task}"]
    bench.want((a_service(tasks={"command": ["sh", "-c", SHOW, *words], "count": 1} | tasks), "v1"))
    bench.until(lambda _: any(line.text == "done" for line in read_logs(bench.run_dir, "web")))
    found = {}
    for line in read_logs(bench.run_dir, "web"):
        key, _, value = line.text.removeprefix("env ").replace("=", " ", line.text.startswith("env ")).partition(" ")
        found[f"env {key}" if line.text.startswith("env ") else key] = value.strip()
    return found


def test_a_task_finds_a_small_environment_its_placeholders_and_nothing_of_ours_open(
    real: RealBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CONTROLLER", "x")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    (tmp_path / "work").mkdir()
    found = shown(real, env={"RELEASE": "{version}-{task}"}, directory=str(tmp_path / "work"))
    (task,) = real.runtime.tasks()
    environment = {key.removeprefix("env ") for key in found if key.startswith("env ")}
    # PWD, OLDPWD and _ are the shell's own.
    assert environment - {"PWD", "OLDPWD", "_", "SHLVL"} <= {"PATH", "HOME", "LANG", "TZ", "RELEASE", RUN, TASK, INSTANCE}
    assert found["env RELEASE"] == "v1-web-v1-1"
    assert found["env TZ"] == "Europe/Berlin"
    assert found["cwd"] == str(tmp_path / "work")
    assert found["argv"] == f"{{x}} {task.port} v1 web web-v1-1"
    assert found["session"] == found["pid"] == str(task.pid)
    assert found["fds"] == "0 1 2 3"  # 3 is that of ls itself
    assert int(found["ignored"], 16) & STANDARD_SIGNALS == 0


def test_limits_and_user_hold_before_the_command_begins(real: RealBench) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may start processes of another user")
    found = shown(real, limits={"open_files": 77, "memory": "512MB"}, user="nobody", directory="/tmp")
    nobody = pwd.getpwnam("nobody")
    assert found["files"] == "77"
    assert found["memory"] == str(512 << 10)
    assert found["uid"] == str(nobody.pw_uid)
    assert "0" not in found["groups"].split()
    assert found["env HOME"] == nobody.pw_dir
    assert "env LC_CTYPE" not in found
    assert found["cwd"] == "/tmp"
    assert int(found["ignored"], 16) & STANDARD_SIGNALS == 0
    real.want()
    real.gone()


def test_a_launcher_whose_command_is_missing_says_so_in_the_last_words(real: RealBench) -> None:
    real.want((a_service(tasks={"command": ["no-such-program"], "count": 1, "limits": {"open_files": 64}}), "v1"))
    (task,) = real.until(lambda tasks: tasks[0].state is TaskState.FAILED)
    assert "with exit code 126" in task.why
    assert "no-such-program: No such file or directory" in task.why


def test_children_of_a_task_end_with_it_also_when_they_ignore_sigterm(real: RealBench) -> None:
    real.want((real.service("forks", count=1), "v1"))
    real.healthy(1)
    real.until(lambda _: real.living() == 2)
    real.want()
    real.gone()
    assert real.living() == 0


def test_children_are_told_to_end_together_with_their_task(real: RealBench) -> None:
    real.want((real.service("obeys", count=1, drain="600s"), "v1"))
    real.healthy(1)
    real.until(lambda _: real.living() == 2)
    pid = real.runtime.tasks()[0].pid
    real.runtime._machine.signal(real.runtime._book.records()[0], signal.SIGTERM)
    # Not because somebody swept up behind their task: that would be another signal, after its end.
    real.until(lambda _: "child was told" in [line.text for line in read_logs(real.run_dir, "web")])
    assert pid


def test_children_that_left_the_process_group_end_too(real: RealBench) -> None:
    real.want((real.service("strays", count=1), "v1"))
    real.healthy(1)
    real.until(lambda _: real.living() == 2)
    real.want()
    real.gone()
    assert real.living() == 0


def test_what_a_dead_task_leaves_behind_ends_while_the_task_is_started_again(real: RealBench) -> None:
    real.want((real.service("strays", count=1), "v1"))
    (task,) = real.healthy(1)
    real.until(lambda _: real.living() == 2)
    left = set(real.marked())
    real.die(task)
    real.until(lambda tasks: tasks[0].restarts == 1 and tasks[0].state is TaskState.HEALTHY and not left & set(real.marked()))


def test_a_process_of_ours_that_nobody_wrote_down_is_ended_and_one_of_another_run_is_not(
    real: RealBench, tmp_path: Path
) -> None:
    def stray(run: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
        return subprocess.Popen(command, env={RUN: run, INSTANCE: "unknown"}, start_new_session=True)

    with stray(run_id(tmp_path)) as ours, stray(run_id(tmp_path / "other")) as theirs:
        real.next_controller()
        real.until(lambda _: ours.poll() is not None)
        assert theirs.poll() is None
        theirs.kill()


def test_a_task_whose_process_id_belongs_to_somebody_else_now_is_not_touched(real: RealBench) -> None:
    real.want((a_service(tasks={"count": 1}), "v1"))
    (task,) = real.healthy(1)
    real.runtime.close()
    assert task.pid
    note = real.run_dir / "tasks/web/web-v1-1.json"
    written = json.loads(note.read_text())
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as somebody:
        identity = identify(somebody.pid)
        assert identity is not None
        for wrong in ({"born": identity.born - 1, "boot": identity.boot}, {"born": identity.born, "boot": "before"}):
            written["process"] = {"pid": somebody.pid} | wrong
            written["instance"] = "long-gone"
            note.write_text(json.dumps(written))
            real.next_controller()
            real.until(lambda tasks: tasks[0].state is TaskState.DEAD)
        real.want()
        real.gone()
        assert somebody.poll() is None
        somebody.kill()


def test_a_zombie_is_dead_and_is_never_signalled() -> None:
    with subprocess.Popen(["true"]) as child:
        identity = identify(child.pid)
        assert identity is not None
        deadline = time.monotonic() + 10
        while alive(identity):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        seen = standing(child.pid)
        assert seen is not None
        assert seen.ended
    assert standing(child.pid) is None
    assert not send(identity, signal.SIGKILL)


def test_a_leader_that_left_its_threads_behind_is_alive() -> None:
    program = (
        "import ctypes,threading,time\nt=threading.Thread(target=time.sleep,args=(600,),daemon=True)\nt.start()\n"
        "print('up',flush=True)\nctypes.CDLL(None).syscall(60 if ctypes.sizeof(ctypes.c_void_p)==8 and "
        "__import__('platform').machine()=='x86_64' else 93, 0)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        identity = identify(child.pid)
        assert identity is not None
        deadline = time.monotonic() + 10
        while b") Z " not in Path(f"/proc/{child.pid}/stat").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert alive(identity)
        child.kill()


def test_our_own_identity_is_alive_and_changed_ones_are_not() -> None:
    us = identify(os.getpid())
    assert us is not None
    assert alive(us)
    assert not alive(replace(us, born=us.born + 1))
    assert not alive(replace(us, boot="another"))
    assert not alive(Identity(2**22 + 1, 1, boot_id()))
    assert Identity.from_json(json.loads(json.dumps(us.to_json()))) == us


def test_a_port_on_which_somebody_listens_is_not_handed_out_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from tidegate.drivers.process import free_port as module

    port = free_port(())
    monkeypatch.setattr(module, "LOWEST", port)
    monkeypatch.setattr(module, "HIGHEST", port + 1)
    assert free_port(()) == port
    with pytest.raises(Unreachable, match="No free port"):
        free_port({port})
    with closing(socket.create_server(("127.0.0.1", port))), pytest.raises(Unreachable):
        free_port(())


def test_a_task_whose_port_was_taken_meanwhile_gets_another(real: RealBench) -> None:
    # The port is found, then taken by somebody else before the task listens: a task that waits shows it.
    script = f"sleep 0.4; exec {sys.executable} -I -S {Path(__file__).with_name('server.py')} $0"
    real.want((a_service(tasks={"command": ["sh", "-c", script, "{port}"], "count": 1}), "v1"))
    (task,) = real.turn()
    with closing(socket.create_server(("127.0.0.1", task.port))):
        (again,) = real.until(lambda tasks: tasks[0].restarts > 0 and tasks[0].state is TaskState.HEALTHY)
    assert again.port != task.port


def test_while_the_disk_takes_nothing_no_task_starts_and_nothing_is_half_done(real: RealBench) -> None:
    real.want((a_service(tasks={"count": 1}), "v1"))
    real.healthy(1)
    full = real.run_dir / "tasks/web/web-v1-2.json.new"
    full.symlink_to("/dev/full")
    real.want((a_service(tasks={"count": 2}), "v1"))
    with pytest.raises(Unreachable) as caught:
        real.turn()
    assert "web-v1-2.json could not be written: No space left on device" in caught.value.what
    assert "Make room" in caught.value.mend
    assert real.living() == 1
    real.healthy(2)


def test_a_torn_note_is_dropped_and_its_process_ended(real: RealBench) -> None:
    real.want((a_service(), "v1"))
    first, _ = real.healthy(2)
    (real.run_dir / "tasks/web/web-v1-1.json").write_text('{"id": "web-v1')
    real.next_controller()
    tasks = real.healthy(2)
    assert first.pid not in {task.pid for task in tasks}
    real.until(lambda _: real.living() == 2)


def test_twenty_replacements_leave_two_tasks_and_one_always_serves(real: RealBench) -> None:
    real.want((a_service(), "v1"))
    real.healthy(2)
    for _ in range(10):
        before = {task.pid for task in real.runtime.tasks()}
        real.runtime.restart("web", "v1")

        def replaced(tasks: object, before: set[int | None] = before) -> bool:
            now = real.runtime.tasks()
            assert sum(task.state is TaskState.HEALTHY for task in now) >= 2
            return len(now) == 2 and not before & {task.pid for task in now} and not real.runtime._book.trouble

        real.until(replaced)
    assert real.living() == 2


def test_targets_are_checked_told_and_never_touched(real: RealBench) -> None:
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("server.py"))]
    log = log_path(real.run_dir, "mine", "mine")
    log.parent.mkdir(parents=True)
    port = free_port(())
    with log.open("a") as out, subprocess.Popen([*command, str(port)], stdout=out, start_new_session=True) as mine:
        real.want((a_service(tasks={"targets": [f"127.0.0.1:{port}"]}), "v1"))
        (task,) = real.healthy(1)
        assert (task.id, task.port, task.pid) == ("web-v1-1", port, None)
        real.next_controller()
        assert real.turn()[0].state is TaskState.HEALTHY
        real.sicken(task)
        real.until(lambda tasks: tasks[0].state is TaskState.UNHEALTHY)
        real.heal(task)
        real.healthy(1)
        real.want()
        real.gone()
        real.runtime.shutdown()
        assert mine.poll() is None
        mine.kill()


def test_a_task_started_from_within_a_task_is_no_part_of_it() -> None:
    assert unmarked({"PATH": "/bin", RUN: "x", TASK: "y", INSTANCE: "z"}) == {"PATH": "/bin"}


def test_a_run_directory_keeps_its_name_also_after_a_power_failure_emptied_it(tmp_path: Path) -> None:
    name = run_id(tmp_path)
    assert run_id(tmp_path) == name
    (tmp_path / "run-id").write_text("")
    assert run_id(tmp_path) not in ("", name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run-id"]
