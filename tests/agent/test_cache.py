"""What the agent knows, in memory and on disk."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.control_plane import NEW, OLD, moving, plain
from tidegate.agent.cache import Cache, Taken
from tidegate.agent.disk import Disk
from tidegate.core.errors import Invalid
from tidegate.core.exposure import Exposure
from tidegate.core.flags.snapshot import Snapshot, decode_snapshot, encode_snapshot


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def serial(cache: Cache) -> int:
    assert cache.view is not None
    return cache.view.snapshot.serial


@given(st.lists(st.tuples(st.sampled_from(["db-1", "db-2"]), st.integers(0, 9)), max_size=30))
def test_within_one_origin_the_serial_never_falls(offers: list[tuple[str, int]]) -> None:
    cache = Cache("shop", "prod")
    known: tuple[str, int] | None = None
    for origin, number in offers:
        before = known
        taken = cache.take(replace(PLAIN, origin=origin, serial=number))
        assert cache.view is not None
        known = (cache.view.snapshot.origin, cache.view.snapshot.serial)
        if before is not None and before[0] == origin:
            assert known[1] == max(before[1], number)
            assert (taken is Taken.NEW) == (number > before[1])
        else:
            assert known == (origin, number)


PLAIN = plain()


def test_moving_the_exposure_keeps_what_was_compiled_and_prepared() -> None:
    cache = Cache("shop", "prod")
    cache.take(moving(2, 1000))
    before = cache.view
    assert cache.move(exposure=Exposure(5000), serial=3, rollout="shop-prod-3") is Taken.NEW
    after = cache.view
    assert before is not None
    assert after is not None
    assert after.staged.candidate is before.staged.candidate
    assert after.plain is before.plain
    assert (after.staged.exposure, after.snapshot.exposure) == (5000, 5000)


def test_what_was_compiled_is_kept_wherever_the_document_is_the_same_to_the_letter() -> None:
    """A whole snapshot has come anew, as from a poll."""

    def read(snapshot: Snapshot) -> Snapshot:
        return decode_snapshot(encode_snapshot(snapshot))

    cache = Cache("shop", "prod")
    views = []
    for snapshot in (plain(1, 3), moving(2, 1000), moving(3, 2000), plain(4, 3, NEW)):
        cache.take(read(snapshot))
        assert cache.view is not None
        views.append(cache.view)
    alone, begun, moved, other = (view.staged for view in views)
    assert begun.baseline is alone.baseline
    assert (moved.baseline, moved.candidate) == (begun.baseline, begun.candidate)
    assert moved.exposure == 2000
    assert other.baseline is not alone.baseline
    assert other.evaluate("checkout").value is True


def test_every_flag_is_compiled_before_anybody_asks_for_it() -> None:
    cache = Cache("shop", "prod")
    cache.take(moving(2, 1000))
    assert cache.view is not None
    for side in (cache.view.staged.baseline, cache.view.staged.candidate):
        assert side is not None
        assert set(side._answers) == set(side.document.flags)  # nobody else may look there


def test_compiling_holds_no_change_back_for_long() -> None:
    clock = Clock()

    def slow() -> float:
        clock.now += 0.1
        return clock.now

    cache = Cache("shop", "prod", monotonic=slow)
    cache.take(moving(2, 1000))
    assert cache.view is not None
    assert cache.view.staged.candidate is not None
    assert 0 < len(cache.view.staged.candidate._answers) < len(OLD["flags"])
    assert cache.view.staged.evaluate("theme").value == "#fff"


def test_a_move_of_another_rollout_needs_the_whole_snapshot() -> None:
    cache = Cache("shop", "prod")
    assert cache.move(exposure=Exposure(1), serial=9, rollout="shop-prod-3") is None
    cache.take(PLAIN)
    assert cache.move(exposure=Exposure(1), serial=9, rollout="") is None
    cache.take(moving(2))
    assert cache.move(exposure=Exposure(1), serial=9, rollout="shop-prod-4") is None
    assert cache.move(exposure=Exposure(1), serial=1, rollout="shop-prod-3") is Taken.OLDER
    assert serial(cache) == 2


def test_an_older_offer_confirms_nothing() -> None:
    clock = Clock()
    cache = Cache("shop", "prod", monotonic=clock)
    assert cache.age is None
    cache.take(plain(5))
    clock.now += 30
    cache.take(plain(4))
    assert cache.age == 30
    cache.take(plain(5))
    assert cache.age == 0


def test_a_clock_that_jumps_makes_no_age_negative_and_nothing_forgotten(tmp_path: Path) -> None:
    wall, steady = Clock(), Clock()
    disk = Disk(tmp_path, "shop", "prod", clock=wall)
    writer = Cache("shop", "prod", disk, monotonic=steady)
    writer.take(PLAIN)
    writer.save()
    written = disk.path.stat().st_mtime
    for now, age in ((written + 3600, 3600), (written - 10**9, 0)):
        wall.now = now
        cache = Cache("shop", "prod", disk, monotonic=steady)
        assert cache.load()
        assert cache.age == pytest.approx(age)
    steady.now += 7
    assert cache.age == 7


def test_what_is_on_disk_is_loaded_but_never_over_something_newer(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "shop", "prod")
    cache = Cache("shop", "prod", disk)
    assert not cache.load()
    cache.take(plain(5))
    cache.save()
    cache.take(plain(6, 4, NEW))
    assert not cache.load()
    assert serial(cache) == 6
    again = Cache("shop", "prod", disk)
    assert again.load()
    assert serial(again) == 5


@given(st.data())
def test_a_file_with_any_damage_is_ignored(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    disk = Disk(tmp_path_factory.mktemp("cache"), "shop", "prod")
    assert disk.write(PLAIN)
    good = disk.path.read_bytes()
    kind = data.draw(st.sampled_from(["cut", "letter", "zeros", "other"]))
    place = data.draw(st.integers(0, len(good) - 1))
    bad = {
        "cut": good[:place],
        "letter": good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :],
        "zeros": good[:place] + bytes(len(good) - place),
        "other": data.draw(st.binary()),
    }[kind]
    disk.path.write_bytes(bad)
    assert disk.read() is None or bad == good
    assert not Cache("shop", "prod", disk).load()


def test_a_file_of_somebody_else_is_ignored(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "shop", "prod")
    disk.write(Snapshot("shop", "test", 1, "db-1", PLAIN.baseline))
    assert not Cache("shop", "prod", disk).load()
    with pytest.raises(Invalid, match="shop/test"):
        Cache("shop", "prod").take(Snapshot("shop", "test", 1, "db-1", PLAIN.baseline))


def test_a_place_that_cannot_be_written_is_told_once_and_does_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    disk = Disk(tmp_path / "file" / "below", "shop", "prod")
    assert not disk.write(PLAIN)
    assert not disk.write(PLAIN)
    assert disk.read() is None
    assert capsys.readouterr().out.count("agent_cache_not_written") == 1


def test_a_directory_in_the_place_of_the_file_is_told_and_does_no_harm(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "shop", "prod")
    disk.path.mkdir()
    assert disk.read() is None
    assert not disk.write(PLAIN)
    assert [file.name for file in tmp_path.iterdir()] == [disk.path.name]


@pytest.mark.parametrize("name", ["../../etc/passwd", ".", "a/b", "ä" * 300, "\x00", "\ud800", "a@b"])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    disk = Disk(tmp_path, name, name)
    assert disk.path.parent == tmp_path
    assert disk.write(PLAIN)
    assert len(list(tmp_path.iterdir())) == 1


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "new", "shop", "prod")
    disk.write(PLAIN)
    assert (disk.path.stat().st_mode & 0o777, disk.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_readers_find_a_whole_snapshot_while_others_write(tmp_path: Path) -> None:
    disks = [Disk(tmp_path, "shop", "prod") for _ in range(3)]
    disks[0].write(PLAIN)

    def write(disk: Disk) -> None:
        for number in range(2, 60):
            disk.write(plain(number))

    threads = [threading.Thread(target=write, args=(disk,)) for disk in disks]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert disks[0].read() is not None
    assert [file.name for file in tmp_path.iterdir()] == [disks[0].path.name]


def test_the_file_is_the_snapshot_s_own_text(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "shop", "prod")
    disk.write(PLAIN)
    assert disk.path.read_text() == encode_snapshot(PLAIN)
