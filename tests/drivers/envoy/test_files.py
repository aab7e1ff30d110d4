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


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def _fill(run_dir: Path, name: str) -> None:
    """What is written aside under this name finds no room."""
    (run_dir / ".aside" / name).symlink_to("/dev/full")


@full
def test_a_full_disk_is_told_with_the_mend_and_the_old_file_stays(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("cds/clusters.json", "old")
    _fill(tmp_path, "clusters.json")
    with pytest.raises(Unreachable, match=r"cds/clusters\.json cannot be written: No space left on device") as told:
        files.put("cds/clusters.json", "new")
    assert "free some space" in told.value.mend
    assert (tmp_path / "cds/clusters.json").read_text() == "old"
    files.put("cds/clusters.json", "new")
    assert (tmp_path / "cds/clusters.json").read_text() == "new"


@full
def test_weights_are_written_on_a_full_disk_too_again_and_again(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("rtds/weights.json", "everything " * 500)
    for text in ("half", "nothing"):
        _fill(tmp_path, "weights.json")
        files.put("rtds/weights.json", text)
        assert (tmp_path / "rtds/weights.json").read_text() == text
        assert (tmp_path / "rtds/weights.json").stat().st_mode & 0o777 == 0o600


def test_room_is_kept_for_weights_of_more_services_than_there_are(tmp_path: Path) -> None:
    files, reserve = Files(tmp_path), tmp_path / ".aside" / "reserve"
    sizes = []
    for text in ("a", "a" * 5000, "a"):
        files.put("rtds/weights.json", text)
        sizes.append(reserve.stat().st_blocks * 512)
    assert sizes[0] >= 4096
    assert sizes[1] == sizes[2] >= 10_000
    assert files.listing("rtds") == ["rtds/weights.json"]


@full
def test_weights_longer_than_the_room_that_is_kept_are_told(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("rtds/weights.json", "old")
    (tmp_path / ".aside" / "reserve").unlink()
    _fill(tmp_path, "weights.json")
    with pytest.raises(Unreachable, match="No space left on device"):
        files.put("rtds/weights.json", "new")
    assert (tmp_path / "rtds/weights.json").read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    files = Files(tmp_path / "run")
    tmp_path.chmod(0o500)
    with pytest.raises(Unreachable, match="cannot be written"):
        files.put("a.json", "x")
    tmp_path.chmod(0o700)
