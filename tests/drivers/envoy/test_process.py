"""Envoy's process outlives whoever started it, is adopted, and is never there twice."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from tests.drivers.envoy.bench import Bench
from tidegate.core.errors import Refused
from tidegate.drivers.envoy.process import RECORD, EnvoyProcess, running

pytestmark = pytest.mark.real


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "envoy"
    EnvoyProcess(tmp_path / "envoy").stop(timedelta(seconds=1))


def envoys_in(run_dir: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(run_dir / "bootstrap.json") in process.cmdline():
                found.append(process.pid)
    return found


def test_starting_again_adopts_the_one_that_runs(run_dir: Path) -> None:
    first, second = EnvoyProcess(run_dir, concurrency=1), EnvoyProcess(run_dir, concurrency=1)
    assert not first.alive()
    assert first.epoch is None
    first.start()
    second.start()
    assert first.epoch == second.epoch is not None
    assert len(envoys_in(run_dir)) == 1


def test_it_outlives_a_starter_that_was_killed(run_dir: Path) -> None:
    start = (
        "import os, signal, sys; from pathlib import Path; from tidegate.drivers.envoy.process import EnvoyProcess;"
        "EnvoyProcess(Path(sys.argv[1]), concurrency=1).start(); os.killpg(0, signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", start, str(run_dir)], start_new_session=True, check=False)
    process = EnvoyProcess(run_dir)
    assert process.alive()
    epoch = process.epoch
    process.start()
    assert process.epoch == epoch
    process.stop()
    assert not process.alive()
    assert envoys_in(run_dir) == []


@pytest.mark.parametrize("record", ["", "{", '{"pid": 1, "created": 5}', None], ids=["empty", "broken", "reused id", "missing"])
def test_a_starter_that_died_before_it_wrote_down_whom_it_started_leaves_no_second_envoy(
    run_dir: Path, record: str | None
) -> None:
    first = EnvoyProcess(run_dir, concurrency=1)
    first.start()
    epoch = first.epoch
    if record is None:
        (run_dir / RECORD).unlink()
    else:
        (run_dir / RECORD).write_text(record)
    assert running(run_dir) is None
    second = EnvoyProcess(run_dir, concurrency=1)
    second.start()
    assert second.epoch == epoch
    assert len(envoys_in(run_dir)) == 1


def test_a_process_id_that_somebody_else_has_by_now_is_not_taken_for_envoy(run_dir: Path) -> None:
    run_dir.mkdir()
    me = psutil.Process()
    (run_dir / RECORD).write_text(json.dumps({"pid": me.pid, "created": me.create_time() - 3600}))
    process = EnvoyProcess(run_dir)
    assert not process.alive()
    process.stop()  # ends nobody
    assert me.is_running()


def test_stopping_what_does_not_run_is_nothing(run_dir: Path) -> None:
    process = EnvoyProcess(run_dir)
    process.stop()
    process.kill()
    assert not process.alive()


def test_its_output_goes_to_a_file_and_its_last_words_are_kept(run_dir: Path) -> None:
    process = EnvoyProcess(run_dir, concurrency=1)
    process.lay_out()
    (run_dir / "cds" / "clusters.json").unlink()
    (run_dir / "cds").rmdir()
    (run_dir / "cds").write_text("not a directory")
    with pytest.raises(Exception, match="cds"):
        process.start()
    (run_dir / "cds").unlink()
    process.start()
    assert process.alive()
    process.kill()
    process.start()
    assert process.alive()


def test_a_run_directory_whose_path_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="bytes long") as refused:
        EnvoyProcess(tmp_path / ("x" * 100)).start()
    assert "shorter run directory" in refused.value.mend


def test_it_has_its_own_session_and_as_many_open_files_as_the_system_allows(bench: Bench) -> None:
    assert bench.process.epoch
    pid = int(bench.process.epoch.split("-")[0])
    assert os.getsid(pid) == pid
    soft, hard = psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard


def test_a_new_life_is_a_new_epoch(bench: Bench) -> None:
    before = bench.process.epoch
    bench.process.kill()
    assert bench.process.epoch is None
    bench.start()
    assert bench.process.epoch not in (before, None)
    assert bench.seen().epoch == bench.process.epoch
