"""The logs of tasks: rotated under a writer, read, and followed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.process.logs import Line, follow, log_path, open_log, read_logs, tail
from tidegate.drivers.process.rotation import prune, rotate, rotate_all


def write(path: Path, text: str) -> None:
    log = open_log(path)
    os.write(log, text.encode())
    os.close(log)


def test_the_last_lines_of_each_task_are_read_by_version_and_number(tmp_path: Path) -> None:
    for task in ("web-v1-10", "web-v1-2", "web-v1-rc-1", "web-v2-1"):
        write(log_path(tmp_path, "web", task), "".join(f"{task} {line}\n" for line in range(5)))
    write(log_path(tmp_path, "api", "api-v1-1"), "other\n")
    lines = read_logs(tmp_path, "web", version="v1", lines=2)
    assert lines == [
        Line("web-v1-2", "web-v1-2 3"),
        Line("web-v1-2", "web-v1-2 4"),
        Line("web-v1-10", "web-v1-10 3"),
        Line("web-v1-10", "web-v1-10 4"),
    ]
    assert [line.task for line in read_logs(tmp_path, "web", task="web-v1-rc-1", lines=1)] == ["web-v1-rc-1"]
    assert len(read_logs(tmp_path, "web", lines=1)) == 4
    assert read_logs(tmp_path, "nothing") == []


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30), max_size=40), st.integers(1, 50)
)
def test_the_tail_is_the_end_of_the_file(tmp_path_factory: pytest.TempPathFactory, lines: list[str], count: int) -> None:
    path = tmp_path_factory.mktemp("tail") / "x.log"
    path.write_text("".join(line + "\n" for line in lines))
    assert tail(path, count) == lines[-count:]


def test_the_tail_goes_back_into_the_file_before_unless_told_where_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    write(path, "one\ntwo\n")
    rotate(path, size=3)
    write(path, "three\n")
    assert tail(path, 2) == ["two", "three"]
    write(path, "four\n")
    assert tail(path, 5, since=6) == ["four"]


def test_a_torn_character_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"gr\xc3\xbc\xc3\nok\n")
    assert tail(tmp_path / "x.log", 2) == ["grü\N{REPLACEMENT CHARACTER}", "ok"]


def test_rotation_keeps_so_many_files_and_no_more(tmp_path: Path) -> None:
    path = log_path(tmp_path, "web", "web-v1-1")
    for number in range(6):
        write(path, f"{number}" * 100 + "\n")
        rotate_all(tmp_path, size=50, files=3)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["web-v1-1.log", "web-v1-1.log.1", "web-v1-1.log.2"]
    assert path.read_text() == ""
    assert path.with_name("web-v1-1.log.1").read_text().startswith("5")
    assert path.with_name("web-v1-1.log.2").read_text().startswith("4")
    assert not rotate(path, size=50)


def test_with_one_file_the_old_lines_go(tmp_path: Path) -> None:
    write(tmp_path / "x.log", "x" * 100)
    assert rotate(tmp_path / "x.log", size=50, files=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.log"]


def test_a_log_that_cannot_be_copied_is_emptied_all_the_same(tmp_path: Path) -> None:
    write(tmp_path / "x.log", "x" * 100)
    (tmp_path / "x.log.new").symlink_to("/dev/full")
    assert rotate(tmp_path / "x.log", size=50)
    assert (tmp_path / "x.log").stat().st_size == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.log"]


def test_logs_of_ended_tasks_are_kept_in_a_bounded_number_and_those_of_living_ones_all(tmp_path: Path) -> None:
    for number in range(8):
        path = log_path(tmp_path, "web", f"web-v1-{number}")
        write(path, "x")
        write(path.with_name(f"{path.name}.1"), "x")
        os.utime(path, (number, number))
    (tmp_path / "tasks" / "web").mkdir(parents=True)
    (tmp_path / "tasks" / "web" / "web-v1-0.json").touch()
    prune(tmp_path, keep=2)
    names = sorted(path.name for path in (tmp_path / "logs" / "web").glob("*.log"))
    assert names == ["web-v1-0.log", "web-v1-6.log", "web-v1-7.log"]
    assert len(list((tmp_path / "logs" / "web").glob("*.1"))) == 3


def new(lines: Iterator[Line | None], count: int) -> list[str]:
    return [line.text for line in islice((line for line in lines if line is not None), count)]


def test_following_gives_the_last_lines_then_the_new_ones_also_of_new_tasks(tmp_path: Path) -> None:
    write(log_path(tmp_path, "web", "web-v1-1"), "old\nlast\n")
    lines = follow(tmp_path, "web", lines=1, pause=0.0)
    assert new(lines, 1) == ["last"]
    assert next(lines) is None
    write(log_path(tmp_path, "web", "web-v1-1"), "half a ")
    assert next(lines) is None
    write(log_path(tmp_path, "web", "web-v1-1"), "line\n")
    assert new(lines, 1) == ["half a line"]
    write(log_path(tmp_path, "web", "web-v2-1"), "first\n")
    assert next(lines) == Line("web-v2-1", "first")


def test_following_loses_nothing_over_rotations_even_two_between_two_looks(tmp_path: Path) -> None:
    path = log_path(tmp_path, "web", "web-v1-1")
    write(path, "1\n2\n")
    lines = follow(tmp_path, "web", lines=2, pause=0.0)
    assert new(lines, 2) == ["1", "2"]
    assert next(lines) is None
    write(path, "3\n")
    rotate(path, size=1)
    assert new(lines, 1) == ["3"]
    write(path, "4\n")
    rotate(path, size=1)
    write(path, "5\n6\n")
    rotate(path, size=1)
    write(path, "7\n")
    assert new(lines, 4) == ["4", "5", "6", "7"]
    path.write_text("")
    assert next(lines) is None
    write(path, "8\n")
    assert new(lines, 1) == ["8"]


WRITER = """
import sys, time
for number in range(20000):
    sys.stdout.write(f"{number:06d}\\n")
    if number % 20 == 0:
        sys.stdout.flush()
        time.sleep(0.0005)
"""


@pytest.mark.real
def test_a_writer_under_rotation_is_followed_in_order_and_hardly_a_line_is_lost(tmp_path: Path) -> None:
    path = log_path(tmp_path, "web", "web-v1-1")
    log = open_log(path)
    lines = follow(tmp_path, "web", pause=0.0)
    next(lines)
    seen: list[int] = []
    largest = 0
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", WRITER], stdout=log) as writer:
        os.close(log)
        idle = 0
        deadline = time.monotonic() + 60
        while idle < 5 and time.monotonic() < deadline:
            largest = max(largest, path.stat().st_size)
            rotate(path, size=20_000, files=3)
            line = next(lines)
            while line is not None:
                seen.append(int(line.text))
                line = next(lines)
            idle = idle + 1 if writer.poll() is not None else 0
    assert seen == sorted(set(seen))
    # Between the copy's last byte and the cut a line may be lost; that is the price of a writer who knows of nothing.
    assert len(seen) >= 19_900
    assert largest < 200_000
