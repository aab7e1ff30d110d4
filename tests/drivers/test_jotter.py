"""Jots outlive their controller, and a full disk leaves at least the name."""

from __future__ import annotations

from pathlib import Path

from tidegate.drivers.jotter import FileJotter


def test_what_was_jotted_is_there_for_who_comes_next_until_it_is_struck(tmp_path: Path) -> None:
    jotter = FileJotter(tmp_path / "jots")
    jotter.jot("web-2", "an alarm")
    jotter.jot("web-2", "an alarm fires")
    jotter.jot("shop-1", "")
    assert FileJotter(tmp_path / "jots").jotted() == {"shop-1": "", "web-2": "an alarm fires"}
    jotter.strike("web-2")
    jotter.strike("web-2")
    assert jotter.jotted() == {"shop-1": ""}


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    FileJotter(tmp_path / "jots").jot("web-2", "an alarm")
    assert (tmp_path / "jots").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "jots" / "web-2").stat().st_mode & 0o777 == 0o600


def test_a_disk_without_room_for_the_text_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "web-2").symlink_to("/dev/full")
    FileJotter(tmp_path).jot("web-2", "an alarm")
    assert [path.name for path in tmp_path.iterdir()] == ["web-2"]


def test_a_directory_that_cannot_be_had_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    jotter = FileJotter(tmp_path / "file" / "jots")
    jotter.jot("web-2", "an alarm")
    jotter.strike("web-2")
    assert jotter.jotted() == {}
