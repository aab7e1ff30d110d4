"""Files are put in place whole, and only when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate.core.errors import Unreachable
from tidegate.drivers.envoy.files import Files


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.put("eds/a.json", "1") is True
    before = (tmp_path / "eds/a.json").stat().st_ino
    assert files.put("eds/a.json", "1") is False
    assert Files(tmp_path).put("eds/a.json", "1") is False
    assert (tmp_path / "eds/a.json").stat().st_ino == before
    assert files.put("eds/a.json", "1", anew=True) is True
    assert (tmp_path / "eds/a.json").stat().st_ino != before


def test_what_somebody_else_wrote_is_noticed(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("a.json", "ours")
    (tmp_path / "a.json").write_text("theirs")
    assert files.read("a.json") == "theirs"
    assert files.put("a.json", "ours") is True


def test_a_missing_file_reads_as_empty_and_is_removed_without_complaint(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.read("no.json") == ""
    files.remove("no.json")
    assert files.listing("eds") == []


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    Files(tmp_path).put("sds/a.json", "x")
    assert (tmp_path / "sds/a.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "sds").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_with_the_mend_and_the_old_file_stays(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("rtds/weights.json", "old")
    (tmp_path / ".aside").mkdir(exist_ok=True)
    (tmp_path / ".aside" / "weights.json").symlink_to("/dev/full")
    with pytest.raises(Unreachable, match=r"rtds/weights\.json cannot be written: No space left on device") as told:
        files.put("rtds/weights.json", "new")
    assert "free some space" in told.value.mend
    assert (tmp_path / "rtds/weights.json").read_text() == "old"
    files.put("rtds/weights.json", "new")
    assert (tmp_path / "rtds/weights.json").read_text() == "new"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    files = Files(tmp_path / "run")
    tmp_path.chmod(0o500)
    with pytest.raises(Unreachable, match="cannot be written"):
        files.put("a.json", "x")
    tmp_path.chmod(0o700)
